"""HTTP answers and failures as outcomes of an image."""

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


def explain_exception(problem: Exception) -> ImageError:
    """The image error that an exception of the HTTP client amounts to."""
    meaning = next(meaning for kind, meaning in _MEANING if isinstance(problem, kind))
    if isinstance(problem.__cause__, ssl.SSLError):  # an alert that comes after the handshake
        meaning = TlsFailed
    text = " ".join(str(problem).split())
    return meaning(f"{type(problem).__name__}: {text}" if text else type(problem).__name__)


def explain_status(status: int, reason: str | None, retry_after_s: float | None) -> ImageError:
    """The image error that a status other than 200 and other than a redirect amounts to."""
    detail = f"HTTP {status} {reason or ''}".rstrip()
    if status == 429 or status >= 500:
        kind = Throttled if status == 429 else ServerFailed
        return kind(detail, http_status=status, retry_after_s=retry_after_s)
    if status in (404, 410):
        return Gone(detail, http_status=status)
    if status in (401, 403):
        return Forbidden(detail, http_status=status)
    return HttpOther(detail, http_status=status)


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
