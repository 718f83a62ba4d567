"""Calibration that becomes part of the head: its last layer then gives logits whose probabilities are honest."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from eoltag.records import Scores
from train.data.dataset import Dataset, Indices
from train.fit.features import predict_rows
from train.fit.outputs import TRAINED_KINDS
from train.settings import FitSettings

if TYPE_CHECKING:
    from train.evaluate.labels.calibration import Platt
    from train.fit.loop import Trained

BATCH: Final = 64


def calibrated(
    trained: "Trained", settings: FitSettings, dataset: Dataset, validation: Indices
) -> tuple["Trained", dict[str, Any]]:
    """The training with a calibrated head, and figures of that for the card; as it is where a temperature does it.

    A line slope * logit + offset of each label, fitted to the validation images, goes into the kernel and the bias of
    the last layer. So every engine, table and query reads calibrated numbers, and knows nothing of it.
    """
    kind = TRAINED_KINDS[settings.output]
    if kind.calibrate is None:
        return trained, {}
    answers = dataset.answers[validation]
    logits = trained.held_out if trained.held_out is not None else validation_logits(trained, dataset, validation)
    line = kind.calibrate(logits, answers)
    _put_into_head(trained.model, line)
    found = {"calibration": {"per_label": line.document(logits, answers, dataset.labels)}}
    scores, held_out = (None if raw is None else line.applied(raw) for raw in (trained.scores, trained.held_out))
    return replace(trained, scores=scores, held_out=held_out), found


def validation_logits(trained: "Trained", dataset: Dataset, rows: Indices) -> Scores:
    """Logits of the validation images (V, C). rows: theirs."""
    if trained.scores is not None:
        return trained.scores
    inputs = dataset.pixels if dataset.vectors is None else dataset.vectors
    pieces = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    return np.concatenate([predict_rows(trained.model, inputs[piece], BATCH) for piece in pieces])


def _put_into_head(model: Any, line: "Platt") -> None:
    """model: keras.Model whose layer `logits` is its own, or that of its layer `head`."""
    names = {layer.name for layer in model.layers}
    layer = model.get_layer("logits") if "logits" in names else model.get_layer("head").get_layer("logits")
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * line.slopes, bias * line.slopes + line.offsets])
