"""What becomes of one image, against a real server that fails in every way."""

import asyncio
import itertools
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from eoltag.errors import BundleError
from eoltag.fetch.answers import find_opt_out
from eoltag.fetch.client import Fetcher
from eoltag.fetch.download import download
from eoltag.fetch.renditions import rendition_of
from eoltag.records import Fetched, FetchRequest, Outcome
from eoltag.settings import FetchSettings
from tests.support.fake_time import OwnTime
from tests.support.loopback import Loopback

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400
OTHER = b"\x89PNG" + bytes(range(255, -1, -1)) * 300

SMALLER = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20

UNIQUE = itertools.count()
"""Makes paths that no other test asks for."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    root = tmp_path_factory.mktemp("images")
    (root / "a b ü.jpg").write_bytes(PICTURE)
    (root / "picture.jpg").write_bytes(PICTURE)
    (root / "other.png").write_bytes(OTHER)
    (root / "picture.580x360.jpg").write_bytes(SMALLER)
    with Loopback(root) as running:
        yield running


def make_settings(**chosen: Any) -> FetchSettings:
    usual = {"allow_private_hosts": True, "attempts": 1, "deadline_s": 5.0, "max_bytes": 1_000_000}
    return FetchSettings.model_validate(usual | chosen)


def fetch_all(urls: Sequence[str | None], fetcher: Fetcher) -> list[Fetched]:
    """One after the other, by the same fetcher."""

    async def story() -> list[Fetched]:
        try:
            return [await fetcher.fetch(FetchRequest(url)) for url in urls]
        finally:
            await fetcher.close()

    return asyncio.run(story())


def fetch(url: str | None, time: OwnTime | None = None, **chosen: Any) -> Fetched:
    settings = make_settings(**chosen)
    if time is None:
        return fetch_all([url], Fetcher(settings))[0]
    return fetch_all([url], make_fetcher(time, settings))[0]


def make_fetcher(time: OwnTime, settings: FetchSettings) -> Fetcher:
    return Fetcher(settings, clock=time.clock, wall_clock=lambda: 784_111_777.0, sleep=time.sleep, jitter=lambda: 0.0)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# What arrives.


def test_an_image_comes_with_its_bytes_and_nothing_to_explain(server: Loopback) -> None:
    assert fetch(server.url("picture.jpg")) == Fetched(PICTURE, Outcome.OK, None, 200, 1)


def test_a_name_with_spaces_and_accents_is_found_as_it_stands_in_the_list(server: Loopback) -> None:
    assert fetch(server.base + "/files/a b ü.jpg").data == PICTURE
    assert fetch(server.base + "/files/a%20b%20%C3%BC.jpg").data == PICTURE


def test_an_image_compressed_against_our_wish_is_unpacked(server: Loopback) -> None:
    assert fetch(server.url("/gzip/picture.jpg")).data == PICTURE


def test_what_the_body_holds_is_none_of_the_fetchers_business(server: Loopback) -> None:
    html, half = fetch(server.url("/html/x.jpg")), fetch(server.url("/truncated/picture.jpg"))
    assert html.data is not None
    assert html.data.startswith(b"<!DOCTYPE html>")
    assert half.data == PICTURE[: len(PICTURE) // 2]


def test_the_server_learns_who_asks_and_gets_no_cookies_back(server: Loopback) -> None:
    fetch(server.url("picture.jpg"), contact="mailto:someone@example.org")
    headers = server.headers[-1]
    assert headers["User-Agent"].startswith("eoltag/")
    assert headers["User-Agent"].endswith("(+mailto:someone@example.org)")
    assert headers["Accept-Encoding"] == "identity"
    assert "avif" not in headers["Accept"], "servers that negotiate would send it for image/*"
    assert "image/*" not in headers["Accept"]
    assert headers["Accept"].startswith("image/jpeg")
    assert "Cookie" not in headers


def test_connections_are_used_again_even_after_an_error_page(server: Loopback) -> None:
    server.clients.clear()
    paths = [
        "picture.jpg",
        "/late-status/404/x.jpg",
        "other.png",
        "/redirect/302/x?to=/files/picture.jpg",
        "picture.jpg",
    ]
    fetched = fetch_all([server.url(path) for path in paths], Fetcher(make_settings()))
    assert [image.data for image in fetched] == [PICTURE, None, OTHER, PICTURE, PICTURE]
    assert len(server.clients) == 1


# What the server says instead.


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (204, Outcome.HTTP_OTHER),
        (300, Outcome.HTTP_OTHER),
        (304, Outcome.HTTP_OTHER),
        (400, Outcome.HTTP_OTHER),
        (401, Outcome.FORBIDDEN),
        (403, Outcome.FORBIDDEN),
        (404, Outcome.GONE),
        (410, Outcome.GONE),
        (429, Outcome.THROTTLED),
        (451, Outcome.HTTP_OTHER),
        (500, Outcome.SERVER_ERROR),
        (503, Outcome.SERVER_ERROR),
        (599, Outcome.SERVER_ERROR),
    ],
)
def test_every_status_has_its_outcome(server: Loopback, status: int, outcome: Outcome) -> None:
    fetched = fetch(server.url(f"/status/{status}/x.jpg"))
    assert (fetched.outcome, fetched.http_status, fetched.data, fetched.attempts) == (outcome, status, None, 1)
    assert fetched.detail is not None
    assert fetched.detail.startswith(f"HTTP {status}")


@pytest.mark.parametrize("path", ["/cut/picture.jpg", "/cut-chunked/picture.jpg"])
def test_a_body_cut_short_is_truncated(server: Loopback, path: str) -> None:
    fetched = fetch(server.url(path))
    assert (fetched.outcome, fetched.http_status, fetched.data) == (Outcome.TRUNCATED, 200, None)


def test_an_empty_body_is_truncated(server: Loopback) -> None:
    fetched = fetch(server.url("/empty/x.jpg"), attempts=3)
    assert fetched == Fetched(None, Outcome.TRUNCATED, "empty body", 200, 1)


@pytest.mark.parametrize("path", ["/garbage/x.jpg", "/bad-header/x.jpg"])
def test_an_answer_that_is_not_http_is_one_image_lost(server: Loopback, path: str) -> None:
    fetched = fetch(server.url(path))
    assert fetched.outcome is Outcome.HTTP_OTHER
    assert fetched.detail is not None
    assert "\n" not in fetched.detail
    assert len(fetched.detail) <= 300


def test_no_answer_at_all_is_a_failed_connection(server: Loopback) -> None:
    assert fetch(server.url("/close/x.jpg")).outcome is Outcome.CONNECT


def test_a_refused_connection_says_where() -> None:
    port = closed_port()
    fetched = fetch(f"http://127.0.0.1:{port}/x.jpg")
    assert (fetched.outcome, fetched.http_status) == (Outcome.CONNECT, None)
    assert fetched.detail is not None
    assert f"127.0.0.1:{port}" in fetched.detail


def test_what_is_no_url_is_not_asked_for() -> None:
    fetched = [fetch(url) for url in (None, "", "ftp://eol.org/x.jpg", "http:///x.jpg")]
    assert {(image.outcome, image.attempts) for image in fetched} == {(Outcome.BAD_URL, 0)}


# Names and certificates.


def resolve_to(monkeypatch: pytest.MonkeyPatch, lookup: Callable[[str], list[str]]) -> None:
    """Lets names resolve to what `lookup` says, as DNS might."""

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in lookup(host)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_name_that_does_not_resolve_is_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    resolve_to(monkeypatch, unknown)
    fetched = fetch("http://no-such-host.example/x.jpg")
    assert fetched.outcome is Outcome.DNS
    assert fetched.detail is not None
    assert "no-such-host.example" in fetched.detail


def test_a_name_that_cannot_be_looked_up_is_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    def impossible(_host: str) -> list[str]:
        raise UnicodeError("label empty or too long")

    resolve_to(monkeypatch, impossible)
    assert fetch("http://strange.example/x.jpg").outcome is Outcome.DNS


def test_https_to_a_server_that_speaks_none_is_tls(server: Loopback) -> None:
    assert fetch(f"https://127.0.0.1:{server.port}/x.jpg").outcome is Outcome.TLS


@pytest.mark.skipif(which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_that_nobody_signed_is_tls(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 2 -subj /CN=localhost"
    subprocess.run(command.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Loopback(tls=context) as server:
        fetched = fetch(server.url("/files/x.jpg"))
    assert fetched.outcome is Outcome.TLS
    assert fetched.detail is not None
    assert "certificate" in fetched.detail
    assert server.requests == []


# Time and size.


@pytest.mark.parametrize("path", ["/trickle/x.jpg", "/stall/picture.jpg", "/slow/60/picture.jpg"])
def test_the_deadline_is_for_the_whole_image(server: Loopback, path: str) -> None:
    fetched = fetch(server.url(path), deadline_s=0.4)
    assert fetched.outcome is Outcome.TIMEOUT
    assert fetched.http_status == (None if path.startswith("/slow") else 200)
    assert fetched.detail == "not complete within 0.4 s"


def test_redirects_do_not_start_the_clock_anew(server: Loopback) -> None:
    with Loopback(server.root, latency_s=0.1) as late:
        assert fetch(late.url("/redirect-deep/4/picture.jpg"), deadline_s=0.25).outcome is Outcome.TIMEOUT


def test_a_connection_that_does_not_come_about_has_a_time_limit_of_its_own() -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        fetched = fetch(f"http://127.0.0.1:{full.getsockname()[1]}/x.jpg", connect_timeout_s=0.1)
    assert fetched.outcome is Outcome.TIMEOUT
    assert fetched.detail is not None
    assert "Connection timeout" in fetched.detail


@pytest.mark.parametrize(
    "path", ["/big/1000001/x.jpg", "/big-chunked/1000001/x.jpg", "/endless/x.jpg", "/bomb/50000000/x.jpg"]
)
def test_more_bytes_than_the_cap_are_not_kept(server: Loopback, path: str) -> None:
    fetched = fetch(server.url(path), attempts=3)
    assert (fetched.outcome, fetched.http_status, fetched.data, fetched.attempts) == (Outcome.TOO_LARGE, 200, None, 1)


def test_a_size_that_is_announced_is_believed_before_the_body_is_read(server: Loopback) -> None:
    assert fetch(server.url("/big/1000001/x.jpg")).detail == "1000001 bytes announced, over 1000000"


def test_exactly_as_many_bytes_as_the_cap_are_fine(server: Loopback) -> None:
    for path in ("/big/1000000/x.jpg", "/big-chunked/1000000/x.jpg"):
        assert fetch(server.url(path)).data == bytes(1_000_000)


# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["/files/other.png", "../../files/other.png", "{base}/files/other.png#top"])
def test_a_redirect_is_followed_wherever_it_points(server: Loopback, status: int, target: str) -> None:
    to = target.format(base=server.base).replace("#", "%23")
    assert fetch(server.url(f"/redirect/{status}/x.jpg?to={to}")).data == OTHER


def test_five_redirects_are_followed_and_six_are_not(server: Loopback) -> None:
    assert fetch(server.url("/redirect-deep/5/picture.jpg")).data == PICTURE
    fetched = fetch(server.url("/redirect-deep/6/picture.jpg"))
    assert (fetched.outcome, fetched.http_status) == (Outcome.REDIRECT, 302)
    assert fetched.detail is not None
    assert fetched.detail.startswith("more than 5 redirects")


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/redirect-no-location/x.jpg", "without a Location"),
        ("/redirect-loop/x.jpg", "in a circle"),
        ("/redirect/302/x.jpg?to=/redirect-loop/y.jpg", "in a circle"),
        ("/redirect/302/x.jpg?to=ftp://eol.org/x.jpg", "cannot be requested"),
        ("/redirect/302/x.jpg?to=http://[::1/x.jpg", "cannot be requested"),
        ("/redirect/302/x.jpg?to=file:///etc/passwd", "cannot be requested"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_final(server: Loopback, path: str, detail: str) -> None:
    fetched = fetch(server.url(path), attempts=3)
    assert (fetched.outcome, fetched.attempts) == (Outcome.REDIRECT, 1)
    assert fetched.detail is not None
    assert detail in fetched.detail


def test_every_redirect_takes_a_turn_of_its_host(server: Loopback) -> None:
    time = OwnTime()
    fetch(server.url("/redirect-deep/3/picture.jpg"), time, hosts={"127.0.0.1": 2.0})
    assert time.naps == pytest.approx([0.5, 0.5, 0.5])


# Opting out.


def test_a_page_that_opts_out_is_not_read(server: Loopback) -> None:
    fetched = fetch(server.url("/robots/noindex, NoAI/picture.jpg"), attempts=3)
    assert fetched == Fetched(None, Outcome.OPTED_OUT, "X-Robots-Tag: noai", 200, 1)


def test_the_settings_say_which_directives_are_obeyed(server: Loopback) -> None:
    url = server.url("/robots/noindex/picture.jpg")
    assert fetch(url).data == PICTURE
    assert fetch(url, opt_out_directives=["noindex"]).outcome is Outcome.OPTED_OUT
    assert fetch(server.url("/robots/noai/picture.jpg"), opt_out_directives=[]).data == PICTURE


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ([], None),
        (["noindex, nofollow"], None),
        (["noindex", " noimageai "], "noimageai"),
        (["googlebot: noai"], None),
        (["googlebot: noindex, noai"], None),
        (["googlebot: noindex", "noai"], "noai"),
        (["eoltag: noai"], "noai"),
        (["otherbot: noai, eoltag: noindex, noai"], "noai"),
        (["*: noai"], "noai"),
        (["max-snippet: 5, noai"], "noai"),
        (["unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], "noai"),
        (["noaix"], None),
    ],
)
def test_a_directive_counts_for_whom_it_names(tags: list[str], found: str | None) -> None:
    assert find_opt_out(tags, ("noai", "noimageai")) == found


# Asking again.


def test_a_server_that_fails_twice_is_asked_a_third_time(server: Loopback) -> None:
    time, path = OwnTime(), f"/flaky/500/2/picture.jpg?{next(UNIQUE)}"
    fetched = fetch(server.url(path), time, attempts=3, backoff_base_s=1)
    assert (fetched.data, fetched.attempts, server.count(path)) == (PICTURE, 3, 3)
    assert time.naps == [0.5, 1.0]


def test_a_body_cut_short_is_asked_for_again_from_the_start(server: Loopback) -> None:
    fetched = fetch(server.url(f"/flaky-cut/1/picture.jpg?{next(UNIQUE)}"), OwnTime(), attempts=2)
    assert (fetched.data, fetched.attempts) == (PICTURE, 2)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_after_the_time_it_names(server: Loopback, status: int) -> None:
    time = OwnTime()
    url = server.url(f"/flaky/{status}/1/picture.jpg?retry_after=7&{next(UNIQUE)}")
    fetched = fetch(url, time, attempts=2)
    assert (fetched.data, fetched.attempts) == (PICTURE, 2)
    assert time.now - 1_000 == pytest.approx(7.0)


def test_a_busy_server_may_name_a_date(server: Loopback) -> None:
    time = OwnTime()
    date = "Sun,%2006%20Nov%201994%2008:49:50%20GMT"
    fetch(server.url(f"/flaky/429/1/picture.jpg?retry_after={date}&{next(UNIQUE)}"), time, attempts=2)
    assert time.now - 1_000 == pytest.approx(13.0)


def test_a_server_that_asks_for_more_than_the_longest_wait_is_left_to_the_next_run(server: Loopback) -> None:
    time, path = OwnTime(), f"/flaky/429/1/picture.jpg?retry_after=601&{next(UNIQUE)}"
    fetcher = make_fetcher(time, make_settings(attempts=4))
    first, second = fetch_all([server.url(path), server.url("picture.jpg")], fetcher)
    assert (first.outcome, first.attempts) == (Outcome.THROTTLED, 1)
    assert (second.outcome, second.http_status) == (Outcome.THROTTLED, None)
    assert (server.count(path), time.naps) == (1, [])


def test_a_busy_server_is_left_alone_by_the_other_images_too(server: Loopback) -> None:
    time = OwnTime()
    urls = [server.url("/status/429/x.jpg?retry_after=20"), server.url("other.png")]
    busy, other = fetch_all(urls, make_fetcher(time, make_settings(attempts=1)))
    assert (busy.outcome, other.data) == (Outcome.THROTTLED, OTHER)
    assert time.naps == pytest.approx([20.0])


@pytest.mark.parametrize("path", ["/status/404/", "/status/403/", "/status/400/", "/empty/", "/garbage/"])
def test_a_final_answer_is_not_questioned(server: Loopback, path: str) -> None:
    path += f"{next(UNIQUE)}.jpg"
    assert fetch(server.url(path), OwnTime(), attempts=4).attempts == 1
    assert server.count(path) == 1


def test_a_host_that_nobody_waits_for_gets_one_attempt_an_image_until_it_answers(server: Loopback) -> None:
    time, dead = OwnTime(), f"http://127.0.0.1:{closed_port()}/x.jpg"
    urls = [dead] * 6 + [server.url("picture.jpg"), dead]
    fetched = fetch_all(urls, make_fetcher(time, make_settings(attempts=3, wait_for_host_s=0.0)))
    assert [image.attempts for image in fetched] == [3, 3, 3, 1, 1, 1, 1, 3]
    assert [image.outcome for image in fetched] == [Outcome.CONNECT] * 6 + [Outcome.OK, Outcome.CONNECT]


def test_a_host_that_stays_silent_until_the_deadline_is_away_as_well(server: Loopback) -> None:
    silent = server.url("/slow/60/picture.jpg")
    nine, ten = (Fetcher(make_settings(deadline_s=0.01, wait_for_host_s=0.0)) for _ in range(2))
    fetch_all([silent] * 9, nine)
    fetch_all([silent] * 10, ten)
    assert [fetcher.hosts.of("127.0.0.1").is_given_up for fetcher in (nine, ten)] == [False, True]


def test_waiting_for_a_turn_does_not_count_against_the_deadline(server: Loopback) -> None:
    fetcher = Fetcher(make_settings(deadline_s=0.8, hosts={"127.0.0.1": 1.0}))
    fetched = fetch_all([server.url("picture.jpg"), server.url("other.png")], fetcher)
    assert [image.data for image in fetched] == [PICTURE, OTHER]


def test_cancelling_frees_the_place_in_flight(server: Loopback) -> None:
    async def story() -> Fetched:
        fetcher = Fetcher(make_settings(concurrency=1))
        endless = asyncio.ensure_future(fetcher.fetch(FetchRequest(server.url("/trickle/x.jpg"))))
        await asyncio.sleep(0.05)
        endless.cancel()
        try:
            return await fetcher.fetch(FetchRequest(server.url("picture.jpg")))
        finally:
            await fetcher.close()

    assert asyncio.run(story()).data == PICTURE


# The address guard.


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "127.0.0.1."]
)
def test_this_machine_is_not_asked_however_it_is_spelt(server: Loopback, host: str) -> None:
    before = len(server.requests)
    fetched = fetch(f"http://{host}:{server.port}/files/picture.jpg", allow_private_hosts=False, attempts=3)
    assert (fetched.outcome, fetched.attempts) == (Outcome.BLOCKED_HOST, 1)
    assert len(server.requests) == before


@pytest.mark.parametrize("host", ["127.0.0.2", "2130706434", "private.example"])
def test_a_redirect_does_not_lead_past_the_guard(server: Loopback, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    resolve_to(monkeypatch, lambda _: ["127.0.0.2"])
    fetcher = Fetcher(make_settings(allow_private_hosts=False), guard=only_the_server)
    url = server.url(f"/redirect/302/x.jpg?to=http://{host}:{server.port}/files/picture.jpg")
    direct, redirected = fetch_all([server.url("picture.jpg"), url], fetcher)
    assert direct.data == PICTURE
    assert (redirected.outcome, redirected.http_status) == (Outcome.BLOCKED_HOST, 302)


def test_only_the_addresses_that_the_guard_allows_are_connected_to(
    server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, lambda _: ["127.0.0.2", "127.0.0.1"])
    fetcher = Fetcher(make_settings(allow_private_hosts=False), guard=only_the_server)
    assert fetch_all([f"http://two-faced.example:{server.port}/files/picture.jpg"], fetcher)[0].data == PICTURE


def test_a_public_name_for_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, lambda _: ["169.254.169.254"])
    fetched = fetch("http://innocent.example/x.jpg", allow_private_hosts=False)
    assert fetched.outcome is Outcome.BLOCKED_HOST
    assert fetched.detail == "innocent.example resolves to 169.254.169.254, which is not a public address"


def test_a_private_network_that_the_settings_name_is_allowed_and_no_other(server: Loopback) -> None:
    fetcher = Fetcher(make_settings(allow_private_hosts=False, private_networks=["127.0.0.1", "fd00::/8"]))
    urls = [server.url("picture.jpg"), f"http://127.0.0.2:{server.port}/files/picture.jpg"]
    assert [image.outcome for image in fetch_all(urls, fetcher)] == [Outcome.OK, Outcome.BLOCKED_HOST]


def only_the_server(address: object) -> bool:
    return address == ip_address("127.0.0.1")


# Whole files for the driver.


def test_a_bundle_is_downloaded_to_where_it_is_wanted(server: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "bundle.txt"
    download(server.url("/redirect/302/x?to=/big-chunked/3000000/x"), target, FetchSettings(max_bytes=1_000))
    assert target.read_bytes() == bytes(3_000_000)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("host", ["127.0.0.2", "[::1]", "10.0.0.1", "169.254.169.254"])
def test_a_download_is_not_led_to_private_addresses_that_nobody_typed(
    server: Loopback, tmp_path: Path, host: str
) -> None:
    url = server.url(f"/redirect/302/x?to=http://{host}:{server.port}/files/picture.jpg")
    asked = len(server.requests)
    with pytest.raises(BundleError, match=r"blocked_host: .*is not a public address"):
        download(url, tmp_path / "bundle.txt", FetchSettings())
    assert len(server.requests) == asked + 1
    download(url.replace(host, "127.0.0.1"), tmp_path / "bundle.txt", FetchSettings())


def test_a_password_in_a_url_or_a_location_is_not_sent(server: Loopback) -> None:
    secret = f"http://me:secret@127.0.0.1:{server.port}/files/picture.jpg"
    for url in (secret, server.url(f"/redirect/302/x?to={secret}")):
        assert fetch(url).data == PICTURE
        assert "Authorization" not in server.headers[-1]
    lost = fetch(server.url(f"/redirect/302/x?to=ftp://me:secret@eol.org/{secret}"))
    assert lost.detail is not None
    assert "me:secret@eol.org" not in lost.detail


def test_a_download_that_breaks_off_starts_again(server: Loopback, tmp_path: Path) -> None:
    target = tmp_path / "bundle.txt"
    settings = FetchSettings(attempts=2, backoff_base_s=0)
    download(server.url(f"/flaky-cut/1/picture.jpg?{next(UNIQUE)}"), target, settings)
    assert target.read_bytes() == PICTURE


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/status/404/bundle.txt", "gone: HTTP 404 Not Found"),
        ("/cut/picture.jpg", "truncated: "),
        ("/stall/picture.jpg", "timeout: "),
    ],
)
def test_a_download_that_fails_leaves_nothing_but_one_line(
    server: Loopback, tmp_path: Path, path: str, reason: str
) -> None:
    with pytest.raises(BundleError) as caught:
        download(server.url(path), tmp_path / "bundle.txt", FetchSettings(attempts=1, deadline_s=0.2))
    message = str(caught.value)
    assert message.startswith(f"{server.url(path)}: cannot be downloaded ({reason}")
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_a_download_to_where_nothing_can_be_written_says_so(server: Loopback, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be written"):
        download(server.url("picture.jpg"), tmp_path / "missing" / "bundle.txt", FetchSettings())


def test_a_download_works_within_a_notebook(server: Loopback, tmp_path: Path) -> None:
    async def notebook_cell() -> None:
        download(server.url("picture.jpg"), tmp_path / "bundle.txt", FetchSettings())

    asyncio.run(notebook_cell())
    assert (tmp_path / "bundle.txt").read_bytes() == PICTURE


RENDITIONS = {"127.0.0.1": ".580x360"}


def test_a_smaller_copy_is_asked_for_where_the_settings_say_so(server: Loopback) -> None:
    found = fetch(server.url("picture.jpg"), renditions=RENDITIONS)
    assert (found.data, found.attempts) == (SMALLER, 1)
    assert (found.rendition, found.detail) == (server.url("picture.580x360.jpg"), None)
    assert fetch(server.url("picture.jpg"), renditions={"content.eol.org": ".580x360"}).data == PICTURE


def test_the_image_itself_makes_up_for_a_smaller_copy_that_is_missing(server: Loopback) -> None:
    found = fetch(server.url("other.png"), renditions=RENDITIONS)
    assert (found.data, found.detail, found.attempts) == (OTHER, None, 2)
    missing = fetch(server.url("nowhere.jpg"), renditions=RENDITIONS)
    assert (missing.outcome, missing.http_status, missing.attempts) == (Outcome.GONE, 404, 2)


@pytest.mark.parametrize(
    ("url", "smaller"),
    [
        (
            "https://content.eol.org/data/media/80/542.488.jpg",
            "https://content.eol.org/data/media/80/542.488.580x360.jpg",
        ),
        ("https://content.eol.org:8443/a.JPG?v=2", "https://content.eol.org:8443/a.580x360.JPG?v=2"),
        ("https://content.eol.org/data/542.488.98x68.jpg", None),
        ("https://content.eol.org/data/no_ending", None),
        ("https://content.eol.org/v1.2/no_ending", None),
        ("https://example.org/a.jpg", None),
    ],
)
def test_the_name_of_a_smaller_copy(url: str, smaller: str | None) -> None:
    assert rendition_of(url, {"content.eol.org": ".580x360"}) == smaller


# --- conditional requests ---------------------------------------------------------------------------------------------


def fetch_if_modified(request: FetchRequest, **chosen: Any) -> Fetched:
    async def story() -> Fetched:
        fetcher = Fetcher(make_settings(**chosen))
        try:
            return await fetcher.fetch(request)
        finally:
            await fetcher.close()

    return asyncio.run(story())


def test_an_answer_says_its_version_and_a_request_that_names_it_gets_no_bytes(server: Loopback) -> None:
    url = server.url("/versioned/abc/0/picture.jpg")
    first = fetch(url)
    assert (first.data, first.etag, first.is_not_modified) == (PICTURE, '"abc"', False)
    assert first.last_modified == "Thu, 01 Jan 1970 00:00:00 GMT"
    again = fetch_if_modified(FetchRequest(url, first.etag, first.last_modified))
    assert (again.data, again.outcome, again.http_status, again.is_not_modified) == (None, Outcome.OK, 304, True)
    assert (again.etag, again.last_modified) == (first.etag, first.last_modified)
    sent = server.headers[-1]
    assert (sent["If-None-Match"], sent["If-Modified-Since"]) == (first.etag, first.last_modified)
    newer = fetch_if_modified(FetchRequest(server.url("/versioned/abd/0/other.png"), first.etag, first.last_modified))
    assert (newer.data, newer.etag, newer.is_not_modified) == (OTHER, '"abd"', False)


def test_a_plain_request_has_no_conditions_and_a_304_to_it_is_a_failure(server: Loopback) -> None:
    found = fetch(server.url("/status/304/x.jpg"))
    assert (found.outcome, found.http_status, found.is_not_modified) == (Outcome.HTTP_OTHER, 304, False)
    assert not {"If-None-Match", "If-Modified-Since"} & set(server.headers[-1])


@pytest.mark.parametrize(("version", "etag", "is_same"), [("abc", '"abc"', True), ("-", None, False)])
def test_after_a_redirect_only_an_etag_tells_that_nothing_was_modified(
    server: Loopback, version: str, etag: str | None, is_same: bool
) -> None:
    target = server.url(f"/versioned/{version}/0/picture.jpg")
    request = FetchRequest(server.url(f"/redirect/302/x.jpg?to={target}"), etag, "Thu, 01 Jan 1970 00:00:00 GMT")
    found = fetch_if_modified(request)
    assert (found.data, found.is_not_modified) == (None if is_same else PICTURE, is_same)


def test_the_version_of_a_smaller_copy_is_not_taken_for_that_of_the_image(server: Loopback) -> None:
    url = server.url("/versioned/abc/0/other.png")
    found = fetch_if_modified(FetchRequest(url, '"abc"'), renditions=RENDITIONS)
    smaller, whole = server.headers[-2:]
    assert ("If-None-Match" in smaller, whole["If-None-Match"], found.is_not_modified) == (False, '"abc"', True)
    of_smaller = FetchRequest(url, '"abc"', rendition=server.url("/versioned/abc/0/other.580x360.png"))
    again = fetch_if_modified(of_smaller, renditions=RENDITIONS)
    assert (again.data, again.is_not_modified) == (OTHER, False)
    assert [("If-None-Match" in sent) for sent in server.headers[-2:]] == [True, False]


def test_an_image_that_opts_out_has_done_so_when_it_is_not_modified(server: Loopback) -> None:
    request = FetchRequest(server.url("/versioned/abc/0/picture.jpg?opt=out"), '"abc"')
    found = fetch_if_modified(request, opt_out_directives=["noai"])
    assert (found.outcome, found.http_status, found.is_not_modified) == (Outcome.OPTED_OUT, 304, False)
