"""Proxies of the environment are for people's browsers: images are asked for where their URLs say."""

from pathlib import Path

import pytest

from eoltag.fetch.read_ahead import fetch_ahead
from eoltag.records import FetchRequest, Outcome
from eoltag.settings import FetchSettings
from tests.support.loopback import Loopback


def test_proxies_of_the_environment_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a picture")
    with Loopback(tmp_path) as server, Loopback() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base)
        monkeypatch.delenv("no_proxy", raising=False)
        settings = FetchSettings(allow_private_hosts=True, attempts=1, contact="https://proxies.example")
        found = fetch_ahead(
            [server.url("a.jpg")], FetchRequest, settings, rate_share=1.0, max_images=8, max_bytes=1_000_000
        )
        [(_, fetched)] = list(found)
        assert (fetched.outcome, fetched.data) == (Outcome.OK, b"a picture")
        assert (server.requests, proxy.requests) == (["/files/a.jpg"], [])
