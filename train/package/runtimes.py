"""A trained model to the files of a package, and the proof that every engine gives the same scores."""

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.errors import PackageError
from eoltag.model.card import FILES_OF, EngineName, Part
from eoltag.model.engines import load_engine
from eoltag.model.package import Package, unpack
from eoltag.records import Pixels, Scores
from train.cli import cores

TOLERANCE: Final = 1e-3
"""Largest difference between two engines' logits, as a share of the image's largest logit where that is above 1.

float32 has seven digits, and rounding grows with the numbers that are added up: in a deep network with logits of 20,
the one that happens to lie near 0 is no more exact than the others. Trained networks differ by 1e-6 to 1e-5; Inception
after four steps from nothing, on its smallest pictures, by 2e-4. An export that is wrong differs by tenths.
"""
BATCH: Final = 16
MOST_COMPARED: Final = 64
"""Images that both engines are compared on: what an export gets wrong shows on every image, and Keras is slow without a
GPU."""
EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def export_model(model: Any, folder: Path, part: Part = "whole") -> None:
    """Write that part of a package for Keras and for OpenVINO, as model.keras and openvino/model.xml|bin.

    model: keras.Model, for the whole uint8 (N, H, W, 3) -> logits (N, C).
    """
    _write_keras(model, folder, part)
    write_openvino(model, folder, part)


def export_in_parts(model: Any, folder: Path) -> None:
    """Write the whole, its base and its head. model: keras.Model with the layers `features` and `head`."""
    export_base_and_head(model, folder)
    _write_keras(model, folder, "whole")
    join_openvino(folder)


def join_openvino(folder: Path) -> None:
    """Write OpenVINO's whole as its base and its head, which lie there: in half the time of another conversion."""
    base, head = (_read_openvino(folder, part) for part in ("base", "head"))
    features = base.output(0).get_node().input_value(0)
    for taker in head.input(0).get_target_inputs():
        taker.replace_source_output(features)
    _write_graph(type(base)(head.get_results(), base.get_parameters(), "whole"), folder, "whole")


def export_base_and_head(model: Any, folder: Path) -> None:
    """Write these two. model: see export_in_parts."""
    export_model(model.get_layer("features"), folder, "base")
    export_model(model.get_layer("head"), folder, "head")


def write_openvino(model: Any, folder: Path, part: Part = "whole") -> None:
    """Write that part for OpenVINO alone; the same bytes for the same network, whatever the process did before."""
    xml = folder / FILES_OF[part]["openvino"][0]
    xml.parent.mkdir(parents=True, exist_ok=True)
    model.export(str(xml), format="openvino", verbose=False)
    _write_graph(_read_openvino(folder, part), folder, part)


def _write_keras(model: Any, folder: Path, part: Part) -> None:
    import keras

    (name,) = FILES_OF[part]["keras"]
    if model.compiled:  # else the optimiser's state is saved as well: Adam's is twice the size of the weights
        model = keras.Model(model.input, model.output, name=model.name)
    model.save(folder / name)
    _make_repeatable(folder / name)


def _read_openvino(folder: Path, part: Part) -> Any:
    """The openvino.Model of a part, in memory: its files may be written again."""
    import openvino as ov

    xml, weights = (folder / name for name in FILES_OF[part]["openvino"])
    return ov.Core().read_model(xml.read_bytes(), ov.Tensor(np.frombuffer(weights.read_bytes(), np.uint8)))


def _write_graph(network: Any, folder: Path, part: Part) -> None:
    import openvino as ov

    xml, weights = (folder / name for name in FILES_OF[part]["openvino"])
    name_anew(network)
    ov.serialize(network, xml, weights)


def name_anew(network: Any) -> None:
    """Count the operations of an openvino.Model from 0: their names else count all that the process ever made."""
    for number, operation in enumerate(network.get_ordered_ops()):
        operation.set_friendly_name(f"{operation.get_type_name()}_{number}")
        for port in operation.outputs():
            port.get_tensor().set_names(set())


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole model by each engine on the same pictures."""

    pixels: Pixels
    logits: dict[EngineName, Scores]
    difference: float
    """The largest between engines, in a logit."""


def check_agreement(package: Package, pixels: Pixels) -> float:
    """The largest difference between the engines' logits on these images; see compare_engines. Raises PackageError."""
    return compare_engines(package, pixels).difference


def compare_engines(package: Package, pixels: Pixels) -> Comparison:
    """Logits of these images (N, H, W, 3) by each engine.

    Raises PackageError above the tolerance: a package whose engines disagree would tag differently on CPU and GPU.
    """
    engines: tuple[EngineName, ...] = ("openvino", "keras")
    logits = {engine: predict(package, engine, pixels) for engine in engines}
    return Comparison(pixels, logits, agreed_difference(package.card.name, logits["keras"], logits["openvino"]))


def agreed_difference(name: str, by_keras: Scores, by_openvino: Scores) -> float:
    """The largest difference between logits of two engines. Raises PackageError above the tolerance."""
    differences = np.abs(by_keras - by_openvino)
    largest = float(differences.max(initial=0.0))
    if not np.all(differences <= tolerated(by_keras)):  # also where either is not a number
        raise PackageError(
            f"{name}: the OpenVINO export differs from Keras by up to {largest:.2g} in a logit over "
            f"{len(by_keras)} images; wanted {TOLERANCE:g} or less, or that share of the largest logit. "
            "Nothing was written"
        )
    return largest


def tolerated(logits: Scores) -> Scores:
    """How far others may be from these (N, C), as (N, 1)."""
    allowed: Scores = TOLERANCE * np.maximum(1.0, np.abs(logits).max(axis=1, keepdims=True))
    return allowed


def predict(package: Package, engine: Any, pixels: Pixels) -> Scores:
    """Logits (N, C) of those images, by the engine that the Spark job would use."""
    loaded = load_engine(
        engine, unpack(package.pack(engine)), batch_size=BATCH, threads=cores(), keras_backend="tensorflow"
    )
    batches = [loaded.predict(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
    return np.concatenate(batches)


def _make_repeatable(path: Path) -> None:
    """Write the Keras archive anew without its date and memory addresses: same weights, same model version."""
    fresh = path.with_suffix(".tmp")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(fresh, "w", zipfile.ZIP_STORED) as new:
        for name in sorted(old.namelist()):
            entry = zipfile.ZipInfo(name, EPOCH)
            if name == "metadata.json":
                new.writestr(entry, json.dumps({**json.loads(old.read(name)), "date_saved": "1980-01-01@00:00:00"}))
            elif name == "config.json":
                new.writestr(entry, json.dumps(_renumbered(json.loads(old.read(name)), {})))
            else:
                with old.open(name) as source, new.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target)
    fresh.replace(path)


def _renumbered(value: Any, known: dict[int, int]) -> Any:
    """The same JSON value with every shared_object_id, which Keras takes from memory, counted from 1."""
    if isinstance(value, list):
        return [_renumbered(item, known) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: known.setdefault(item, len(known) + 1) if key == "shared_object_id" else _renumbered(item, known)
        for key, item in value.items()
    }
