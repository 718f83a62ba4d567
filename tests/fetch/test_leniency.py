"""What real servers answer, byte by byte, and that it gives the picture as it does with curl."""

import asyncio
import gzip
import re
from collections.abc import Callable, Sequence
from time import process_time
from typing import Any

import pytest

from eoltag.fetch.client import Fetcher
from eoltag.fetch.leniency import mend_head
from eoltag.records import Fetched, FetchRequest, Outcome
from eoltag.settings import FetchSettings
from tests.support.fake_time import OwnTime

PICTURE = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
LENGTH = b"Content-Length: %d\r\n" % len(PICTURE)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PICTURE), PICTURE)
PACKED = gzip.compress(PICTURE)


def answer(*headers: bytes, status: bytes = b"200 OK", body: bytes = PICTURE) -> bytes:
    return b"HTTP/1.1 %s\r\n%s\r\n%s" % (status, b"".join(headers), body)


def fetch(answers: Sequence[bytes], *, piece: int = 1 << 20, urls: int = 1, **chosen: Any) -> list[Fetched]:
    """What becomes of images when a server gives these answers one after the other, over kept connections."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while left:
                await reader.readuntil(b"\r\n\r\n")
                said = left.pop(0)
                for at in range(0, len(said), piece):
                    writer.write(said[at : at + piece])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def story() -> list[Fetched]:
        time = OwnTime()
        settings = {"allow_private_hosts": True, "attempts": 2, "deadline_s": 5.0} | chosen
        fetcher = Fetcher(
            FetchSettings.model_validate(settings), clock=time.clock, wall_clock=lambda: 0.0, sleep=time.sleep
        )
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                return [await fetcher.fetch(FetchRequest(f"{base}/{number}.jpg")) for number in range(urls)]
            finally:
                await fetcher.close()

    return asyncio.run(story())


GOOD = {
    "a header of 60,000 bytes": answer(b"Set-Cookie: %s\r\n" % (b"x" * 60_000), LENGTH),
    "200 headers": answer(*(b"X-%d: %d\r\n" % (number, number) for number in range(200)), LENGTH),
    "Transfer-Encoding beside Content-Length": answer(b"Transfer-Encoding: chunked\r\n", LENGTH, body=CHUNKED),
    "Content-Length beside Transfer-Encoding": answer(LENGTH, b"transfer-encoding:chunked\r\n", body=CHUNKED),
    "a wrong Content-Length beside chunks": answer(
        b"Content-Length: 7\r\n", b"Transfer-Encoding: chunked\r\n", body=CHUNKED
    ),
    "Transfer-Encoding identity": answer(b"Transfer-Encoding: identity\r\n", LENGTH),
    "the same Content-Length twice": answer(LENGTH, b"Server: x\r\n", LENGTH),
    "the same Content-Length twice in one line": answer(b"Content-Length: %d, %d\r\n" % (len(PICTURE), len(PICTURE))),
    "a blank before a colon": answer(b"Server : x\r\n", b"Content-Length : %d\r\n" % len(PICTURE)),
    "line feeds alone": answer(LENGTH, body=b"").replace(b"\r\n", b"\n") + PICTURE,
    "status 203": answer(LENGTH, status=b"203 Non-Authoritative Information"),
    "status 206 with everything": answer(
        LENGTH, b"Content-Range: bytes 0-%d/%d\r\n" % (len(PICTURE) - 1, len(PICTURE)), status=b"206 Partial Content"
    ),
    "status 206 that names no part": answer(LENGTH, status=b"206 Partial Content"),
    "x-gzip": answer(b"Content-Encoding: X-GZip\r\n", b"Content-Length: %d\r\n" % len(PACKED), body=PACKED),
    "an early hint before": b"HTTP/1.1 103 Early Hints\r\nLink : </x>\r\n\r\n" + answer(b"Server : x\r\n", LENGTH),
}


@pytest.mark.parametrize("piece", [1 << 20, 37, 1])
@pytest.mark.parametrize("said", GOOD.values(), ids=GOOD.keys())
def test_what_curl_takes_gives_the_picture(said: bytes, piece: int) -> None:
    (fetched,) = fetch([said], attempts=1, piece=piece)
    assert (fetched.outcome, fetched.detail) == (Outcome.OK, None)
    assert fetched.data == PICTURE


def test_a_kept_connection_serves_mended_answers_one_after_the_other() -> None:
    said = [answer(b"Server : x\r\n", LENGTH), answer(LENGTH, LENGTH), answer(LENGTH)]
    assert [fetched.data for fetched in fetch(said, urls=3, attempts=1)] == [PICTURE] * 3


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (answer(b"Content-Length: 5\r\n", LENGTH), Outcome.HTTP_OTHER),
        (answer(LENGTH, b"Content-Range: bytes 0-99/20000\r\n", status=b"206 Partial Content"), Outcome.HTTP_OTHER),
        (answer(LENGTH, b"Content-Range: bytes 5-9/10\r\n", status=b"206 Partial Content"), Outcome.HTTP_OTHER),
        (answer(b"Set-Cookie: %s\r\n" % (b"x" * 400_000), LENGTH), Outcome.HTTP_OTHER),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Outcome.HTTP_OTHER),
    ],
)
def test_what_curl_refuses_or_is_a_part_is_no_picture(said: bytes, outcome: Outcome) -> None:
    (fetched,) = fetch([said], attempts=1)
    assert (fetched.outcome, fetched.data) == (outcome, None)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_a_body_that_is_not_encoded_as_its_header_says_is_not_called_cut_short(encoding: str) -> None:
    said = answer(b"Content-Encoding: %s\r\n" % encoding.encode(), LENGTH)
    (fetched,) = fetch([said, said], attempts=2)
    assert (fetched.outcome, fetched.attempts) == (Outcome.HTTP_OTHER, 1)
    assert re.match(rf"the body is not {encoding}\w*, as its Content-Encoding says", fetched.detail or "")


@pytest.mark.parametrize(
    "said",
    [
        answer(status=b"408 Request Timeout", body=b""),
        answer(b"Content-Length: 0\r\n", status=b"420 Enhance Your Calm", body=b""),
        answer(b"Retry-After: 3\r\n", b"Content-Length: 0\r\n", status=b"202 Accepted", body=b""),
    ],
)
def test_what_says_later_gives_the_picture_on_a_second_request(said: bytes) -> None:
    (fetched,) = fetch([said, answer(LENGTH)])
    assert (fetched.data, fetched.attempts) == (PICTURE, 2)


def test_a_202_that_names_no_time_is_no_promise() -> None:
    (fetched,) = fetch([answer(b"Content-Length: 0\r\n", status=b"202 Accepted", body=b"")])
    assert (fetched.outcome, fetched.attempts) == (Outcome.HTTP_OTHER, 1)


@pytest.mark.parametrize("location", [b"/caf\xe9.jpg", "/café.jpg".encode()])
def test_a_location_in_any_bytes_is_followed_as_it_is(location: bytes) -> None:
    moved = answer(b"Location: %s\r\n" % location, b"Content-Length: 0\r\n", status=b"302 Found", body=b"")
    (fetched,) = fetch([moved, answer(LENGTH)], attempts=1)
    assert fetched.data == PICTURE


@pytest.mark.parametrize(
    "make",
    [
        lambda code: answer(b"Content-Length: 0\r\n", status=b"418 tea" + code + b"[2J", body=b""),
        lambda code: answer(b"X-Robots-Tag: noai\r\nETag: " + code + b"x\r\n", LENGTH),
        lambda code: answer(b'ETag: "' + code + b'[2J"\r\n', LENGTH),
        lambda code: answer(b"Location: ftp://x/" + code + b"\r\nContent-Length: 0\r\n", status=b"302 F", body=b""),
        lambda code: b"HTTP/1.1 2\x00" + code + b" no\r\n\r\n",
        lambda code: answer(b"X-" + code + b": 1\r\n", LENGTH),
    ],
)
@pytest.mark.parametrize("code", [b"\x1b", b"\x9b", b"\xc2\x9b", b"\xe2\x80\xae", b"\x07", b"\x7f"])
def test_no_control_code_of_a_server_gets_anywhere(make: Callable[[bytes], bytes], code: bytes) -> None:
    (fetched,) = fetch([make(code)], attempts=1)
    for text in (fetched.detail, fetched.etag, fetched.last_modified):
        assert text is None or text.isprintable()
        assert text is None or text.encode("utf-8")


@pytest.mark.parametrize(
    "line", [b"x" + b" " * 90_000, b"Content-Length" * 6_000, b"Content-Length: 1," * 5_000, b"x:" + b" ," * 45_000]
)
def test_a_head_made_to_be_slow_is_read_in_no_time(line: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"\r\n".join([line] * 3) + b"\r\n\r\n"
    began = process_time()
    mend_head(head)
    assert process_time() - began < 1.0


def test_an_ordinary_head_stays_as_it_is() -> None:
    head = b"HTTP/1.1 200 OK\r\nDate: Sat, 01 Jan 12 : 30\r\nContent-Length: 3\r\nX: a : b\r\n\r\n"
    assert mend_head(head) == head
    folded = b"HTTP/1.1 200 OK\r\nX: a,\r\n  b : c\r\nY : 1\r\n\r\n"
    assert mend_head(folded) == folded.replace(b"Y :", b"Y:")
