"""A model package: a directory with a card, the Keras model and its OpenVINO export. Read, verify, pack."""

import hashlib
import json
import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, FiniteFloat, model_validator

from eoltag.errors import PackageError
from eoltag.model.attempts import CARD_FILE, find_package
from eoltag.model.outputs import OUTPUTS, Verdict
from eoltag.records import Fit, InputSpec, Resample, Scores
from eoltag.settings import Strict, parse

__all__ = ["Card", "Package", "read_package"]

CARD_VERSION: Final = 1
KERAS_FILE: Final = "model.keras"
OPENVINO_FILES: Final = ("openvino/model.xml", "openvino/model.bin")
INT8_FILES: Final = ("openvino/int8/model.xml", "openvino/int8/model.bin")
_PICKLES: Final = (".pkl", ".pickle", ".dill", ".joblib", ".pt", ".pth", ".npy")

EngineName = Literal["openvino", "keras"]
PrecisionName = Literal["f32", "bf16", "int8"]
PrecisionChoice = Literal["auto", "f32", "bf16", "int8"]
"""auto: the fastest that the card proves and the worker's processor has, else f32."""


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
    """What these numbers mean: `classes`, one of many labels."""
    temperature: float = Field(1.0, gt=0, allow_inf_nan=False, strict=False)
    """Probabilities are softmax(logits / temperature)."""
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

    def verdicts(self, logits: Scores) -> list[Verdict]:
        """What the model says of each image. logits: (N, C). Raises ValueError where C is not the number of labels."""
        return OUTPUTS[self.output_kind].verdicts(logits, self.labels, self.temperature)

    def probabilities(self, logits: Scores) -> Scores:
        """The probability of each label, (N, C) float32. logits: (N, C)."""
        return OUTPUTS[self.output_kind].probabilities(logits, self.temperature)

    @property
    def spec(self) -> InputSpec:
        """The picture that the model takes, as eoltag.image.decode wants it described."""
        return InputSpec(self.input.height, self.input.width, self.input.fit, self.input.resample)


@dataclass(frozen=True, slots=True)
class Package:
    """A verified package on disk."""

    path: Path
    card: Card
    version: str
    """12 hex digits; see model_version."""

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """Engines that can run it, fastest first."""
        found: list[EngineName] = []
        if all(name in self.card.files for name in OPENVINO_FILES):
            found.append("openvino")
        if KERAS_FILE in self.card.files:
            found.append("keras")
        return tuple(found)

    def files_for(self, engine: EngineName, precision: PrecisionChoice = "f32") -> tuple[str, ...]:
        """The names of the files that `engine` may need to run at `precision`, the fall-back to f32 included.

        Raises PackageError where the package lacks one, or its card does not prove that precision.
        """
        names = OPENVINO_FILES if engine == "openvino" else (KERAS_FILE,)
        missing = [name for name in names if name not in self.card.files]
        if missing:
            raise PackageError(f"{self.path}: engine '{engine}' needs {', '.join(missing)}, which this package lacks")
        proven = self.card.precision.proven(engine)
        if precision not in ("auto", *proven):
            raise PackageError(
                f"{self.path}: the card does not prove engine '{engine}' at {precision} (proven: {', '.join(proven)}); "
                "`python -m train export` measures it, precision 'auto' takes what is proven"
            )
        return (*names, *INT8_FILES) if precision in ("auto", "int8") and "int8" in proven else names

    def pack(self, engine: EngineName, precision: PrecisionChoice = "f32") -> bytes:
        """The card and what `engine` may need at `precision`, as one zip for the broadcast. Raises PackageError."""
        names = self.files_for(engine, precision)
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(CARD_FILE), self.card.model_dump_json())
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), self._read(name))
        return buffer.getvalue()

    def _read(self, name: str) -> bytes:
        """A file's content, checked once more: it may have been replaced since the package was read."""
        try:
            content = (self.path / name).read_bytes()
        except OSError as problem:
            raise PackageError(f"{self.path / name}: cannot be read ({problem.strerror})") from problem
        _check_digest(self.path / name, self.card.files[name], hashlib.sha256(content).hexdigest())
        return content


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A package in memory, on a worker."""

    card: Card
    files: dict[str, bytes]


def unpack(packed: bytes) -> Unpacked:
    """The inverse of Package.pack."""
    with zipfile.ZipFile(BytesIO(packed)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    card = Card.model_validate(json.loads(files.pop(CARD_FILE)))
    return Unpacked(card, files)


def read_package(path: Path) -> Package:
    """The package at `path`, every file checked against its sha256. Raises PackageError.

    A folder of attempts means the chosen one. A package that is written to meanwhile is read once more: what it was
    before or what it is then, not a mixture.
    """
    path = find_package(path)
    while True:
        text = _card_text(path)
        try:
            return _read_package(path, text)
        except PackageError:
            if text == _card_text(path):
                raise


def _card_text(path: Path) -> str:
    card_path = path / CARD_FILE
    if not card_path.is_file():
        raise PackageError(f"{path}: not a model package (wanted a directory with {CARD_FILE})")
    try:
        return card_path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise PackageError(f"{card_path}: cannot be read ({problem})") from problem


def _read_package(path: Path, text: str) -> Package:
    card_path = path / CARD_FILE
    try:
        content = json.loads(text)
    except json.JSONDecodeError as problem:
        raise PackageError(f"{card_path}: cannot be read ({problem})") from problem
    if not isinstance(content, dict) or content.get("card_version") != CARD_VERSION:
        received = content.get("card_version") if isinstance(content, dict) else content
        raise PackageError(f"{card_path}: wanted card_version {CARD_VERSION}. Received: {received!r}")
    card = parse(Card, content, str(card_path), PackageError)
    _verify(path, card)
    return Package(path, card, model_version(card))


def write_card(path: Path, card: Card, unlisted: Collection[str] = ()) -> Package:
    """Write card.json with the sha256 of every file that lies in the package directory now, and read it back.

    unlisted: files that may change after this; leftovers that end in .tmp are never listed.
    """
    names = sorted(str(file.relative_to(path).as_posix()) for file in path.rglob("*") if file.is_file())
    files = {
        name: _sha256(path / name)
        for name in names
        if name != CARD_FILE and name not in unlisted and not name.endswith(".tmp")
    }
    complete = card.model_copy(update={"files": files})
    staged = path / f"{CARD_FILE}.tmp"
    staged.write_text(json.dumps(complete.model_dump(mode="json"), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    staged.replace(path / CARD_FILE)
    return read_package(path)


def write_beside(package: Package, card: Card, name: str, text: str) -> Package:
    """A new card and a new text for one file that no engine reads. Whenever it is cut short, the package can be read.

    A card that knows nothing of the file lies there while the file changes.
    """
    write_card(package.path, card, unlisted=(name,))
    staged = package.path / f"{name}.tmp"
    staged.write_text(text, encoding="utf-8")
    staged.replace(package.path / name)
    return write_card(package.path, card)


def model_version(card: Card) -> str:
    """First 12 hex digits of the sha256 over what decides a score: labels, input, temperature, and the model files.

    Thresholds, their record, metrics and the README are left out on purpose: a new threshold must re-tag without
    touching an image.
    So are the int8 files and the precision flags: they come later, score alike within the gate that they passed, and
    must not have millions of images predicted anew. The predictions' column `engine` tells such rows apart.
    """
    model_files = {name: digest for name, digest in card.files.items() if name in (KERAS_FILE, *OPENVINO_FILES)}
    scored_by = card.model_dump(mode="json", include={"card_version", "labels", "input", "output", "temperature"})
    if card.output_kind != "classes":  # packages from before there were others keep their version
        scored_by["output_kind"] = card.output_kind
    text = json.dumps({**scored_by, "files": model_files}, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    while _reads_as_number(digest[:12]):
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return digest[:12]


def _reads_as_number(version: str) -> bool:
    """Readers guess the type of the partition model_version=...: 1234e5678901 would come back as infinity."""
    return re.fullmatch(r"[0-9]+(e[0-9]+)?[df]?", version) is not None


def _verify(path: Path, card: Card) -> None:
    if KERAS_FILE not in card.files and not all(name in card.files for name in OPENVINO_FILES):
        raise PackageError(f"{path}: holds neither {KERAS_FILE} nor {OPENVINO_FILES[0]}")
    if card.precision.int8 and not all(name in card.files for name in INT8_FILES):
        raise PackageError(f"{path}: the card says that int8 is proven, but {INT8_FILES[0]} is not among its files")
    for name, wanted in card.files.items():
        file = path / name
        if name.lower().endswith(_PICKLES):
            raise PackageError(f"{file}: pickled files are refused, since loading one runs its code")
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise PackageError(f"{path}: card lists {name!r}, which lies outside the package")
        if not file.is_file():
            raise PackageError(f"{file}: missing, though the card lists it")
        _check_digest(file, wanted, _sha256(file))


def _check_digest(file: Path, wanted: str, came: str) -> None:
    if came != wanted:
        raise PackageError(f"{file}: changed since the card was written (wanted sha256 {wanted}, came {came})")


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as problem:
        raise PackageError(f"{file}: cannot be read ({problem.strerror})") from problem
