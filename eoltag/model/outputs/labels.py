"""The output kind `labels`: each label is yes or no by itself, so that an image may show several, or none."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from eoltag.model.outputs.kind import OutputKind, OutputSql
from eoltag.records import Scores


def sigmoid(logits: Scores, temperature: float) -> Scores:
    """The probability of each label by itself, 1 / (1 + exp(-logit / temperature)), (N, C) float32."""
    scaled = np.clip(logits.astype(np.float64) / temperature, -_LARGEST, _LARGEST)
    probabilities: Scores = (1 / (1 + np.exp(-scaled))).astype(np.float32)
    return probabilities


_LARGEST: Final = 700.0
"""Beyond it exp leaves the range of float64; the probability is 0 or 1 in float32 long before."""
_ONE: Final = "CAST(1 / (1 + exp(greatest(-700, least(700, -CAST(x AS DOUBLE) / {temperature})))) AS FLOAT)"
_SPARK: Final = OutputSql(
    label="element_at({labels}, CAST(array_position({raw}, array_max({raw})) AS INT))",
    confidence=_ONE.replace("x AS", "array_max({raw}) AS"),
    logit="array_max({raw})",
    scores="map_from_arrays({labels}, transform({raw}, x -> " + _ONE + "))",
)
_DUCKDB: Final = OutputSql(
    label="{labels}[list_position({raw}, list_max({raw}))]",
    confidence=_ONE.replace("x AS", "list_max({raw}) AS"),
    logit="list_max({raw})",
    scores="map({labels}, list_transform({raw}, lambda x: " + _ONE + "))",
)


def _answers(logits: Scores) -> NDArray[np.int64]:
    """1 for each label that is more likely there than not, (N, C)."""
    return (logits >= 0).astype(np.int64)


def _leads(logits: Scores) -> Scores:
    """How far the logit of any label is from 0, (N,)."""
    nearest: Scores = np.abs(logits).min(axis=1)
    return nearest


def _odds(logits: Scores, column: int, _: float) -> NDArray[np.float64]:
    """The logit itself, (N,), in which other labels have no part."""
    return logits[:, column].astype(np.float64)


LABELS: Final = OutputKind(
    sigmoid,
    "each label by itself, so that an image may show several, or none",
    _SPARK,
    _DUCKDB,
    answers=_answers,
    leads=_leads,
    odds=_odds,
)
