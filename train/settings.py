"""Typed settings of the training verbs. An unknown key or a value out of range is refused, naming file and key."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from eoltag.errors import SettingsError
from eoltag.model.versions import is_base_name
from eoltag.records import Fit, InputSpec, Resample
from eoltag.settings import Strict, parse, read_toml

__all__ = ["FitSettings", "read_fit_settings"]

ArchitectureName = Literal[
    "scratch",
    "vgg",
    "peetz_net",
    "mobilenet",
    "mobilenet_v2",
    "inception_v3",
    "xception",
    "resnet50",
    "inception_resnet_v2",
    "efficientnet_b0",
    "efficientnet_b3",
    "efficientnet_b5",
    "efficientnetv2_b0",
    "efficientnet_lite0",
    "efficientnet_lite2",
]
AugmentationName = Literal["off", "simple", "decathlon", "peetz", "photo"]

OWN_SIDE_PX: Final[Mapping[str, int]] = {
    "scratch": 150,
    "inception_v3": 299,
    "xception": 299,
    "inception_resnet_v2": 299,
    "efficientnet_b3": 300,
    "efficientnet_b5": 456,
    "efficientnet_lite2": 260,
}
"""Height and width that a network was published for, where that is not 224."""

LEAST_SIDE_PX: Final = 8
LARGEST_SEED: Final = 2**32 - 1

WHOLE: Final = frozenset({"scratch", "vgg", "peetz_net"})
"""Networks that are trained from nothing, with a head of their own."""
_SCALED: Final = frozenset({"mobilenet", "mobilenet_v2"})
_OF_TRANSFER: Final = ("alpha", "pooling", "head_units", "head_activation", "head_batch_norm", "l2", "fine_tune_from")
_OF_PICTURES: Final = (
    "architecture", "weights", "alpha", "image_size_px", "first_filters", "pooling", "fine_tune_from",
    "fine_tune_epochs", "augmentation", "cached_views",
)  # fmt: skip
"""What says nothing to a head that is trained on features of an imported base."""

Units = Annotated[int, Field(ge=1, le=8192)]


class FitSettings(Strict):
    """What `fit` makes. The defaults are those of EOL's from-scratch network where that is known."""

    name: str = Field("model", min_length=1, max_length=100)
    """Name of the model on its card."""
    output: Literal["classes", "labels"] = "classes"
    """What an image may show: `"classes"`, one of many; `"labels"`, each label yes or no by itself, so that it may show
    several, or none."""
    architecture: ArchitectureName = "scratch"
    """The network; `scratch`, `vgg` and `peetz_net` are trained from nothing."""
    weights: str = Field("imagenet", min_length=1)
    """Of the base: `"imagenet"` (Keras downloads it), `"none"`, or a file; networks without a base start from nothing;
    also `--weights`."""
    features_of: str = ""
    """With `fit --features`: name of an imported base whose features are trained on, in place of `architecture`; the
    package is then a head alone."""
    alpha: float = Field(1.0, gt=0, le=4, strict=False)
    """Width of a MobileNet."""
    image_size_px: int = Field(0, ge=0, le=2048)
    """Height and width of the picture that the model takes, 8 or more; 0 takes what the network was published for."""
    fit: Fit = "stretch"
    """How a picture of another shape becomes square: distorted, cut, or on a white sheet."""
    resample: Resample = "bilinear"
    """How pictures are made smaller."""
    first_filters: int = Field(64, ge=1, le=1024)
    """`scratch`: filters of the first convolution."""
    first_kernel_px: int = Field(5, ge=1, le=15)
    """`scratch`: height and width of that convolution's kernel; EOL tried 3, 5 and 7."""
    second_filters: int = Field(0, ge=0, le=1024)
    """`scratch`: filters of the second convolution, 0 for as many as the first; the third has twice as many."""
    pooling: Literal["average", "max", "flatten"] = "average"
    """How the feature maps of the base become one row of features."""
    head_units: tuple[Units, ...] = Field((), strict=False)
    """Widths of the dense layers between the features and the scores."""
    head_activation: Literal["relu", "tanh", "swish"] = "relu"
    """Activation of those layers."""
    head_batch_norm: Literal["off", "input", "before_activation", "after_activation"] = "off"
    """Batch normalisation: none, once on the features (`input`), or in each of those layers, which then have no
    bias."""
    dropout: float = Field(0.2, ge=0, lt=1, strict=False)
    """Share left out in training, after each dense layer; without dense layers, of the features."""
    l2: float = Field(0.0, ge=0, le=1, strict=False)
    """Penalty on the squared weights of the head."""
    head_solver: Literal["auto", "epochs"] = "auto"
    """`auto`: a head without `head_units` on a frozen base whose features are all known beforehand (no augmentation, or
    `cached_views`) is solved to its optimum at once; `dropout`, `l2`, `epochs`, the optimizer and its learning rate are
    then those of no phase but the second. `"epochs"`: it learns step by step like every other."""
    epochs: int = Field(35, ge=1, le=10_000)
    """Of the first phase, at most; see `early_stopping_patience`."""
    batch_size: int = Field(32, ge=1, le=4096)
    """Images in one step."""
    learning_rate: float = Field(1e-3, gt=0, le=10, strict=False)
    """Of the first phase."""
    fine_tune_from: str = ""
    """The first block or layer of the base that the second phase trains; `"all"` for the whole base."""
    fine_tune_epochs: int = Field(0, ge=0, le=10_000)
    """Of the second phase, at most."""
    fine_tune_learning_rate: float = Field(1e-4, gt=0, le=10, strict=False)
    """Of the second phase."""
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    """The optimizer."""
    optimizer_epsilon: float = Field(1e-7, gt=0, le=10, strict=False)
    """`adam`, `adamw` and `rmsprop`: added to the divisor of every step; large ones such as 1 make steps even."""
    loss: Literal["categorical_crossentropy", "binary_crossentropy"] = "categorical_crossentropy"
    """What training makes small: `"binary_crossentropy"` counts every class by itself, on the softmax's
    probabilities."""
    weight_decay: float = Field(0.0, ge=0, le=1, strict=False)
    """`adamw` and `sgd`: for each step and unit of learning rate."""
    momentum: float = Field(0.9, ge=0, lt=1, strict=False)
    """`sgd` and `rmsprop`."""
    ema_momentum: float = Field(0.0, ge=0, lt=1, strict=False)
    """Validates and keeps a moving average of the weights in place of those of the last step; this much of it stays in
    each step (Keras' `use_ema`). 0.99 averages over the last hundred steps; 0 takes no average."""
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    """How the learning rate falls within a phase."""
    warmup_epochs: int = Field(0, ge=0, le=1000)
    """Epochs over which the learning rate first rises, in each phase."""
    plateau_patience: int = Field(2, ge=1, le=1000)
    """`plateau`: epochs without a better one before the learning rate is lowered."""
    plateau_factor: float = Field(0.3, gt=0, lt=1, strict=False)
    """`plateau`: what the learning rate is then multiplied by."""
    label_smoothing: float = Field(0.0, ge=0, lt=1, strict=False)
    """Takes this much certainty from the targets; 0.1 gives probabilities that say more about doubt."""
    class_weights: str = Field("off", min_length=1)
    """`"balanced"` lets rare classes count more, and of `labels` yes and no of each label alike; a file is
    `class_weights.json` of `prepare`: label to weight."""
    judged_weight: float = Field(1.0, gt=0, le=1000, strict=False)
    """How often an image that a person has judged counts in the loss; every other one counts once. `prepare judgements`
    marks them."""
    norm_images: int = Field(512, ge=0, le=1_000_000)
    """Training from nothing: images from which batch normalisation measures its averages after each epoch; 0 leaves it
    the moving averages. A pretrained base keeps those of its pretraining."""
    augmentation: AugmentationName = "off"
    """Changed copies, in training only."""
    cached_views: int = Field(0, ge=0, le=1000)
    """With augmentation: copies of each image that are kept as features of the frozen part, the first unchanged; 0
    makes them again in every epoch."""
    validation_fraction: float = Field(0.2, gt=0, lt=1, strict=False)
    """Share of every class that is held back where the data is not split already; images that look alike stay on one
    side."""
    early_stopping_patience: int = Field(5, ge=1, le=10_000)
    """Epochs without a better one before a phase stops; the best weights are kept in any case."""
    best_by: Literal["val_loss", "val_accuracy"] = "val_loss"
    """What makes an epoch better."""
    refit: bool = False
    """Trains once more when the best epoch is known, for as many epochs and on the validation images as well. Figures,
    temperature and calibration on the card stay those of the training before it, which had not seen these images."""
    min_accuracy: float = Field(0.0, ge=0, lt=1, strict=False)
    """A training that is below this validation accuracy at the end of a phase stops without a package."""
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    """Of everything left to chance; also `--seed`."""

    @property
    def side_px(self) -> int:
        """Height and width of the picture."""
        return self.image_size_px or OWN_SIDE_PX.get(self.architecture, 224)

    @property
    def spec(self) -> InputSpec:
        """What eoltag.image.decode needs to know."""
        return InputSpec(self.side_px, self.side_px, self.fit, self.resample)

    @property
    def has_several(self) -> bool:
        """Whether an image may show several labels."""
        return self.output == "labels"

    @property
    def has_base(self) -> bool:
        """Whether there is a pretrained part below the head."""
        return bool(self.features_of) or self.architecture not in WHOLE

    @property
    def is_frozen_first(self) -> bool:
        """Whether the base has learned something that the first phase must not spoil."""
        return self.has_base and self.weights != "none"

    @property
    def has_solvable_head(self) -> bool:
        """Whether the head is one layer, whose best weights may be computed where its features are known."""
        is_one_layer = not self.head_units and self.head_batch_norm == "off"
        is_open = self.head_solver == "auto" and self.loss == "categorical_crossentropy"
        return is_open and self.is_frozen_first and is_one_layer

    @model_validator(mode="after")
    def _fits_together(self) -> "FitSettings":
        if 0 < self.image_size_px < LEAST_SIDE_PX:
            raise ValueError(f"image_size_px: wanted 0 or {LEAST_SIDE_PX} and more. Received: {self.image_size_px}")
        if self.features_of:
            self._check_features_of()
        if self.has_several:
            self._refuse(("loss",), "output 'labels' has a loss of its own")
        if not self.has_base:
            self._refuse(_OF_TRANSFER, f"architecture '{self.architecture}' has no base and a head of its own")
            if self.weights not in ("imagenet", "none"):
                raise ValueError(f"weights: '{self.architecture}' has no base that could take {self.weights}")
        elif self.architecture not in _SCALED:
            self._refuse(("alpha",), f"architecture '{self.architecture}' has one width")
        if self.architecture != "scratch":
            names = ("first_filters", "first_kernel_px", "second_filters")
            self._refuse(names, f"architecture '{self.architecture}' has its published filters")
        if bool(self.fine_tune_epochs) != bool(self.fine_tune_from):
            raise ValueError("fine_tune_from and fine_tune_epochs: wanted both or neither")
        if self.fine_tune_epochs and not self.is_frozen_first:
            raise ValueError("fine_tune_epochs: without pretrained weights everything is trained from the start")
        if self.refit and self.schedule == "plateau":
            raise ValueError("refit: nothing is validated in it, which the schedule 'plateau' needs")
        return self

    def _check_features_of(self) -> None:
        if not is_base_name(self.features_of):
            raise ValueError(
                "features_of: wanted up to 64 letters, digits and _ . -, neither a number nor a date. "
                f"Received: {self.features_of!r}"
            )
        self._refuse(_OF_PICTURES, f"features of '{self.features_of}' are trained on, no pictures")

    def _refuse(self, keys: Sequence[str], reason: str) -> None:
        for key in keys:
            if getattr(self, key) != type(self).model_fields[key].default:
                raise ValueError(f"{key}: {reason}")


def read_fit_settings(path: Path, overrides: Sequence[str] = (), **given: Any) -> FitSettings:
    """Settings from a TOML file, then KEY=VALUE texts, then values that are not None. Raises SettingsError."""
    content = read_toml(path)
    for override in overrides:
        key, value = read_override(override)
        content[key] = value
    content.update({key: value for key, value in given.items() if value is not None})
    source = f"{path} with --set {', '.join(overrides)}" if overrides else str(path)
    return parse(FitSettings, content, source)


def write_settings(settings: Strict, path: Path, header: str = "") -> None:
    """All settings as a TOML file that `read_fit_settings` takes. header: its first lines, as comments."""
    lines = [f"# {line}".rstrip() for line in header.splitlines()]
    values = settings.model_dump(mode="json").items()
    # JSON's texts, numbers, truth values and lists are TOML's as well.
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_override(text: str) -> tuple[str, Any]:
    """KEY=VALUE, the value as TOML would read it; what TOML cannot read is text, so that quotes may be left out."""
    key, sign, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not sign or not key:
        raise SettingsError(f"--set: wanted KEY=VALUE. Received: {text!r}")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key, value
