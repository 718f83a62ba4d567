"""Frozen values that travel between stages. No behaviour beyond naming what they hold."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["TRANSIENT", "Decoded", "Fetched", "ImageRef", "InputSpec", "Outcome"]

Pixels = NDArray[np.uint8]
"""RGB, shape (H, W, 3) for one image or (N, H, W, 3) for a batch, 0 to 255."""

Scores = NDArray[np.float32]
"""Shape (N, C): one row per image, one column per label."""

Vectors = NDArray[np.float32]
"""Feature vectors, shape (N, D): one row per image."""

Fit = Literal["stretch", "crop", "pad"]
Resample = Literal["nearest", "bilinear", "bicubic", "lanczos", "box"]
Measure = Literal["confidence", "logit"]
"""The two numbers that say how sure a model is; see model.outputs.Verdict."""

JOINER: Final = "|"
"""Between the tags of an image, and between the rules that gave them, where they stand as one text."""


def parted(text: str | None) -> tuple[str, ...]:
    """The tags or rules that one text joins by `|`, each once, in its order; none for None."""
    return tuple(dict.fromkeys(part for one in (text or "").split(JOINER) if (part := one.strip())))


def each_tag(text: str | None, *, has_several: bool) -> tuple[str, ...]:
    """The tags, or the rules, of an image: one, or several that one text joins; none for None."""
    return parted(text) if has_several else () if text is None else (text,)


class Outcome(StrEnum):
    """What became of one image. The values are what the tables hold."""

    OK = "ok"
    """The image was read and has a prediction."""
    BAD_URL = "bad_url"
    """Not an http or https URL with a host."""
    BLOCKED_HOST = "blocked_host"
    """The host is a private, loopback, link-local or reserved address, or resolves or redirects to one."""
    DNS = "dns"
    """The host name did not resolve."""
    CONNECT = "connect"
    """No connection, or it broke before the answer."""
    TLS = "tls"
    """The certificate or the handshake failed."""
    TIMEOUT = "timeout"
    """The whole image did not arrive within `deadline_s`; HTTP 408."""
    GONE = "gone"
    """HTTP 404 or 410."""
    FORBIDDEN = "forbidden"
    """HTTP 401 or 403."""
    THROTTLED = "throttled"
    """HTTP 429 or 420 (or 202 with `Retry-After`) to the last attempt, or the host asked for a longer pause than
    `wait_for_host_s`."""
    SERVER_ERROR = "server_error"
    """HTTP 5xx to the last attempt."""
    HTTP_OTHER = "http_other"
    """Any other status, or an answer that is not HTTP."""
    REDIRECT = "redirect"
    """A redirect without address, in a circle, or after `max_redirects` others."""
    TOO_LARGE = "too_large"
    """More than `max_bytes`."""
    NOT_IMAGE = "not_image"
    """No image format that is read here (JPEG, PNG, GIF, WEBP, TIFF and BMP are); often an error page."""
    TRUNCATED = "truncated"
    """The file ends before its picture does. A transfer that broke off is tried again within the run."""
    UNDECODABLE = "undecodable"
    """An image by its first bytes, but broken or unsupported inside."""
    TOO_MANY_PIXELS = "too_many_pixels"
    """More than `max_pixels`, or a shape that takes as much memory: 1 x 95,000,000 pixels."""
    OPTED_OUT = "opted_out"
    """The server asks, by `X-Robots-Tag`, to be left out."""

    @property
    def is_final(self) -> bool:
        """Asking again cannot help. The rest is asked again by the next run."""
        return self not in TRANSIENT


TRANSIENT = frozenset(
    {
        Outcome.DNS,
        Outcome.CONNECT,
        Outcome.TLS,
        Outcome.TIMEOUT,
        Outcome.THROTTLED,
        Outcome.SERVER_ERROR,
    }
)
"""The one place that says which failures may pass by themselves."""


class ImageRef(NamedTuple):
    """One row of a bundle. Millions are made of a bundle, each in a third of the time that a dataclass would take."""

    bundle_row: int
    """1 for the first row of data; comments and blank lines are not counted."""
    url: str | None
    """As written in the bundle, stripped; None where the row has none."""
    identifier: str | None = None
    data_object_version_id: str | None = None
    ancestry: str | None = None
    further: tuple[str | None, ...] = ()
    """Further columns of the bundle, in the order in which they were asked for."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What to ask a server for: a URL, and what the last answer said of its version, if that is known.

    A server that still has that version answers that it is not modified, and sends no bytes.
    """

    url: str | None
    etag: str | None = None
    """The header ETag of the last answer, with its quotes."""
    last_modified: str | None = None
    """The header Last-Modified of the last answer, as it was."""
    rendition: str | None = None
    """The smaller copy that gave the last answer; None: the image itself did. The two headers are of that file."""


@dataclass(frozen=True, slots=True)
class KnownContent:
    """What an earlier answer for an image said; it holds again where the server says that nothing was modified."""

    content_sha256: str
    bytes: int | None
    width: int | None
    height: int | None
    color_mode: str | None
    perceptual_hash: str | None


@dataclass(frozen=True, slots=True)
class WantedImage:
    """One image to ask a server for."""

    fetch: FetchRequest
    known: KnownContent | None = None
    """Its content as it was."""
    lacking: tuple[str, ...] = ()
    """Model versions that have not scored the known content, and measures that were not taken of it. Other content
    lacks everything."""
    carried: tuple[object, ...] = ()
    """Whatever the caller wants back with the answer."""

    @property
    def url(self) -> str | None:
        """Where the image lies."""
        return self.fetch.url


@dataclass(frozen=True, slots=True)
class ModelSlot:
    """A model in its place in a task. Tasks may share a package, which then runs once for all of them."""

    task: str
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bytes of one image, or why there are none."""

    data: bytes | None
    outcome: Outcome
    detail: str | None
    http_status: int | None
    attempts: int
    etag: str | None = None
    last_modified: str | None = None
    """What the answer said of its version, for the next FetchRequest."""
    is_not_modified: bool = False
    """The server still has the version that the request named. The outcome is ok, and there are no bytes."""
    rendition: str | None = None
    """The URL of the smaller copy that was read in place of the image."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The picture that a model takes."""

    height: int
    width: int
    fit: Fit
    resample: Resample


@dataclass(frozen=True, slots=True)
class Decoded:
    """One image as its models see it."""

    pixels: tuple[Pixels, ...]
    """One (H, W, 3) array per InputSpec asked for, in that order."""
    width: int
    """Of the file as it stands upright (EXIF applied), before any scaling."""
    height: int
    color_mode: str
    """Pillow's name of the file's own mode: RGB, L, CMYK, P, RGBA, ..."""
    perceptual_hash: str
    """64-bit difference hash, 16 hex digits; see decode.difference_hash."""
    pictures: tuple[Pixels, ...] = ()
    """One (H, W, 3) array in its own proportions per longest side asked for, in that order."""
    copy: Pixels | None = None
    """(H, W, 3) in its own proportions with the shorter side asked for, to be kept."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A number at which a rule changes its mind."""

    rule: str
    model: str
    measure: Measure
    value: float
    labels: tuple[str, ...] = ()
    """The labels that the rule speaks of; none: every label."""

    def concerns(self, label: str | None) -> bool:
        """Images of this label can lie on either side of it."""
        return not self.labels or label in self.labels
