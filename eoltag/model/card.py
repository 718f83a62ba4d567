"""The card of a model package: everything about a model but its weights, and which files hold those."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field, FiniteFloat, model_validator

from eoltag.model.outputs import OUTPUTS, Verdict
from eoltag.model.versions import is_base_name, version_of
from eoltag.records import Fit, InputSpec, Resample, Scores
from eoltag.settings import Strict

CARD_VERSION: Final = 1
KERAS_FILE: Final = "model.keras"
OPENVINO_FILES: Final = ("openvino/model.xml", "openvino/model.bin")
INT8_FILES: Final = ("openvino/int8/model.xml", "openvino/int8/model.bin")
BASE_KERAS_FILE: Final = "base.keras"
BASE_OPENVINO_FILES: Final = ("openvino/base.xml", "openvino/base.bin")
HEAD_KERAS_FILE: Final = "head.keras"
HEAD_OPENVINO_FILES: Final = ("openvino/head.xml", "openvino/head.bin")

EngineName = Literal["openvino", "keras"]
PrecisionName = Literal["f32", "bf16", "int8"]
PrecisionChoice = Literal["auto", "f32", "bf16", "int8"]
"""auto: the fastest that the card proves and the worker's processor has, else f32."""
Part = Literal["whole", "base", "head"]
"""whole: pictures to logits. base: pictures to features. head: features to logits."""

FILES_OF: Final[Mapping[Part, Mapping[EngineName, tuple[str, ...]]]] = {
    "whole": {"openvino": OPENVINO_FILES, "keras": (KERAS_FILE,)},
    "base": {"openvino": BASE_OPENVINO_FILES, "keras": (BASE_KERAS_FILE,)},
    "head": {"openvino": HEAD_OPENVINO_FILES, "keras": (HEAD_KERAS_FILE,)},
}
"""Part -> engine -> the files in f32, fastest engine first."""


class CardInput(Strict):
    """The picture that the model takes."""

    height: int = Field(ge=8, le=4096)
    """Height of the picture that the model takes, in pixels."""
    width: int = Field(ge=8, le=4096)
    """Its width, in pixels."""
    fit: Fit = "stretch"
    """How a picture of another shape gets there."""
    resample: Resample = "bilinear"
    """How it is scaled."""


class Precision(Strict):
    """Faster arithmetic that agreed with f32 on held-out images at export; see train.export.agreement for the gate."""

    bf16: bool = False
    """Proven: OpenVINO computing in bfloat16, from the f32 files."""
    int8: bool = False
    """Proven: OpenVINO with the int8 files."""
    keras_bf16: bool = False
    """Proven: Keras with bfloat16 layers over f32 weights."""

    def proven(self, engine: EngineName) -> tuple[PrecisionName, ...]:
        """The precisions that `engine` may use, fastest first; f32 always."""
        if engine == "keras":
            return ("bf16", "f32") if self.keras_bf16 else ("f32",)
        faster: tuple[tuple[PrecisionName, bool], ...] = (("int8", self.int8), ("bf16", self.bf16))
        return (*(name for name, is_proven in faster if is_proven), "f32")


class Card(Strict):
    """card.json: everything about a model but its weights."""

    card_version: int
    """Version of this file's form: 1; another one is refused."""
    name: str = Field(min_length=1)
    """For people."""
    task: str = ""
    """For people."""
    labels: tuple[str, ...] = Field(min_length=2, strict=False)
    """In the order of the scores."""
    input: CardInput
    output: Literal["logits"] = "logits"
    """What the network gives."""
    output_kind: str = "classes"
    """What these numbers mean: `classes`, one of many labels; `labels`, each of them yes or no by itself."""
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False, strict=False)
    """Probabilities are softmax(logits / temperature), or of `labels` sigmoid(logits / temperature)."""
    thresholds: dict[str, FiniteFloat] = {}
    """Label to value, for `${threshold.LABEL}` in task files."""
    threshold_record: dict[str, Any] = {}
    """How the thresholds were chosen: on which scale, for which error, on which images."""
    metrics: dict[str, Any] = {}
    """What was measured; `metrics.precision` holds the figures behind the proofs."""
    hyperparameters: dict[str, Any] = {}
    """Settings of the training, for people."""
    data_digest: str = ""
    """sha256 over the sha256 of the training images."""
    versions: dict[str, str] = {}
    """Packages that made it, for people."""
    created_at: str = ""
    """When it was made, for people."""
    base_version: str = ""
    """The base whose features the head takes: its version, or the name of an imported one; empty where base and head
    are not kept apart."""
    feature_length: int = Field(0, ge=0)
    """Numbers in a feature vector of that base; 0 without one."""
    precision: Precision = Precision()
    int8_margin: float = Field(0.0, ge=0, allow_inf_nan=False, strict=False)
    """In logits: an image that int8 leaves this close to a border is scored again in f32; 0 where int8 is off."""
    files: dict[str, str]
    """Path inside the package to the sha256 of its content."""

    @model_validator(mode="after")
    def _labels_differ(self) -> "Card":
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(f"labels must differ. Received: {list(self.labels)}")
        unknown = set(self.thresholds) - set(self.labels)
        if unknown:
            raise ValueError(f"thresholds for labels that are not there: {sorted(unknown)}")
        if self.output_kind not in OUTPUTS:
            known = ", ".join(OUTPUTS)
            raise ValueError(
                f"output_kind: wanted one that this eoltag knows ({known}). Received: {self.output_kind!r}"
            )
        return self

    @model_validator(mode="after")
    def _base_is_whole(self) -> "Card":
        if self.base_version and not is_base_name(self.base_version):
            raise ValueError(
                "base_version: wanted up to 64 letters, digits and _ . -, neither a number nor a date. "
                f"Received: {self.base_version!r}"
            )
        if bool(self.base_version) != bool(self.feature_length):
            raise ValueError(
                "base_version and feature_length: wanted both or neither. "
                f"Received: {self.base_version!r} and {self.feature_length}"
            )
        return self

    def verdicts(self, logits: Scores) -> list[Verdict]:
        """What the model says of each image. logits: (N, C). Raises ValueError where C is not the number of labels."""
        return OUTPUTS[self.output_kind].verdicts(logits, self.labels, self.temperature)

    def probabilities(self, logits: Scores) -> Scores:
        """The probability of each label, (N, C) float32. logits: (N, C)."""
        return OUTPUTS[self.output_kind].probabilities(logits, self.temperature)

    def engines_for(self, part: Part) -> tuple[EngineName, ...]:
        """The engines whose files for that part are there, fastest first."""
        return tuple(engine for engine, names in FILES_OF[part].items() if all(name in self.files for name in names))

    @property
    def spec(self) -> InputSpec:
        """The picture that the model takes, as eoltag.image.decode wants it described."""
        return InputSpec(self.input.height, self.input.width, self.input.fit, self.input.resample)


def model_version(card: Card) -> str:
    """First 12 hex digits of the sha256 over what decides a score: labels, input, temperature, and the model files.

    Thresholds, their record, metrics and the README are left out on purpose: a new threshold must re-tag without
    touching an image.
    So are the int8 files and the precision flags, and base and head beside a whole model: they come later, score alike
    within the gate that they passed, and must not have millions of images predicted anew. The columns `precision` and
    `source` of the scores tell such rows apart. Where there is a head alone, it and the name of its base decide.
    """
    scored_by = card.model_dump(mode="json", include={"card_version", "labels", "input", "output", "temperature"})
    if card.output_kind != "classes":  # packages from before there were others keep their version
        scored_by["output_kind"] = card.output_kind
    part: Part = "whole"
    if not card.engines_for("whole"):
        part, scored_by["base_version"] = "head", card.base_version
    decisive = {name for names in FILES_OF[part].values() for name in names}
    model_files = {name: digest for name, digest in card.files.items() if name in decisive}
    return version_of(json.dumps({**scored_by, "files": model_files}, sort_keys=True))
