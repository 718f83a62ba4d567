"""`export`: a package gets its OpenVINO files, and faster precisions where they are proven on held-out images."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from eoltag.engines import Engine, load_engine
from eoltag.errors import DataError, PackageError
from eoltag.package import (
    INT8_FILES,
    KERAS_FILE,
    OPENVINO_FILES,
    EngineName,
    Package,
    Precision,
    PrecisionName,
    unpack,
    write_card,
)
from eoltag.records import Pixels, Scores
from train.agreement import LEAST_IMAGES, Agreement, compare
from train.command import cores, progress, say, start_keras
from train.export import check_agreement, write_openvino
from train.held_out import Pictures, read_pictures, trained_on
from train.quantizing import CALIBRATION_IMAGES, LEAST_CALIBRATION_IMAGES, quantize
from train.staging import check_destination, staged

BATCH: Final = 32


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What the command line of `export` asks for."""

    out: Path | None
    """None: in place."""
    overwrite: bool
    int8: bool
    bf16: bool
    calibration: Path | None
    held_out: Path | None
    most_images: int
    """Of the held-out ones."""
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
        if not (folder / OPENVINO_FILES[0]).is_file():
            _make_openvino(folder)
        card = package.card
        if request.renew:  # what was proven of other files is proven no more
            card = card.model_copy(update={"precision": Precision(keras_bf16=card.precision.keras_bf16)})
        if request.int8:
            card = card.model_copy(update={"precision": card.precision.model_copy(update={"int8": False})})
            say(f"int8: calibrating on {min(len(calibration.pixels), CALIBRATION_IMAGES)} training images")
            quantize(folder / OPENVINO_FILES[0], folder / INT8_FILES[0], calibration.pixels)
        fresh = write_card(folder, card)
        difference = check_agreement(fresh, held.pixels) if KERAS_FILE in card.files and len(held.pixels) else None
        agreements = _measure(fresh, request, held.pixels)
        final = _finish(fresh, agreements)
    return {
        "out": str(out),
        "model_version": final.version,
        "was_model_version": package.version,
        "precision": final.card.precision.model_dump(),
        "held_out_images": len(held.pixels),
        "engines_differ_by": difference,
        "measured": {name: agreement.document() for name, agreement in agreements.items()},
        "said": [agreement.sentence(name) for name, agreement in agreements.items()],
    }


def _make_openvino(folder: Path) -> None:
    """The f32 files from model.keras. Raises PackageError where Keras refuses it."""
    start_keras()
    import keras

    try:
        model = keras.saving.load_model(folder / KERAS_FILE, compile=False, safe_mode=True)
    except Exception as problem:  # Keras raises nearly anything on a file that it refuses
        reason = (str(problem) or type(problem).__name__).strip().splitlines()[0]
        raise PackageError(f"{folder / KERAS_FILE}: Keras refuses it ({reason})") from problem
    write_openvino(model, folder)


def scores_at(package: Package, engine: EngineName, precision: PrecisionName, pixels: Pixels) -> Scores | None:
    """Logits (N, C) at a precision that the card need not prove; None where this machine does not compute it."""
    trial = package.card.model_copy(
        update={"precision": Precision(bf16=True, int8=precision == "int8", keras_bf16=True)}
    )
    if engine == "keras":
        start_keras()
    loaded = load_engine(
        engine,
        unpack(replace(package, card=trial).pack(engine, precision)),
        batch_size=BATCH,
        threads=cores(),
        keras_backend="tensorflow",
        precision=precision,
    )
    return _scores(loaded, pixels) if loaded.name == f"{engine}-{precision}" else None


def _scores(engine: Engine, pixels: Pixels) -> Scores:
    starts = range(0, len(pixels), BATCH)
    steps = progress(starts, len(starts), "batch", engine.name)
    return np.concatenate([engine.predict(pixels[start : start + BATCH]) for start in steps])


def _measure(package: Package, request: ExportRequest, pixels: Pixels) -> dict[str, Agreement]:
    """Precision -> its agreement with f32 of Keras, or of OpenVINO where the package has no Keras model."""
    has_keras = KERAS_FILE in package.card.files
    asked: list[tuple[str, EngineName, PrecisionName]] = []
    if request.int8:
        asked.append(("int8", "openvino", "int8"))
    if request.bf16:
        asked.append(("bf16", "openvino", "bf16"))
    if request.bf16 and has_keras:
        asked.append(("keras_bf16", "keras", "bf16"))
    if not asked:
        return {}
    reference = scores_at(package, "keras" if has_keras else "openvino", "f32", pixels)
    assert reference is not None  # every machine computes f32
    found = {}
    for name, engine, precision in asked:
        other = scores_at(package, engine, precision, pixels)
        if other is None:
            raise DataError(
                f"--{precision}: this machine's processor does not compute {precision} natively, so that nothing can "
                "be proven here; wanted one with avx512_bf16 or AMX (bf16), or with VNNI or AMX (int8)"
            )
        found[name] = compare(reference, other, package.card)
    return found


def _finish(package: Package, agreements: dict[str, Agreement]) -> Package:
    """The card with what was measured; int8 files that did not pass the gate are dropped."""
    card = package.card
    flags = {name: agreement.is_proven for name, agreement in agreements.items()}
    measured = {**card.metrics.get("precision", {}), **{name: found.document() for name, found in agreements.items()}}
    metrics = {**card.metrics, "precision": measured} if agreements else card.metrics
    precision = card.precision.model_copy(update=flags)
    if not precision.int8:
        shutil.rmtree((package.path / INT8_FILES[0]).parent, ignore_errors=True)
    return write_card(package.path, card.model_copy(update={"precision": precision, "metrics": metrics}))


def _copy(package: Package, folder: Path, *, is_renewed: bool) -> None:
    """The package's files but for those that are made anew."""
    left_out = {*OPENVINO_FILES, *INT8_FILES} if is_renewed else set()
    for name in package.card.files:
        if name not in left_out:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(package.path / name, folder / name)


def _images(package: Package, request: ExportRequest) -> tuple[Pictures, Pictures]:
    """Held-out and calibration images, never the same ones. Raises DataError."""
    trained = trained_on(package)
    spec = package.card.spec
    folders = [folder for folder in (request.held_out, request.calibration) if folder is not None]
    if (request.int8 or request.bf16) and not folders:
        raise DataError("--int8 and --bf16 are proven on images: wanted --held-out DIR, or --calibration DIR, or both")
    if trained is None and request.int8 and (request.held_out is None or request.calibration is None):
        raise DataError(
            f"{package.path}: does not say what it was trained on (no data.tsv), so that --int8 wants both "
            "--calibration DIR and --held-out DIR"
        )
    calibration = read_pictures(folders[-1], spec, CALIBRATION_IMAGES, _in(trained)) if request.int8 else _none(spec)
    if request.int8 and len(calibration.pixels) < LEAST_CALIBRATION_IMAGES:
        raise DataError(
            f"{folders[-1]}: wanted {LEAST_CALIBRATION_IMAGES} or more images that the package was trained on, to "
            f"calibrate int8. Received: {len(calibration.pixels)}"
        )
    used = frozenset(calibration.sha256) | (trained or frozenset())
    if not folders:
        return _none(spec), calibration
    held = read_pictures(folders[0], spec, request.most_images, lambda digest: digest not in used)
    if (request.int8 or request.bf16) and not len(held.pixels):
        raise DataError(
            f"{folders[0]}: wanted {LEAST_IMAGES} or more images that the package was not trained on. Received: none"
        )
    return held, calibration


def _in(trained: frozenset[str] | None) -> Any:
    """All images where nothing is known of the training."""
    return (lambda _: True) if trained is None else trained.__contains__


def _none(spec: Any) -> Pictures:
    return Pictures((), np.empty((0, spec.height, spec.width, 3), np.uint8))


def lines(summary: dict[str, Any]) -> Sequence[str]:
    """The summary for people."""
    version, was = summary["model_version"], summary["was_model_version"]
    said = [*summary["said"], f"{summary['out']}: version {version}"]
    if summary["engines_differ_by"] is not None:
        said[-1] += f", OpenVINO f32 differs from Keras by up to {summary['engines_differ_by']:.2g} in a logit"
    if version != was:
        said.append(f"the version was {was}: the next run predicts every image anew")
    return said
