"""Heads of HTTP answers as browsers and curl read them, made such that the HTTP client, which is stricter, does too."""

import asyncio
import re
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

MOST_HEAD_BYTES: Final = 300_000
"""As curl: headers of an answer together."""

MOST_FIELD_BYTES: Final = 100_000
"""As curl: one header."""

MOST_FIELDS: Final = 5_000

_END: Final = re.compile(rb"\r?\n\r?\n")
_LINE_END: Final = re.compile(rb"\r?\n")
_INTERIM: Final = re.compile(rb"HTTP/[0-9.]+ +1[0-9][0-9]\b")
_ODD: Final = re.compile(
    rb"\n(?:[^\s:][^:\n]*[ \t]:|transfer-encoding|content-length[^\n]*,|content-encoding:[ \t]*x-gzip"
    rb"|content-length(?s:.)*\ncontent-length)",
    re.IGNORECASE,
)
"""What most heads do not have; the others stay as they are."""


class LenientConnector(aiohttp.TCPConnector):
    """Connections whose answers may have heads that `mend_head` mends."""

    def __init__(self, **chosen: Any) -> None:
        super().__init__(**chosen)
        # The one way in: aiohttp has no option for it.
        self._factory = partial(_LenientHandler, loop=self._loop)  # type: ignore[assignment]


class _LenientHandler(ResponseHandler):
    """Holds the head of an answer back until it is complete, and hands it on mended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._is_in_head = False
        self._head = bytearray()

    def set_response_params(self, **chosen: Any) -> None:
        """An answer is expected from now on."""
        self._is_in_head, self._head = True, bytearray()
        super().set_response_params(**chosen)

    def data_received(self, data: bytes) -> None:
        """Some bytes came from the server."""
        if not self._is_in_head or not data:
            super().data_received(data)
            return
        looked_at = max(0, len(self._head) - 3)  # the head may come byte by byte
        self._head += data
        while (end := _END.search(self._head, looked_at)) and _INTERIM.match(self._head):
            interim, self._head, looked_at = bytes(self._head[: end.end()]), self._head[end.end() :], 0
            super().data_received(mend_head(interim))
        if end:
            head, rest = bytes(self._head[: end.end()]), bytes(self._head[end.end() :])
            self._hand_on(mend_head(head) + rest)
        elif len(self._head) > MOST_HEAD_BYTES or not b"HTTP/".startswith(bytes(self._head[:5])):
            self._hand_on(bytes(self._head))

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection has ended, perhaps within a head."""
        if self._is_in_head and self._head:
            self._hand_on(bytes(self._head))
        super().connection_lost(exc)

    def _hand_on(self, data: bytes) -> None:
        self._is_in_head, self._head = False, bytearray()
        super().data_received(data)


def mend_head(head: bytes) -> bytes:
    """The head of an answer, without what the HTTP client refuses or misreads in it.

    A blank before a colon goes; the same Content-Length twice becomes one; Transfer-Encoding beside Content-Length wins
    (RFC 9112, 6.3), and the connection is then not used again; the old name x-gzip becomes gzip.
    """
    if not _ODD.search(head):
        return head
    first, *lines = _LINE_END.split(head.rstrip(b"\r\n"))
    fields = [_field(line) for line in lines]
    encodings = [value.lower() for value in _values(fields, b"transfer-encoding")]
    lengths = {length.strip() for value in _values(fields, b"content-length") for length in value.split(b",")}
    is_chunked = bool(encodings) and encodings[-1].endswith(b"chunked")
    if encodings and lengths:
        dropped = b"content-length" if is_chunked else b"transfer-encoding"
        fields = [*(field for field in fields if field[0].lower() != dropped), (b"Connection", b"close")]
    if len(lengths) == 1 and not is_chunked:
        fields = [field for field in fields if field[0].lower() != b"content-length"]
        fields.append((b"Content-Length", lengths.pop()))
    return b"\r\n".join([first, *(name + b": " + value if name else value for name, value in fields), b"", b""])


def _values(fields: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value for name, value in fields if name.lower() == wanted]


def _field(line: bytes) -> tuple[bytes, bytes]:
    """Name and value of a header; no name for what is none, such as the second line of a folded one."""
    name, colon, value = line.partition(b":")
    if not colon or line[:1] in b" \t":
        return b"", line
    name, value = name.rstrip(b" \t"), value.strip(b" \t")
    if name.lower() == b"content-encoding" and value.lower() == b"x-gzip":
        value = b"gzip"
    return name, value
