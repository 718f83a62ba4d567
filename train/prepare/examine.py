"""One file looked at: can it be used, what is it, and the picture that training will see. In parallel over files.

Decoding and resizing are eoltag.image.decode's, the same that the Spark job uses.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Final, Literal, NamedTuple

from PIL import ExifTags, Image

from eoltag.errors import ImageError
from eoltag.image.decode import FORMATS
from eoltag.records import Decoded, InputSpec, Outcome, Pixels
from train.cli import progress
from train.images.decoding import decode_bytes
from train.images.files import SUFFIXES, read_image_file
from train.images.parallel import in_chunks
from train.prepare.sources.candidate import Rejection
from train.similar.fingerprints import SPEC, Fingerprint, fingerprint_of

Suffix = Literal["jpg", "png"]

JPEG_QUALITY: Final = 95
WORTH_A_PROCESS: Final = 200
"""Files: a further process takes about as long to start as this many small ones take."""
_CHUNK: Final = 250

_PLAIN: Final = ("JPEG", "PNG")
_MAY_MOVE: Final = ("GIF", "WEBP", "PNG")
"""A TIFF with pages and a JPEG with a preview hold several pictures too, and show one."""


@dataclass(frozen=True, slots=True)
class Finish:
    """What is asked of an image, and what is made of it."""

    size: tuple[int, int] | None = None
    """Width and height of the result; None keeps the size."""
    fit: Literal["crop", "stretch"] = "crop"
    """crop: shortest side to the size, then the middle; stretch: both sides to the size."""
    suffix: Suffix = "jpg"
    min_side_px: int = 32
    allow_animated: bool = False


class Finding(NamedTuple):
    """What a look at one file showed. A tuple, since many cross from process to process."""

    outcome: str
    detail: str | None = None
    sha256: str | None = None
    perceptual_hash: str | None = None
    width: int | None = None
    height: int | None = None
    color_mode: str | None = None
    size_bytes: int = 0
    suffix: str = ""
    """File name suffix of the result, without the dot."""
    made: Path | None = None
    """The result where it is not the file itself."""
    fingerprint: Fingerprint | None = None
    """The whole image as copies are found by; None where it cannot be decoded."""


Job = tuple[Path, Path, Finish]
"""File, where to write the result (without suffix), what is asked."""


def examine(file: Path, target: Path, finish: Finish) -> Finding:
    """Reads, checks, hashes and, where it must be changed, writes one image. Raises nothing for a bad one."""
    finding = Finding(Outcome.OK)
    try:
        data = read_image_file(file)
        finding = finding._replace(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
        decoded = decode_bytes(data, _specs(finish))
    except ImageError as problem:
        return finding._replace(outcome=problem.outcome, detail=problem.detail)
    finding = finding._replace(
        perceptual_hash=decoded.perceptual_hash,
        width=decoded.width,
        height=decoded.height,
        color_mode=decoded.color_mode,
        fingerprint=fingerprint_of(decoded.pixels[0]),
    )
    nature = _nature(data)
    rejection = _rejection(decoded, nature, finish)
    if rejection is not None:
        return finding._replace(outcome=rejection[0], detail=rejection[1])
    named = _misnamed(file, nature.form)
    if finish.size is None and nature.is_plain and decoded.color_mode == "RGB":
        return finding._replace(suffix=SUFFIXES[nature.form][0], detail=named)
    made = target.with_name(f"{target.name}.{finish.suffix}")
    write_picture(made, decoded.pixels[1] if finish.size else _unscaled(data, decoded))
    converted = None if decoded.color_mode == "RGB" else f"converted from {decoded.color_mode} to RGB"
    detail = "; ".join(note for note in (converted, named) if note)
    return finding._replace(suffix=finish.suffix, made=made, detail=detail or None)


def examine_all(jobs: Sequence[Job], processes: int | None = None) -> Iterator[Finding]:
    """A finding for each job, in order, over all cores or so many processes."""
    chunks = in_chunks(_examine_some, jobs, chunk=_CHUNK, worth=WORTH_A_PROCESS, processes=processes)
    yield from progress(chain.from_iterable(chunks), len(jobs), "image", "examining")


def write_picture(path: Path, pixels: Pixels) -> None:
    """JPEG without colour subsampling, or PNG, by the suffix; the same pixels give the same bytes."""
    image = Image.fromarray(pixels)
    if path.suffix == ".png":
        image.save(path, "PNG")
    else:
        image.save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def _examine_some(jobs: Sequence[Job]) -> list[Finding]:
    return [examine(*job) for job in jobs]


@dataclass(frozen=True, slots=True)
class _Nature:
    """What the decoder does not tell."""

    form: str
    """Pillow's name of the format."""
    is_animated: bool
    is_turned: bool

    @property
    def is_plain(self) -> bool:
        """The file can be used as it is, if it is RGB."""
        return self.form in _PLAIN and not self.is_turned and not self.is_animated


def _nature(data: bytes) -> _Nature:
    """Format, frames and orientation of a file that was decoded."""
    form, is_animated, is_turned = "", False, False
    with suppress(Exception), Image.open(BytesIO(data), formats=FORMATS) as image:  # frames and EXIF may be broken
        form = image.format or ""
        is_animated = form in _MAY_MOVE and bool(getattr(image, "is_animated", False))
        is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return _Nature(form, is_animated, is_turned)


def _specs(finish: Finish) -> list[InputSpec]:
    """What is compared, then the result where that has a size."""
    return [SPEC, *([InputSpec(finish.size[1], finish.size[0], finish.fit, "lanczos")] if finish.size else [])]


def _unscaled(data: bytes, decoded: Decoded) -> Pixels:
    whole = InputSpec(decoded.height, decoded.width, "stretch", "nearest")
    return decode_bytes(data, [whole]).pixels[0]


def _rejection(decoded: Decoded, nature: _Nature, finish: Finish) -> tuple[Rejection, str] | None:
    if min(decoded.width, decoded.height) < finish.min_side_px:
        wanted = f"wanted {finish.min_side_px} pixels or more on the shorter side"
        return Rejection.TOO_SMALL, f"{decoded.width}x{decoded.height}; {wanted}"
    if nature.is_animated and not finish.allow_animated:
        return Rejection.ANIMATED, "has several frames"
    return None


def _misnamed(file: Path, form: str) -> str | None:
    """A downloaded file has no suffix that could mislead."""
    suffix = file.suffix.lower().removeprefix(".")
    usual = SUFFIXES.get(form, ("",))
    return f"named .{suffix}, but is {form}" if suffix and suffix not in usual else None
