"""`export`: a package gets its OpenVINO files, and faster precisions where they are proven on held-out images."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError, PackageError
from eoltag.model.card import BASE_OPENVINO_FILES, INT8_FILES, KERAS_FILE, OPENVINO_FILES, Card, Precision
from eoltag.model.package import Package, write_card
from eoltag.records import Pixels
from train.cli import log, start_keras
from train.export.agreement import LEAST_IMAGES, Agreement
from train.export.held_out import Contents, Pictures, find_contents, read_pictures
from train.export.proving import cpu_ms, prove
from train.export.quantizing import (
    CALIBRATION_IMAGES,
    CONTROL_IMAGES,
    LEAST_CALIBRATION_IMAGES,
    LEAST_CONTROL_IMAGES,
    make_int8,
)
from train.package.bases import PART_FILES, has_untouched_base, keep_base, noise_pictures
from train.package.data_table import read_data_table
from train.package.runtimes import (
    MOST_COMPARED,
    check_agreement,
    compare_engines,
    export_base_and_head,
    join_openvino,
    write_openvino,
)
from train.package.staging import check_destination, staged
from train.records import Split

TRAINING_IMAGES: Final = CALIBRATION_IMAGES + CONTROL_IMAGES
LEAST_TRAINING_IMAGES: Final = LEAST_CALIBRATION_IMAGES + LEAST_CONTROL_IMAGES


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What the command line of `export` asks for."""

    out: Path | None
    """None: in place."""
    overwrite: bool
    int8: bool
    bf16: bool
    calibration: Path | None
    held_out: tuple[Path, ...]
    """Folders."""
    most_images: int
    """Held-out images to measure on, at most."""
    renew: bool
    """Make the f32 OpenVINO files anew even though the package has them."""


def export_package(package: Package, request: ExportRequest) -> dict[str, Any]:
    """Write the package with what was asked for; returns the summary. Raises UsageError, and then nothing changed."""
    out = request.out or package.path
    check_destination(out, overwrite=request.overwrite or request.out is None)
    if request.renew and KERAS_FILE not in package.card.files:
        raise PackageError(f"{package.path}: --renew makes OpenVINO files from {KERAS_FILE}, which this package lacks")
    held, calibration = _images(package, request)
    with staged(out, overwrite=True) as folder:
        _copy(package, folder, is_renewed=request.renew)
        card = package.card
        if request.renew:  # what was proven of other files is proven no more
            proven = Precision(keras_bf16=card.precision.keras_bf16)
            card = card.model_copy(update={"precision": proven, "base_version": "", "feature_length": 0})
        card, said = _made(folder, card, held.pixels)
        made = make_int8(folder, card, calibration.pixels) if request.int8 else None
        if made is not None:
            unproven = card.precision.model_copy(update={"int8": False})
            card = card.model_copy(update={"precision": unproven, "int8_margin": made.margin})
        fresh = write_card(folder, card)
        difference = check_agreement(fresh, held.pixels) if KERAS_FILE in card.files and len(held.pixels) else None
        agreements = prove(fresh, _asked(package, request), held.pixels)
        measured = {name: agreement.document() for name, agreement in agreements.items()}
        if made is not None:
            measured["int8"] |= {**made.document(), "cpu_ms_per_image": cpu_ms(fresh, held.pixels)}
        final = _finish(fresh, measured)
    return {
        "out": str(out),
        "model_version": final.version,
        "was_model_version": package.version,
        "precision": final.card.precision.model_dump(),
        "held_out_images": len(held.pixels),
        "engines_differ_by": difference,
        "measured": measured,
        "base_version": final.card.base_version,
        "said": [*said, *(_sentence(name, agreement, measured[name]) for name, agreement in agreements.items())],
    }


def _sentence(name: str, agreement: Agreement, measured: dict[str, Any]) -> str:
    """One line for people."""
    costs = measured.get("cpu_ms_per_image")
    cost = f"; {costs['int8']:.1f} ms of CPU an image, {costs['f32']:.1f} in f32" if costs else ""
    return agreement.sentence(name) + cost


def _made(folder: Path, card: Card, pixels: Pixels) -> tuple[Card, list[str]]:
    """Make what is missing: OpenVINO's files, and base and head where a training left the base as it was.

    Returns the card, and what is to be said. pixels: held-out images, perhaps none.
    """
    has_openvino = (folder / OPENVINO_FILES[0]).is_file()
    wants_base = not card.base_version and has_untouched_base(card) and (folder / KERAS_FILE).is_file()
    if has_openvino and not wants_base:
        return card, []
    model = _keras_model(folder)
    if wants_base:
        export_base_and_head(model, folder)
    if not has_openvino and (folder / BASE_OPENVINO_FILES[0]).is_file():
        join_openvino(folder)
    elif not has_openvino:
        write_openvino(model, folder)
    if not wants_base:
        return card, []
    pictures = pixels[:MOST_COMPARED] if len(pixels) else noise_pictures(card.spec)
    kept, proof = keep_base(folder, card, model, compare_engines(write_card(folder, card), pictures))
    return kept, [proof.sentence()]


def _keras_model(folder: Path) -> Any:
    """The keras.Model in model.keras. Raises PackageError where Keras refuses it."""
    start_keras()
    import keras

    try:
        return keras.saving.load_model(folder / KERAS_FILE, compile=False, safe_mode=True)
    except Exception as problem:  # Keras raises nearly anything on a file that it refuses
        reason = (str(problem) or type(problem).__name__).strip().splitlines()[0]
        raise PackageError(f"{folder / KERAS_FILE}: Keras refuses it ({reason})") from problem


def _asked(package: Package, request: ExportRequest) -> list[str]:
    """Flags of the card that are to be proven."""
    asked = ["int8"] if request.int8 else []
    if request.bf16:
        asked += ["bf16", "keras_bf16"] if KERAS_FILE in package.card.files else ["bf16"]
    return asked


def _finish(package: Package, measured: dict[str, dict[str, Any]]) -> Package:
    """The card with what was measured; int8 files that did not pass the gate are dropped."""
    card = package.card
    flags = {name: found["is_proven"] for name, found in measured.items()}
    known = {**card.metrics.get("precision", {}), **measured}
    metrics = {**card.metrics, "precision": known} if measured else card.metrics
    precision = card.precision.model_copy(update=flags)
    margin = card.int8_margin if precision.int8 else 0.0
    if not precision.int8:
        shutil.rmtree((package.path / INT8_FILES[0]).parent, ignore_errors=True)
    changed = {"precision": precision, "metrics": metrics, "int8_margin": margin}
    return write_card(package.path, card.model_copy(update=changed))


def _copy(package: Package, folder: Path, *, is_renewed: bool) -> None:
    """The package's files but for those that are made anew."""
    left_out = {*OPENVINO_FILES, *INT8_FILES, *PART_FILES} if is_renewed else set()
    for name in package.card.files:
        if name not in left_out:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(package.path / name, folder / name)


def _images(package: Package, request: ExportRequest) -> tuple[Pictures, Pictures]:
    """Held-out and calibration images, never the same ones. Raises DataError."""
    trained = _trained_on(package)
    spec = package.card.spec
    of_training = [request.calibration] if request.calibration is not None else list(request.held_out)
    of_proof = list(request.held_out) or of_training
    if (request.int8 or request.bf16) and not of_proof:
        raise DataError("--int8 and --bf16 are proven on images: wanted --held-out DIR, or --calibration DIR, or both")
    if trained is None and request.int8 and (not request.held_out or request.calibration is None):
        raise DataError(
            f"{package.path}: does not say what it was trained on (no data.tsv), so that --int8 wants both "
            "--calibration DIR and --held-out DIR"
        )
    learned = find_contents(of_training, _in(trained)) if request.int8 else {}
    learned = dict(islice(learned.items(), TRAINING_IMAGES if trained is None else None))
    others = find_contents(of_proof, lambda digest: digest not in learned and digest not in (trained or ()))
    _check_counts(request, learned, others, of_training, of_proof)
    calibration = read_pictures(learned, spec, TRAINING_IMAGES)
    if request.int8:
        _check_calibration(len(calibration.pixels), of_training)
    return read_pictures(others, spec, request.most_images), calibration


def _check_counts(
    request: ExportRequest, learned: Contents, others: Contents, of_training: list[Path], of_proof: list[Path]
) -> None:
    """Says what there is to work with before the work, or raises DataError where that is too little."""
    if not (request.int8 or request.bf16):
        return
    if request.int8:
        _check_calibration(len(learned), of_training)
    held = min(len(others), request.most_images)
    if not held:
        raise DataError(
            f"{_names(of_proof)}: wanted {LEAST_IMAGES} or more images that the package was not trained on. "
            "Received: none"
        )
    found = f"{held:,} held-out images" + (f", {len(learned):,} to calibrate with" if request.int8 else "")
    few = f"; {LEAST_IMAGES} are the least for a proof: there will be figures only" if held < LEAST_IMAGES else ""
    log(found + few)


def _check_calibration(images: int, folders: list[Path]) -> None:
    if images < LEAST_TRAINING_IMAGES:
        raise DataError(
            f"{_names(folders)}: wanted {LEAST_TRAINING_IMAGES} or more images that the package was trained on, to "
            f"calibrate int8. Received: {images}"
        )


def _trained_on(package: Package) -> frozenset[str] | None:
    """sha256 of the package's training images; None where it does not tell them."""
    known = read_data_table(package)
    return None if known is None else frozenset(digest for digest, split in known.items() if split is Split.TRAIN)


def _names(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))


def _in(trained: frozenset[str] | None) -> Any:
    """All images where nothing is known of the training."""
    return (lambda _: True) if trained is None else trained.__contains__


def lines(summary: dict[str, Any]) -> Sequence[str]:
    """The summary for people."""
    version, was = summary["model_version"], summary["was_model_version"]
    said = [*summary["said"], f"{summary['out']}: version {version}"]
    if summary["engines_differ_by"] is not None:
        said[-1] += f", OpenVINO f32 differs from Keras by up to {summary['engines_differ_by']:.2g} in a logit"
    if version != was:
        said.append(f"the version was {was}: the next run predicts every image anew")
    return said
