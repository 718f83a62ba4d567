"""Typed settings of the training verbs. An unknown key or a value out of range is refused, naming file and key."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from eoltag.errors import SettingsError
from eoltag.records import Fit, InputSpec, Resample
from eoltag.settings import Strict, parse, read_toml

ArchitectureName = Literal["scratch"]


class FitSettings(Strict):
    """What `fit` makes. The defaults are those of EOL's from-scratch network where that is known."""

    name: str = Field("model", min_length=1, max_length=100)
    architecture: ArchitectureName = "scratch"
    image_size_px: int = Field(150, ge=8, le=2048)
    """Height and width of the picture that the model takes."""
    fit: Fit = "stretch"
    resample: Resample = "bilinear"
    epochs: int = Field(35, ge=1, le=10_000)
    """At most; see early_stopping_patience."""
    batch_size: int = Field(32, ge=1, le=4096)
    learning_rate: float = Field(1e-3, gt=0, le=10, strict=False)
    dropout: float = Field(0.2, ge=0, lt=1, strict=False)
    label_smoothing: float = Field(0.0, ge=0, lt=1, strict=False)
    validation_fraction: float = Field(0.2, gt=0, lt=1, strict=False)
    """Of every class; at least one image of it, and never all."""
    early_stopping_patience: int = Field(5, ge=1, le=10_000)
    """Epochs without a lower validation loss before training stops; the best weights are kept in any case."""
    first_filters: int = Field(64, ge=1, le=1024)
    """Of the first convolution; each later one has twice as many."""
    augmentation: Literal["off", "simple"] = "off"
    """simple: EOL's rotation up to 40 degrees, mirroring, and shift, shear and zoom up to 0.2. In training only."""

    @property
    def spec(self) -> InputSpec:
        """What eoltag.decode needs to know."""
        return InputSpec(self.image_size_px, self.image_size_px, self.fit, self.resample)


def read_fit_settings(path: Path, overrides: Sequence[str] = (), seed: int = 0) -> FitSettings:
    """Settings from a TOML file, then from KEY=VALUE texts. Raises SettingsError."""
    if not 0 <= seed < 2**32:
        raise SettingsError(f"--seed: wanted 0 to {2**32 - 1}. Received: {seed}")
    content = read_toml(path)
    for override in overrides:
        key, value = _override(override)
        content[key] = value
    source = f"{path} with --set {', '.join(overrides)}" if overrides else str(path)
    return parse(FitSettings, content, source)


def _override(text: str) -> tuple[str, Any]:
    """KEY=VALUE, the value as TOML would read it; what TOML cannot read is text, so that quotes may be left out."""
    key, sign, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not sign or not key:
        raise SettingsError(f"--set: wanted KEY=VALUE. Received: {text!r}")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value
