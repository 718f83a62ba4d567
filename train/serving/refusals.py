"""Refusals of a request: an HTTP status, a word for programs, a line for people."""

from http import HTTPStatus
from typing import Any, Final

from eoltag.records import Outcome

IMAGE_STATUS: Final = {
    Outcome.NOT_IMAGE: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Outcome.TRUNCATED: HTTPStatus.UNPROCESSABLE_ENTITY,
    Outcome.UNDECODABLE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Outcome.TOO_MANY_PIXELS: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
"""HTTP status for each error of `eoltag.image.decode`."""


class Refused(Exception):
    """The request is answered with this, and the service goes on."""

    def __init__(self, status: int, reason: str, error: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = int(status)
        self.reason = reason
        self.error = error
        self.headers = headers or {}

    @property
    def document(self) -> dict[str, Any]:
        """The body of the answer."""
        return problem(self.reason, self.error)


def problem(reason: str, error: str) -> dict[str, Any]:
    """The document of an answer that is no success: three keys."""
    return {"success": False, "reason": reason, "error": error}


def bad_request(reason: str, error: str) -> Refused:
    """400: the request is not what /classify takes."""
    return Refused(HTTPStatus.BAD_REQUEST, reason, error)


def too_large(reason: str, error: str) -> Refused:
    """413: over a limit."""
    return Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason, error)


def unsupported(reason: str, error: str) -> Refused:
    """415: a body of another kind."""
    return Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, reason, error)


def busy(error: str, retry_after_s: int) -> Refused:
    """503: come again, at the earliest after so many seconds."""
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "busy", error, {"Retry-After": str(retry_after_s)})
