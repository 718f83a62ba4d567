"""A foreign model, what is asked of it, and what its input and output must look like."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eoltag.errors import DataError
from eoltag.records import Fit, Pixels, Resample, Scores
from train.import_.scaling import Scaling
from train.settings import FitSettings

OutputKind = Literal["logits", "softmax", "sigmoid", "labels", "label_logits"]
"""What a model gives; of the last two each output is a label by itself, as a probability or before the sigmoid."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What the command line of `import` asks for."""

    source: Path
    labels: tuple[str, ...]
    scaling: Scaling
    output: OutputKind
    size: tuple[int, int] | None
    """Height and width; None where the model itself says."""
    fit: Fit
    resample: Resample
    name: str
    out: Path
    overwrite: bool
    network: FitSettings | None = None
    """The network of a file that holds weights alone; it scales pixels by itself."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A model as it came."""

    kind: str
    height: int
    width: int
    scores: Callable[[Pixels], Scores]
    """Its own output for raw RGB images (N, H, W, 3), scaled outside its graph, from the runtime it was made for."""
    write: Callable[[Path], None]
    """Fill a package folder with model files that take uint8 and give logits."""
    half_precision: str | None = None
    """`float16` or `bfloat16` where it computes in that; the package computes in float32."""


def input_size(shape: tuple[int | None, ...], request: ImportRequest) -> tuple[int, int]:
    """(height, width) of a model that takes `shape` (None: any). Raises DataError where it takes no RGB images."""
    if len(shape) != 4 or shape[3] not in (3, None):
        hint = " (channels first)" if len(shape) == 4 and shape[1] == 3 else ""
        raise DataError(f"{request.source}: wanted a model of RGB images (N, H, W, 3). Received: {shape}{hint}")
    wanted = request.size or (None, None)
    for mine, yours in zip(shape[1:3], wanted, strict=True):
        if mine is None and yours is None:
            raise DataError(f"{request.source}: takes images of any size; say with --size which one it was trained on")
        if mine is not None and yours is not None and mine != yours:
            raise DataError(f"{request.source}: takes {shape[1]} x {shape[2]} pixels. Received: --size {yours}")
    height, width = (mine or yours or 0 for mine, yours in zip(shape[1:3], wanted, strict=True))
    return height, width
