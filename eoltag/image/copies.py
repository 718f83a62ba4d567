"""Small copies of pictures: how they are encoded when they are kept, and what a model needs of one."""

from io import BytesIO

from PIL import Image

from eoltag.records import InputSpec, Pixels
from eoltag.settings import CopyFormat


def encode_copy(pixels: Pixels, kind: CopyFormat, quality: int) -> bytes:
    """A picture (H, W, 3) as a file."""
    file = BytesIO()
    if kind == "webp":
        Image.fromarray(pixels).save(file, "WEBP", quality=quality, method=1)
    else:
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def least_side_px(spec: InputSpec) -> int:
    """The shorter side that a copy must have for a model of this input, unless the image itself is smaller."""
    return max(spec.width, spec.height)
