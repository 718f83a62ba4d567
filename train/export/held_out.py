"""Images for calibrating and for proving, each content once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eoltag.errors import ImageError
from eoltag.records import InputSpec, Pixels
from train.images.decoding import decode_ahead, decode_file, log_skipped
from train.images.files import content_sha256, visible_files


@dataclass(frozen=True, slots=True)
class Pictures:
    """Decoded images, each content once, in the order of their sha256: as good as shuffled, and the same every time."""

    sha256: tuple[str, ...]
    pixels: Pixels
    """(N, H, W, 3)."""


Contents = dict[str, Path]
"""sha256 -> one of the files that hold it."""


def find_contents(folders: Sequence[Path], wanted: Callable[[str], bool]) -> Contents:
    """The files at any depth of the folders whose sha256 is `wanted`, each content once, none decoded yet.

    Raises DataError where one is no folder.
    """
    contents: Contents = {}
    paths = [path for folder in folders for path in visible_files(folder)]
    for path, digest in decode_ahead(paths, content_sha256, len(paths), "reading"):
        if isinstance(digest, ImageError):
            log_skipped(path, digest.outcome, digest.detail)
        else:
            contents.setdefault(digest, path)
    return {digest: contents[digest] for digest in sorted(contents) if wanted(digest)}


def read_pictures(contents: Contents, spec: InputSpec, most: int) -> Pictures:
    """At most `most` of them, decoded; what is no image is passed over."""
    chosen = list(contents)
    found: dict[str, Pixels] = {}
    decoded = decode_ahead(
        chosen, lambda digest: decode_file(contents[digest], [spec]), min(most, len(chosen)), "decoding"
    )
    for digest, result in decoded:
        if isinstance(result, ImageError):
            log_skipped(contents[digest], result.outcome, result.detail)
        else:
            found[digest] = result.pixels[0]
        if len(found) == most:
            break
    empty: Pixels = np.empty((0, spec.height, spec.width, 3), np.uint8)
    return Pictures(tuple(found), np.stack(list(found.values())) if found else empty)
