"""What a service must survive: a bad request is answered with 4xx and a JSON line, and the next good one is served."""

import gzip
import io
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
import pytest
from PIL import Image
from psutil import Process

from eoltag.image import careful
from tests.support import deadly
from tests.support.serving import BOUNDARY, Served, chunked, form, head, multipart, part, post, receive, served
from train.cli import cores

MAX_BYTES: Final = 100_000
MAX_REQUEST_BYTES: Final = 300_000
MAX_IMAGES: Final = 4

NOISE: Final = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


def encoded(kind: str) -> bytes:
    """A sound picture."""
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, kind)
    return buffer.getvalue()


JPEG: Final = encoded("JPEG")
PNG: Final = encoded("PNG")
GOOD: Final = form(("a.jpg", JPEG))


def png_of(width: int, height: int) -> bytes:
    """A few bytes that promise so many pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + PNG[33:]


def disguised(content: bytes) -> bytes:
    """Something else by the name of a picture."""
    return post(form(("photo.jpg", content)))


def request(method: str, path: str) -> bytes:
    """Without a body."""
    return head(method, path, {"Connection": "close", "Content-Length": "0"})


def with_head(lines: str, body: bytes = b"") -> bytes:
    """A POST with a head of one's own, written out."""
    kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    return f"POST /classify HTTP/1.1\r\n{kind}\r\n{lines}\r\n\r\n".encode("latin-1") + body


TOO_LONG: Final = chunked([GOOD[:-10], *[b"x" * 50_000] * 40])

BAD: Final[dict[str, tuple[bytes, int, str, str]]] = {
    # what is wrong: (bytes sent, status, reason, words of the error)
    "GET in place of POST": (request("GET", "/classify"), 405, "method", "/classify wants POST. Received: GET"),
    "PUT": (request("PUT", "/classify"), 405, "method", "Received: PUT"),
    "DELETE of the page": (request("DELETE", "/"), 405, "method", "/ wants GET. Received: DELETE"),
    "an unknown method": (request("BREW", "/classify"), 405, "method", "Received: BREW"),
    "an unknown path": (request("GET", "/predict"), 404, "not_found", "'/predict' is not here; there are /, /classify"),
    "a slash too many": (request("POST", "/classify/"), 404, "not_found", "'/classify/' is not here"),
    "a path out of the root": (request("GET", "/../../etc/passwd"), 404, "not_found", "is not here"),
    "the same, encoded": (request("GET", "/%2e%2e%2f%2e%2e%2fetc%2fpasswd"), 404, "not_found", "is not here"),
    "top is 0": (post(GOOD, query="?top=0"), 400, "parameter", "top: Input should be greater than or equal to 1"),
    "top is a word": (post(GOOD, query="?top=all"), 400, "parameter", "Received: 'all'"),
    "no Content-Type": (post(GOOD, Content_Type=""), 415, "not_multipart", "Received: 'no Content-Type'"),
    "JSON": (post(b'{"url": "x"}', Content_Type="application/json"), 415, "not_multipart", "'application/json'"),
    "a plain form": (post(b"img=a", Content_Type="application/x-www-form-urlencoded"), 415, "not_multipart", "wanted"),
    "a bare picture": (post(JPEG, Content_Type="image/jpeg"), 415, "not_multipart", "in the field 'img'"),
    "no boundary": (post(GOOD, boundary=None), 400, "broken_multipart", "Missing boundary"),
    "a boundary without end": (post(GOOD, boundary="b" * 5000), 400, "broken_multipart", "Boundary length 5000"),
    "another boundary than named": (post(GOOD, boundary="other"), 400, "broken_multipart", "is broken"),
    "no closing boundary": (post(GOOD[:-30]), 400, "broken_multipart", "ends before its closing boundary"),
    "an empty body": (post(b""), 400, "broken_multipart", "ends before its closing boundary"),
    "text in place of parts": (post(b"hello"), 400, "broken_multipart", "is broken"),
    "a part without a name": (post(multipart(part(b"", JPEG))), 400, "broken_multipart", '"name" must be'),
    "a part with a broken header": (post(multipart(b"no colon\r\n\r\nx")), 400, "broken_multipart", "is broken"),
    "a part with an endless header": (
        post(multipart(b"X: " + b"y" * 70_000 + b"\r\n\r\n")),
        400,
        "broken_multipart",
        "is broken",
    ),
    "another field": (post(form(("a.jpg", JPEG), field="file")), 400, "wrong_field", "Received: 'file'"),
    "text in the field": (post(multipart(part(b'name="img"', b"a.jpg"))), 400, "no_file", "-F img=@a.jpg"),
    "no file chosen": (post(multipart(part(b'name="img"; filename=""', b""))), 400, "no_file", "none was chosen"),
    "no image at all": (post(multipart(part(b'name="note"', b"x"))), 400, "no_file", "Received: 'note'"),
    "too many fields": (
        post(multipart(*[part(b'name="n"', b"x")] * 40)),
        413,
        "too_many_fields",
        "Maximum number of fields is 32",
    ),
    "too many images": (post(form(*[("a.jpg", JPEG)] * 5)), 413, "too_many_images", "Maximum number of files is 4"),
    "an empty file": (disguised(b""), 415, "not_image", "photo.jpg: the file is empty"),
    "text by the name of a picture": (disguised(b"roses are red"), 415, "not_image", "no image format"),
    "SVG": (disguised(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), 415, "not_image", "photo.jpg: no image format"),
    "HTML": (disguised(b"<!DOCTYPE html><title>404</title>"), 415, "not_image", "no image format"),
    "a zip": (disguised(b"PK\x03\x04" + bytes(40)), 415, "not_image", "no image format"),
    "a PDF": (disguised(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"), 415, "not_image", "no image format"),
    "a gzipped picture": (disguised(gzip.compress(JPEG)), 415, "not_image", "no image format"),
    "a gzipped body": (post(gzip.compress(GOOD), Content_Encoding="gzip"), 415, "content_encoding", "'gzip'"),
    "a JPEG cut short": (disguised(JPEG[: len(JPEG) // 2]), 422, "truncated", "photo.jpg: "),
    "a PNG cut short": (disguised(PNG[:40]), 422, "truncated", "photo.jpg: 40 bytes of 57 or more"),
    "a PNG of noise": (disguised(PNG[:20] + NOISE.tobytes()[:9000]), 422, "undecodable", "photo.jpg: "),
    "two files, none a picture": (
        post(form(("a.jpg", b"a"), ("b.jpg", b"b"))),
        422,
        "no_image",
        "none of the 2 images",
    ),
    "too many pixels": (disguised(png_of(40_000, 40_000)), 413, "too_many_pixels", "exceeds limit"),
    "a few pixels too many": (
        disguised(png_of(2_001, 2_000)),
        413,
        "too_many_pixels",
        "2001x2000 is more than 4000000",
    ),
    "a picture of too many bytes": (
        disguised(JPEG + bytes(MAX_BYTES)),
        413,
        "too_large",
        "photo.jpg: more than 100,000",
    ),
    "a body declared too long": (
        post(b"", Content_Length="300001", Connection=""),
        413,
        "too_large",
        "at most 300,000 bytes",
    ),
    "the same, asking first": (
        post(b"", Content_Length="9" * 12, Expect="100-continue"),
        413,
        "too_large",
        "at most 300,000 bytes",
    ),
    "a body that grows too long": (
        post(TOO_LONG, Content_Length="", Transfer_Encoding="chunked"),
        413,
        "too_large",
        "at most 300,000 bytes",
    ),
    "many fields that grow too long": (
        post(
            chunked([multipart(*[part(b'name="n"', b"x" * 50_000)] * 8)]),
            Content_Length="",
            Transfer_Encoding="chunked",
        ),
        413,
        "too_large",
        "at most 300,000 bytes",
    ),
    "a file name that is a path": (post(form(("../../etc/passwd", b"x"))), 415, "not_image", "passwd: no image format"),
    "a Windows path": (post(form(("C:\\scans\\a.jpg", b"x"))), 415, "not_image", "a.jpg: no image format"),
    "a file name that is no UTF-8": (
        post(multipart(part(b'name="img"; filename="\xff\xfe.jpg"', b"x"))),
        415,
        "not_image",
        "ÿþ.jpg: no image format",
    ),
    "a file name of control characters": (
        post(multipart(part(b'name="img"; filename="a\x1b[31m.jpg"', b"x"))),
        415,
        "not_image",
        "a?[31m.jpg: ",
    ),
}

NO_HTTP: Final[dict[str, bytes]] = {
    "a length that is no number": with_head("Host: x\r\nContent-Length: many"),
    "a negative length": with_head("Host: x\r\nContent-Length: -5"),
    "two lengths": with_head("Host: x\r\nContent-Length: 5\r\nContent-Length: 6"),
    "no Host": with_head("Content-Length: 0"),
    "a transfer encoding of one's own": with_head("Host: x\r\nTransfer-Encoding: zip"),
    "a broken chunk": with_head("Host: x\r\nTransfer-Encoding: chunked", b"zz\r\nabc\r\n"),
    "an endless header": with_head("Host: x\r\nX-Long: " + "y" * 50_000)[:-4],
    "a zero byte in a header": with_head("Host: x\r\nX-Zero: a\0b"),
    "no HTTP at all": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
}


@pytest.fixture(scope="module")
def service(small_package: Path) -> Iterator[Served]:
    """With narrow limits."""
    limits = {"max_bytes": MAX_BYTES, "max_request_bytes": MAX_REQUEST_BYTES, "max_images": MAX_IMAGES}
    with served(small_package, max_pixels=4_000_000, **limits) as running:
        yield running


@pytest.fixture(scope="module")
def good(service: Served) -> bytes:
    """What a good request is answered with."""
    answer = service.send(post(GOOD))
    assert answer.status == 200
    return answer.body


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_request_is_told_what_is_wrong_and_the_service_lives(kind: str, service: Served, good: bytes) -> None:
    raw, status, reason, words = BAD[kind]
    counter = f'eoltag_requests_total{{outcome="{reason}"}}'
    before = service.metric(counter)
    answer = service.send(raw)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert (answer.json["success"], answer.json["reason"]) == (False, reason)
    assert words in answer.json["error"]
    assert "\n" not in answer.json["error"]
    assert service.metric(counter) == before + 1
    assert service.send(post(GOOD)).body == good
    assert (service.service.admission.images, service.service.admission.bytes) == (0, 0)


def test_the_method_that_is_wanted_is_named(service: Served) -> None:
    assert service.send(request("GET", "/classify")).headers["allow"] == "POST"


def test_a_connection_serves_on_after_a_bad_request(service: Served, good: bytes) -> None:
    with service.connect() as connection:
        for raw, status in ((disguised(b"text"), 415), (post(GOOD), 200), (request("GET", "/no"), 404)):
            connection.sendall(raw.replace(b"Connection: close\r\n", b""))
            answer = receive(connection)
            assert answer.status == status
            assert status != 200 or answer.body == good


@pytest.mark.parametrize("kind", NO_HTTP)
def test_bytes_that_are_no_http_are_answered_with_400_and_the_service_lives(
    kind: str, service: Served, good: bytes
) -> None:
    answer = service.send(NO_HTTP[kind])
    assert (answer.status, answer.body) == (400, b"Invalid HTTP request received.")
    assert service.send(post(GOOD)).body == good
    assert (service.service.admission.images, service.service.admission.bytes) == (0, 0)


def test_who_is_still_sending_hears_why_it_is_refused(service: Served) -> None:
    raw, status, reason, _ = BAD["a body that grows too long"]
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # nothing leaves before the server reads
        connection.settimeout(60)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(raw)
        answer = receive(connection)
    assert (answer.status, answer.json["reason"]) == (status, reason)


def send_for_ever(connection: socket.socket, chunk: bytes) -> NoReturn:
    """Until the connection breaks."""
    while True:
        connection.sendall(chunk)


@pytest.mark.parametrize("closes", ["close", "keep-alive"])
def test_who_never_stops_sending_is_cut_off_and_costs_no_memory(closes: str, service: Served, good: bytes) -> None:
    head = post(b"", Content_Length="", Transfer_Encoding="chunked", Connection=closes)
    chunk = chunked([bytes(1_000_000)]).removesuffix(b"0\r\n\r\n")
    before = Process().memory_info().rss
    with service.connect() as connection:
        connection.sendall(head + chunked([GOOD[:-50]]).removesuffix(b"0\r\n\r\n"))
        with pytest.raises(ConnectionError):
            send_for_ever(connection, chunk)
    assert Process().memory_info().rss - before < 100_000_000
    assert service.send(post(GOOD)).body == good


def test_limits_let_pass_what_just_fits(service: Served, good: bytes) -> None:
    padded = JPEG + bytes(MAX_BYTES - len(JPEG))
    assert service.send(post(form(("a.jpg", padded)))).body == good
    assert service.send(post(form(*[("a.jpg", JPEG)] * MAX_IMAGES))).status == 200
    assert service.send(post(multipart(*[part(b'name="n"', b"x")] * 32, GOOD_PART))).body == good


GOOD_PART: Final = part(b'name="img"; filename="a.jpg"', JPEG)


def waits_for(is_so: Callable[[], bool]) -> None:
    """Until something has become visible from outside."""
    for _ in range(10_000):
        if is_so():
            return
    raise AssertionError("it never became so")


def test_a_client_that_goes_away_leaves_nothing_behind(service: Served, good: bytes) -> None:
    gone = 'eoltag_requests_total{outcome="disconnected"}'
    before = service.metric(gone)
    with service.connect() as connection:
        connection.sendall(post(GOOD)[:-400])
        waits_for(lambda: service.metric("eoltag_queue_bytes") > 0)
    waits_for(lambda: service.metric(gone) == before + 1)
    assert service.metric("eoltag_queue_bytes") == 0
    assert service.send(post(GOOD)).body == good


def test_when_the_queue_is_full_others_are_told_when_to_come_again(small_package: Path) -> None:
    size = len(GOOD) * 2 - 300
    with served(small_package, max_request_bytes=size, max_held_bytes=size) as narrow, narrow.connect() as first:
        raw = post(GOOD)
        first.sendall(raw[:-200])
        waits_for(lambda: narrow.metric("eoltag_queue_bytes") > len(GOOD) - 300)
        refused = narrow.send(raw)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert refused.json == {
            "success": False,
            "reason": "busy",
            "error": "busy: too much data is waiting; try again in 1 s",
        }
        first.sendall(raw[-200:])
        assert receive(first).status == 200
        assert narrow.send(raw).status == 200


def test_who_is_too_slow_with_a_body_is_not_waited_for(small_package: Path) -> None:
    with served(small_package, deadline_s=0.3) as hasty, hasty.connect() as connection:
        connection.sendall(post(GOOD)[:-9])
        answer = receive(connection)
    assert (answer.status, answer.json["reason"]) == (408, "timeout")
    assert answer.json["error"] == "the body did not arrive in 0.3 s"


def trickle_for_ever(connection: socket.socket) -> NoReturn:
    """A byte every tenth of a second, until the connection breaks."""
    connection.settimeout(0.1)
    while True:
        connection.sendall(b"x")
        with suppress(TimeoutError):
            assert connection.recv(1) == b"", "the end, and no answer"


@pytest.mark.parametrize("first", ["no head yet", "a refusal"])
def test_who_sends_on_slowly_is_cut_off(small_package: Path, first: str) -> None:
    with served(small_package, deadline_s=2.0) as hasty, hasty.connect() as connection:
        if first == "a refusal":
            connection.sendall(disguised(b"text").replace(b"Connection: close\r\n", b""))
            assert receive(connection).status == 415
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            trickle_for_ever(connection)
        assert time.monotonic() - began < 10


def test_who_is_slow_with_a_head_keeps_nobody_from_being_served(service: Served, good: bytes) -> None:
    with ExitStack() as slow:
        for _ in range(100):
            slow.enter_context(service.connect()).sendall(post(GOOD)[:40])
        assert service.send(post(GOOD)).body == good
        assert (service.service.admission.images, service.service.admission.bytes) == (0, 0)


def test_pictures_that_hold_or_end_their_decoder_cost_their_own_requests_alone(
    small_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(careful, "CHILD", "tests.support.deadly")
    with served(small_package, decode_s=1.0) as running, ExitStack() as open_requests:
        holders = [open_requests.enter_context(running.connect()) for _ in range(cores())]
        for connection in holders:
            connection.sendall(post(form(("a.jpg", deadly.picture(JPEG, "hang")))))
        assert running.send(post(GOOD)).status == 200
        for connection in holders:
            answer = receive(connection)
            assert (answer.status, answer.json["reason"]) == (422, "undecodable")
            assert answer.json["error"] == "a.jpg: reading it took more than 1 s"
        killed = running.post(deadly.picture(JPEG, "segfault"))
        assert killed.json["error"] == "0.jpg: the worker died while reading it (SIGSEGV)"
        assert running.send(post(GOOD)).status == 200


def test_the_deadline_covers_decoding(small_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(careful, "CHILD", "tests.support.deadly")
    with served(small_package, decode_s=3.0, deadline_s=0.5) as running:
        answer = running.post(deadly.picture(JPEG, "hang"))
        assert (answer.status, answer.json["reason"]) == (503, "busy")
        assert "not classified in 0.5 s" in answer.json["error"]
