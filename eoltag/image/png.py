"""PNG files without what Pillow gives a whole picture up for: metadata that is broken, or larger than it reads."""

import zlib
from collections.abc import Iterator
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PICTURE: Final = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT")
"""Chunks that pixels follow from."""
_KEPT_IF_WHOLE: Final = (b"eXIf",)
"""Says which way is up."""
_FRAME: Final = 12
"""Bytes of a chunk beside its data: length, type, checksum."""


def without_metadata(data: bytes) -> bytes | None:
    """The file with the chunks alone that the picture needs; None where it is no PNG, or holds no others."""
    if not data.startswith(SIGNATURE):
        return None
    kept = [chunk for chunk in _chunks(data) if _is_needed(chunk)]
    bare = SIGNATURE + b"".join(kept)
    return bare if len(bare) < len(data) else None


def _is_needed(chunk: bytes) -> bool:
    kind = chunk[4:8]
    return kind in _PICTURE or (kind in _KEPT_IF_WHOLE and zlib.crc32(chunk[4:-4]).to_bytes(4, "big") == chunk[-4:])


def _chunks(data: bytes) -> Iterator[bytes]:
    """Each chunk whole; the last one as far as the file goes."""
    place = len(SIGNATURE)
    while place < len(data):
        end = place + _FRAME + int.from_bytes(data[place : place + 4], "big")
        yield data[place:end]
        place = end
