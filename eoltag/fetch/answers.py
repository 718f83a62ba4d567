"""HTTP answers and failures as outcomes of an image."""

import re
import socket
import ssl
from collections.abc import Collection, Iterable
from typing import Final

import aiohttp

from eoltag.errors import (
    BadUrl,
    ConnectFailed,
    CutShort,
    DnsFailed,
    Forbidden,
    Gone,
    HttpOther,
    ImageError,
    ServerFailed,
    Throttled,
    TimedOut,
    TlsFailed,
)

OUR_NAME: Final = "eoltag"
"""How a server's X-Robots-Tag may address this program alone."""

_WITH_VALUE: Final = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
"""Robots directives that hold a colon themselves, which else would read as the name of a robot."""

_MEANING: Final = (
    (aiohttp.ClientConnectorDNSError, DnsFailed),
    (aiohttp.ClientSSLError, TlsFailed),
    (ssl.SSLError, TlsFailed),
    (TimeoutError, TimedOut),
    (aiohttp.ClientPayloadError, CutShort),
    (aiohttp.ClientResponseError, HttpOther),  # what came is not HTTP
    (aiohttp.InvalidURL, BadUrl),
    (aiohttp.ClientError, ConnectFailed),
    (OSError, ConnectFailed),
)
"""The HTTP client's exceptions, most specific first."""

_DNS_MAY_PASS: Final = frozenset({socket.EAI_AGAIN, socket.EAI_FAIL})
"""Failures of the lookup itself; others say that there is no such name."""


_NOT_ENCODED: Final = re.compile(r"Can not decode content-encoding: (\w+)")
"""How the HTTP client says so; it takes a plain body with such a header for one that was cut short."""


def explain_exception(problem: Exception) -> ImageError:
    """The image error that an exception of the HTTP client amounts to."""
    meaning = next(meaning for kind, meaning in _MEANING if isinstance(problem, kind))
    if isinstance(problem.__cause__, ssl.SSLError):  # an alert that comes after the handshake
        meaning = TlsFailed
    text = " ".join(str(problem).split())
    encoding = _NOT_ENCODED.search(text)
    if encoding is not None:
        return HttpOther(f"the body is not {encoding[1]}, as its Content-Encoding says, or this encoding is not read")
    return meaning(f"{type(problem).__name__}: {text}" if text else type(problem).__name__)


def may_pass(problem: Exception, error: ImageError) -> bool:
    """Whether a host that gives no answer may be there again in a while; a certificate or a name stays wrong.

    error: what explain_exception says of the problem.
    """
    if isinstance(problem, aiohttp.ClientConnectorDNSError):
        return problem.os_error.errno in _DNS_MAY_PASS
    return isinstance(error, (ConnectFailed, TimedOut))


def explain_status(status: int, reason: str | None, retry_after_s: float | None) -> ImageError:
    """The image error that a status without an image, other than a redirect, amounts to."""
    detail = f"HTTP {status} {reason or ''}".rstrip()
    kind: type[ImageError] = HttpOther
    if status in (420, 429) or (status == 202 and retry_after_s is not None):
        kind = Throttled
    elif status == 408:
        kind = TimedOut
    elif status >= 500:
        kind = ServerFailed
    elif status in (404, 410):
        kind = Gone
    elif status in (401, 403):
        kind = Forbidden
    return kind(detail, http_status=status, retry_after_s=retry_after_s)


def printable(text: str) -> str:
    """One line of a server's text that neither a terminal nor a table reads as anything but text."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))


def find_opt_out(x_robots_tags: Iterable[str], obeyed: Collection[str]) -> str | None:
    """The first obeyed directive that is meant for all robots or for this one; None where there is none.

    A tag is a comma list, `noindex, noai`; from `somebot: noai` on, the rest of its list is for that robot alone.
    """
    for tag in x_robots_tags:
        robot = OUR_NAME
        for part in tag.lower().split(","):
            name, colon, value = (text.strip() for text in part.partition(":"))
            if not colon:
                directive = name
            elif name in _WITH_VALUE:
                continue
            else:
                robot, directive = name, value
            if directive in obeyed and robot in (OUR_NAME, "*"):
                return directive
    return None
