"""The server of the demo serves pictures, and some of them as bad servers do."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from eoltag.demo.server import FAULTS, bundle_rows, serving


def asked(url: str) -> tuple[int, bytes]:
    """Status and body of an answer."""
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some files, one with a name that must be quoted."""
    (tmp_path / "served/a b").mkdir(parents=True)
    (tmp_path / "served/a b/1.jpg").write_bytes(b"0123456789")
    (tmp_path / "served/2.jpg").write_bytes(b"abcdef")
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "served"


def test_pictures_are_served_whole_and_what_lies_outside_is_not(folder: Path) -> None:
    with serving(folder) as server:
        assert asked(server.url("files/a b/1.jpg")) == (200, b"0123456789")
        assert asked(server.url("files/../secret"))[0] == 404
        assert asked(server.url("files/none.jpg"))[0] == 404
        assert server.requests == 3


def test_each_fault_is_what_it_is_called(folder: Path) -> None:
    with serving(folder) as server:
        found = {fault: asked(server.url(f"{fault}/a b/1.jpg")) for fault in FAULTS}
        again = asked(server.url("busy/a b/1.jpg"))
    assert {fault: status for fault, (status, _) in found.items()} == {
        "missing": 404, "forbidden": 403, "page": 200, "cut": 200, "empty": 200, "busy": 503,
    }  # fmt: skip
    assert (found["cut"][1], found["empty"][1], again) == (b"01234", b"", (200, b"0123456789"))


def test_the_list_names_every_picture_once_and_each_fault(folder: Path) -> None:
    with serving(folder) as server:
        header, *rows = bundle_rows(server)
        urls = [dict(zip(header, row, strict=True))["eolMediaURL"] for row in rows]
        wanted = {server.url("files/a b/1.jpg"), server.url("files/2.jpg"), "not-a-url"}
    assert wanted <= {*urls}
    assert len(urls) == len({*urls}) == len(wanted) + len(FAULTS)
    assert {url.split("/")[3] for url in urls if "/" in url} == {"files", *FAULTS}
