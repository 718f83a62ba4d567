"""Everything that eoltag raises on purpose.

EolTagError
|-- UsageError            the run cannot start or go on: one line on stderr, exit code 2
|   |-- SettingsError     a settings file or option
|   |-- BundleError       a list of image URLs
|   |   `-- NoListError   a text that is none
|   |-- TaskError         a task file or its rules
|   |-- PackageError      a model package
|   |-- OutputError       the output directory
|   `-- DataError         images or options given to `python -m train`
`-- ImageError            one image cannot be tagged: a row with an outcome, never the end of a run
    |-- BadUrl  BlockedHost  DnsFailed  ConnectFailed  TlsFailed  TimedOut
    |-- Gone  Forbidden  Throttled  ServerFailed  HttpOther  BadRedirect  OptedOut
    `-- TooLarge  NotImage  Truncated (CutShort)  Undecodable  TooManyPixels
"""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum
from typing import ClassVar

from eoltag.records import Outcome

__all__ = [
    "BundleError",
    "DataError",
    "EolTagError",
    "ExitCode",
    "ImageError",
    "NoListError",
    "OutputError",
    "PackageError",
    "SettingsError",
    "TaskError",
    "UsageError",
]


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The end of an error line that names the known word most like a mistyped one; empty where none is near."""
    near = get_close_matches(given, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


class ExitCode(IntEnum):
    """What a command tells the shell."""

    DONE = 0
    """Done."""
    BUG = 1
    """A bug, or a lost cluster; a stack trace says where."""
    UNUSABLE = 2
    """Arguments, settings, bundle, task, package, output or data cannot be used; nothing was written. A disk that fills
    up, or an output that is deleted, in the middle of a run ends it alike: the line says what stays."""
    TOO_MANY_FAILURES = 3
    """Done, but more rows failed than `--max-failure-rate` allows; `classify`: no image could be read."""
    REFUSED = 4
    """A guard refused to publish, and nothing was switched; a run's tags or confidences have drifted further than a
    task allows; `verify`: something is wrong."""


class EolTagError(Exception):
    """Root of the tree."""


class UsageError(EolTagError):
    """The user can mend this; the message says what was wanted, what came, and where."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNUSABLE


class SettingsError(UsageError):
    """A settings file or option has an unknown key or a value out of range."""


class BundleError(UsageError):
    """A bundle is missing, empty, unreadable or of no known format."""


class NoListError(BundleError):
    """A text is no list of images: no line holds a URL, or no column does."""


class TaskError(UsageError):
    """A task file is missing or wrong, or Spark refuses one of its expressions."""


class PackageError(UsageError):
    """A model package is missing, incomplete, changed, or of an unknown version."""


class OutputError(UsageError):
    """The output directory cannot be used."""


class DataError(UsageError):
    """Training or classification was given images or options that cannot be used."""


class ImageError(EolTagError):
    """One image cannot be tagged. Becomes a row, never stops a run."""

    outcome: ClassVar[Outcome]

    def __init__(self, detail: str, *, http_status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.http_status = http_status
        self.retry_after_s = retry_after_s

    @property
    def is_retryable(self) -> bool:
        """Asking again in this run may help."""
        return not self.outcome.is_final

    @property
    def is_refusal(self) -> bool:
        """The server answered that it is asked too much."""
        return self.http_status in (420, 429, 503)


class BadUrl(ImageError):
    """Not an http or https URL with a host."""

    outcome = Outcome.BAD_URL


class BlockedHost(ImageError):
    """The host is, or resolves to, a private, loopback, link-local or reserved address."""

    outcome = Outcome.BLOCKED_HOST


class DnsFailed(ImageError):
    """The host name did not resolve."""

    outcome = Outcome.DNS


class ConnectFailed(ImageError):
    """No connection, or it broke before the answer."""

    outcome = Outcome.CONNECT


class TlsFailed(ImageError):
    """The certificate or the handshake failed."""

    outcome = Outcome.TLS


class TimedOut(ImageError):
    """The whole image did not arrive before the deadline."""

    outcome = Outcome.TIMEOUT


class Gone(ImageError):
    """The server answered 404 or 410. Final: retrying cannot help."""

    outcome = Outcome.GONE


class Forbidden(ImageError):
    """The server answered 401 or 403."""

    outcome = Outcome.FORBIDDEN


class Throttled(ImageError):
    """The server answered 429 to the end."""

    outcome = Outcome.THROTTLED


class ServerFailed(ImageError):
    """The server answered 5xx to the end."""

    outcome = Outcome.SERVER_ERROR


class HttpOther(ImageError):
    """Any other status that is not 200."""

    outcome = Outcome.HTTP_OTHER


class BadRedirect(ImageError):
    """A redirect without Location, in a circle, or longer than allowed."""

    outcome = Outcome.REDIRECT


class OptedOut(ImageError):
    """The server sent X-Robots-Tag noai or noimageai."""

    outcome = Outcome.OPTED_OUT


class TooLarge(ImageError):
    """More bytes than the cap."""

    outcome = Outcome.TOO_LARGE


class NotImage(ImageError):
    """The bytes are no image format that eoltag reads."""

    outcome = Outcome.NOT_IMAGE


class Truncated(ImageError):
    """The image file ends before its picture does."""

    outcome = Outcome.TRUNCATED


class CutShort(Truncated):
    """The connection ended before the promised length. Worth asking again, unlike a file stored cut."""

    is_retryable = True


class Undecodable(ImageError):
    """An image by its first bytes, but its content is broken or unsupported."""

    outcome = Outcome.UNDECODABLE


class TooManyPixels(ImageError):
    """The header promises more pixels than the limit."""

    outcome = Outcome.TOO_MANY_PIXELS
