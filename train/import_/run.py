"""`import`: a model that others trained, as a package that scores exactly as it does."""

import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag import __version__
from eoltag.errors import DataError, PackageError
from eoltag.model.attempts import CARD_FILE
from eoltag.model.card import CARD_VERSION, CardInput
from eoltag.model.package import Card, Package, write_card
from eoltag.records import Pixels, Scores
from train.cli import start_keras
from train.import_.foreign import Foreign, ImportRequest
from train.import_.outputs import check_outputs, check_values, kind_of, logits_of, outputs_of
from train.package.runtimes import TOLERANCE, check_agreement, predict, tolerated
from train.package.staging import check_destination, staged

COMPARED_IMAGES: Final = 16
HALF_TOLERANCE: Final = {"float16": 0.02, "bfloat16": 0.1}
"""Largest difference from a source that computes in 16 bits: some twenty steps of a number near 1."""
_PICKLES: Final = (".pkl", ".pickle", ".dill", ".joblib", ".pt", ".pth", ".npy")


def import_model(request: ImportRequest) -> dict[str, Any]:
    """Write the package; returns the summary. Raises UsageError, and then nothing was written."""
    check_destination(request.out, overwrite=request.overwrite)
    _check_source(request.source)
    start_keras()
    foreign = _open(request)
    pixels = noise_pictures(COMPARED_IMAGES, foreign.height, foreign.width)
    output = foreign.scores(pixels)
    _check_output(output, request, foreign.half_precision)
    with staged(request.out, overwrite=request.overwrite) as folder:
        foreign.write(folder)
        package = _package(folder, request, foreign)
        if len(package.engines) > 1:
            check_agreement(package, pixels)
        difference = _check_scores(package, pixels, output, request, foreign.half_precision)
        (folder / "README.md").write_text(_readme(package.card, request, foreign), encoding="utf-8")
        metrics = {"differs_from_source_by": difference}
        package = write_card(folder, package.card.model_copy(update={"metrics": metrics}))
    return {
        "out": str(request.out),
        "model_version": package.version,
        "kind": foreign.kind,
        "labels": list(request.labels),
        "input": [foreign.height, foreign.width],
        "engines": list(package.engines),
        "differs_by": difference,
        "images_compared": len(pixels),
    }


def read_size(text: str | None) -> tuple[int, int] | None:
    """(height, width) from N or HxW, 8 to 4,096 pixels. Raises DataError."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text.strip())
    height, width = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not (8 <= height <= 4096 and 8 <= width <= 4096):
        raise DataError(f"--size: wanted N or HEIGHTxWIDTH, 8 to 4096 pixels each. Received: {text!r}")
    return height, width


def noise_pictures(count: int, height: int, width: int) -> Pixels:
    """Coarse random pictures (N, H, W, 3) from dark to bright, the same ones every time."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, 256, (count, 8, 8, 3)) * np.linspace(0.2, 1, count)[:, None, None, None]
    rows, columns = (np.arange(side) * 8 // side for side in (height, width))
    pictures: Pixels = cells[:, rows][:, :, columns].astype(np.uint8)
    return pictures


def _check_source(source: Path) -> None:
    """Raises DataError where nothing can be imported, before Keras takes its seconds."""
    name = source.name.lower()
    if not source.exists():
        raise DataError(f"{source}: no such file or folder")
    if name.endswith(_PICKLES):
        raise DataError(
            f"{source}: pickled files are refused, since loading one runs its code; decathlon's "
            "hyperparameters_search.pickle becomes settings with --out FILE.toml"
        )
    if (source / CARD_FILE).is_file():
        raise DataError(f"{source}: is a model package already")
    if name == "checkpoint" or re.search(r"\.ckpt($|\.)|\.index$|\.data-\d+-of-\d+$", name):
        raise DataError(
            f"{source}: a TensorFlow checkpoint holds weights without their network; load it where it was made and "
            "write a SavedModel with tf.saved_model.save(model, FOLDER)"
        )
    if source.is_dir() and not (source / "saved_model.pb").is_file():
        raise DataError(f"{source}: wanted a TensorFlow SavedModel, a folder with saved_model.pb in it")
    if source.is_file() and not name.endswith((".keras", ".h5", ".hdf5")):
        hint = f"; give its folder {source.parent}" if name == "saved_model.pb" else ""
        raise DataError(f"{source}: wanted a SavedModel folder, a .keras file or an .h5 file{hint}")


def _open(request: ImportRequest) -> Foreign:
    if request.source.is_dir():
        from train.import_.saved_model import open_saved_model

        return open_saved_model(request)
    if request.network is not None:
        from train.import_.weights import open_weights

        return open_weights(request, request.network)
    from train.import_.keras import open_keras

    return open_keras(request)


def _check_output(output: Scores, request: ImportRequest, half_precision: str | None) -> None:
    """Raises DataError where --output cannot be true of what the source gave."""
    check_outputs(output.shape, request)
    check_values(output, request, HALF_TOLERANCE[half_precision] if half_precision else 1e-3)


def _package(folder: Path, request: ImportRequest, foreign: Foreign) -> Package:
    return write_card(
        folder,
        Card(
            card_version=CARD_VERSION,
            name=request.name,
            labels=request.labels,
            output_kind=kind_of(request),
            input=CardInput(height=foreign.height, width=foreign.width, fit=request.fit, resample=request.resample),
            hyperparameters={
                "imported_from": request.source.name,
                "kind": foreign.kind,
                "scaling": request.scaling,
                "source_output": request.output,
            },
            versions={name: version(name) for name in ("keras", "openvino", "numpy")} | {"eoltag": __version__},
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            files={},
        ),
    )


def _check_scores(
    package: Package, pixels: Pixels, output: Scores, request: ImportRequest, half_precision: str | None
) -> float:
    """The largest difference from what the source gave. Raises PackageError above what rounding explains.

    Logits are compared; of a source that computes in 16 bits, whose small probabilities round to nothing, its output.
    """
    came = predict(package, package.fastest_engine, pixels)
    if half_precision:
        wanted = output
        came = outputs_of(came, request)[:, -output.shape[1] :]
        allowed = HALF_TOLERANCE[half_precision] * np.maximum(1.0, np.abs(wanted).max(axis=1, keepdims=True))
    else:
        wanted = logits_of(output, request)
        allowed = tolerated(wanted)
    differences = np.abs(came - wanted)
    if not np.all(differences <= allowed):
        least = HALF_TOLERANCE[half_precision] if half_precision else TOLERANCE
        raise PackageError(
            f"{request.source}: the package's {'outputs' if half_precision else 'logits'} differ from the source's by "
            f"up to {differences.max():.2g} over {len(pixels)} images; wanted {least:g} or less, or that share of the "
            "largest. Nothing was written"
        )
    return float(differences.max())


def _readme(card: Card, request: ImportRequest, foreign: Foreign) -> str:
    """README.md of the package."""
    is_raw = request.output in ("logits", "label_logits")
    logits = "raw scores" if is_raw else "logarithms of the probabilities that it gave"
    if request.output == "sigmoid":
        logits = "logarithms of the odds of its one output, with 0 for the first label"
    if request.output == "labels":
        logits = "logarithms of the odds of its outputs"
    return "\n".join(
        [
            f"# {card.name}",
            "",
            f"An image classifier with {len(card.labels)} labels, imported by `python -m train import` on "
            f"{card.created_at} from `{request.source.name}` ({foreign.kind}).",
            f"It takes {card.input.height} x {card.input.width} RGB (fit: {card.input.fit}); the graph scales pixels "
            f"as `{request.scaling}`. Its logits are the {logits}.",
            "",
            "Labels, in the order of the scores: " + ", ".join(f"`{label}`" for label in card.labels) + ".",
            "",
            "What it was trained on is not recorded here: no image is known to be held out.",
            "",
            "## Use",
            "",
            "    python -m train classify THIS_FOLDER image.jpg",
            "",
        ]
    )
