"""Base and head of a model apart: written beside the whole, and kept where they score as it does.

Packages whose bases have one version share a forward pass, and stored features of one are features of all.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eoltag.errors import PackageError
from eoltag.model.card import FILES_OF, Card, EngineName
from eoltag.model.engines import load_base, load_head
from eoltag.model.package import Package, unpack, write_card
from eoltag.model.versions import version_of
from eoltag.records import InputSpec, Pixels, Scores, Vectors
from train.cli import cores
from train.package.runtimes import (
    BATCH,
    Comparison,
    agreed_difference,
    compare_engines,
    export_in_parts,
    export_model,
)
from train.settings import WHOLE

TOLERANCE: Final = 1e-4
"""Largest difference of base and head from the whole in a logit, as a share of the image's largest where that is above
1. They are the same arithmetic in the same runtime: MobileNets differ by 1e-6 or not at all."""
HEAD_BATCH: Final = 256
FLOAT16_TOLERANCE: Final = 1e-2
"""The same where features were rounded to float16, as tables keep them: 11 bits, which leaves a logit two to three
digits of difference below this."""
PART_FILES: Final = tuple(name for part in ("base", "head") for files in FILES_OF[part].values() for name in files)
"""The files of base and head, for all engines."""
_FORGOTTEN: Final = frozenset({"name", "trainable", "module", "registered_name", "build_config", "shared_object_id"})
"""What a layer's description holds that changes no feature."""
_TRAINING_ONLY: Final = ("momentum", "seed", "_initializer", "_regularizer", "_constraint")


@dataclass(frozen=True, slots=True)
class BaseProof:
    """How near base and head come to the whole model, and what they cost."""

    base_version: str
    feature_length: int
    images: int
    """Compared."""
    difference: float
    """See TOLERANCE; the largest of all engines."""
    float16_difference: float
    """See FLOAT16_TOLERANCE."""
    is_proven: bool
    file_bytes: int
    """What base and head add to the package."""

    def document(self) -> dict[str, Any]:
        """Plain JSON values, for the card's metrics; what is no number is None."""
        return {key: None if value == math.inf else value for key, value in asdict(self).items()}

    def sentence(self) -> str:
        """One line for people."""
        measured = (
            f"differ from the whole by up to {self.difference:.2g} of a logit, from float16 features by "
            f"{self.float16_difference:.2g}"
        )
        if self.is_proven:
            size = f"{self.file_bytes / 1e6:.1f} MB"
            return f"base {self.base_version}: kept apart from its head, adds {size}; they {measured}"
        return f"base: not kept apart from its head, they {measured}; wanted {TOLERANCE:g} and {FLOAT16_TOLERANCE:g}"


def has_untouched_base(card: Card) -> bool:
    """Whether `fit` made this model on a pretrained base that it left as it was."""
    known = card.hyperparameters
    has_base = "architecture" in known and known["architecture"] not in WHOLE
    return has_base and known.get("weights") != "none" and known.get("fine_tune_epochs") == 0


def keep_base(folder: Path, card: Card, model: Any, whole: Comparison) -> tuple[Card, BaseProof]:
    """Keep base and head, which lie in a package's folder, where they score as the whole; else take them away.

    Returns the card, which names the base or none, and how near they come. model: keras.Model with the layer
    `features`, see train.architectures.transfer.
    """
    base = model.get_layer("features")
    named = {"base_version": base_version(base, card.spec), "feature_length": int(base.output_shape[-1])}
    proof = _prove(write_card(folder, card.model_copy(update=named)), whole)
    metrics = {**card.metrics, "base": proof.document()}
    if proof.is_proven:
        return card.model_copy(update={**named, "metrics": metrics}), proof
    for name in PART_FILES:
        (folder / name).unlink()
    return card.model_copy(update={"metrics": metrics}), proof


def export_from_vectors(
    folder: Path, card: Card, model: Any, vectors: NDArray[np.float16]
) -> tuple[Card, Scores, float]:
    """Write a model whose head was trained on stored features.

    Returns its card, its logits of these vectors, and how far the engines differ in them. model: the head alone where
    the card names its base, else with the layers `features` and `head`. Raises PackageError where engines differ, or
    where base and head do not score as the whole.
    """
    if card.base_version:
        export_model(model, folder, "head")
        return card, *_agreed_logits(write_card(folder, card), vectors)
    export_in_parts(model, folder)
    whole = compare_engines(write_card(folder, card), noise_pictures(card.spec))
    card, proof = keep_base(folder, card, model, whole)
    if not proof.is_proven:
        raise PackageError(f"{card.name}: {proof.sentence()}. Nothing was written")
    return card, *_agreed_logits(write_card(folder, card), vectors)


def _agreed_logits(package: Package, vectors: NDArray[np.float16]) -> tuple[Scores, float]:
    """OpenVINO's logits of stored vectors by the head, and the largest difference of Keras' from them."""
    by_openvino, by_keras = (
        load_head(engine, unpack(package.pack(engine, part="head")), **_options(HEAD_BATCH)).logits(vectors)
        for engine in FILES_OF["head"]
    )
    return by_openvino, agreed_difference(package.card.name, by_keras, by_openvino)


def base_version(base: Any, spec: InputSpec) -> str:
    """12 hex digits over what decides a feature: network with its scaling, weights, and how a picture is made to fit.

    base: keras.Model, uint8 (N, H, W, 3) -> features (N, D). Names of layers and settings of training have no part in
    it, so that two trainings on the same untouched base agree.
    """
    digest = hashlib.sha256()
    for weight in base.get_weights():
        digest.update(f"{weight.dtype} {weight.shape}".encode())
        digest.update(np.ascontiguousarray(weight).tobytes())
    content = {
        "network": _structure(json.loads(base.to_json()), {}),
        "weights": digest.hexdigest(),
        "input": [spec.height, spec.width, spec.fit, spec.resample],
    }
    return version_of(json.dumps(content, sort_keys=True))


def noise_pictures(spec: InputSpec, count: int = BATCH) -> Pixels:
    """Random pictures, always the same, to compare engines on where there are no images."""
    return np.random.default_rng(0).integers(0, 256, (count, spec.height, spec.width, 3), np.uint8)


def _structure(value: Any, numbers: dict[str, int]) -> Any:
    """A model's description as JSON values, without what changes no feature; layers are numbered instead of named.

    What is unset or off is left out as well, so that a new switch of a later Keras changes nothing. numbers: of the
    layers of this model.
    """
    if isinstance(value, list):
        return [_structure(item, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    if "layers" in value:
        numbers = {layer["name"]: number for number, layer in enumerate(value["layers"])}
    kept = {}
    for key, item in value.items():
        if key in ("keras_history", "input_layers", "output_layers"):
            kept[key] = _numbered(item, numbers)
        elif not (key in _FORGOTTEN or key.endswith(_TRAINING_ONLY) or item is None or item is False or item == []):
            kept[key] = _structure(item, numbers)
    return kept


def _numbered(value: Any, numbers: dict[str, int]) -> Any:
    """A list, or lists of lists, with the number of a layer in place of its name."""
    if isinstance(value, list):
        return [_numbered(item, numbers) for item in value]
    return numbers.get(value, value) if isinstance(value, str) else value


def _prove(package: Package, whole: Comparison) -> BaseProof:
    """Compare base and head with the whole, by every engine."""
    pairs = [_differences(package, engine, whole.pixels, logits) for engine, logits in whole.logits.items()]
    difference, rounded = (max(pair[at] for pair in pairs) for at in (0, 1))
    return BaseProof(
        package.card.base_version,
        package.card.feature_length,
        len(whole.pixels),
        difference,
        rounded,
        difference <= TOLERANCE and rounded <= FLOAT16_TOLERANCE,
        sum((package.path / name).stat().st_size for name in PART_FILES),
    )


def _differences(package: Package, engine: EngineName, pixels: Pixels, whole: Scores) -> tuple[float, float]:
    """The largest ones by one engine: from features as they come, and from such as were rounded to float16."""
    base = load_base(engine, unpack(package.pack(engine, part="base")), **_options(BATCH))
    head = load_head(engine, unpack(package.pack(engine, part="head")), **_options(HEAD_BATCH))
    batches = [base.features(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
    features: Vectors = np.concatenate(batches)
    with np.errstate(over="ignore"):  # what float16 cannot hold becomes infinite, and its logits show it
        rounded: Vectors = features.astype(np.float16).astype(np.float32)
    return _share(whole, head.logits(features)), _share(whole, head.logits(rounded))


def _options(batch_size: int) -> dict[str, Any]:
    """How engines are loaded here."""
    return {"batch_size": batch_size, "threads": cores(), "keras_backend": "tensorflow"}


def _share(wanted: Scores, came: Scores) -> float:
    """The largest difference, as a share of the image's largest logit where that is above 1; infinite for no number."""
    shares = np.abs(wanted - came) / np.maximum(1.0, np.abs(wanted).max(axis=1, keepdims=True))
    return float(np.nan_to_num(shares, nan=np.inf).max(initial=0.0))
