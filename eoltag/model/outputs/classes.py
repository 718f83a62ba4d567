"""The output kind `classes`: each image shows one of many, and the probabilities of all labels sum to 1."""

from typing import Final

import numpy as np

from eoltag.model.outputs.kind import OutputKind, OutputSql
from eoltag.records import Scores


def softmax(logits: Scores, temperature: float) -> Scores:
    """Probabilities softmax(logits / temperature), (N, C) float32; every row sums to 1, whatever the logits' size."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    probabilities: Scores = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


_SCALED: Final = "exp(CAST(x AS DOUBLE) / {temperature} - CAST(TOP AS DOUBLE) / {temperature})"
"""One number of the softmax before it is divided by their sum."""
_SPARK: Final = OutputSql(
    label="element_at({labels}, CAST(array_position({raw}, array_max({raw})) AS INT))",
    # The largest and the sum are bound by one-element arrays, so that they are computed once for an image.
    confidence="element_at(transform(array(array_max({raw})), top -> CAST(1 / aggregate({raw}, CAST(0 AS DOUBLE), "
    "(total, x) -> total + " + _SCALED.replace("TOP", "top") + ") AS FLOAT)), 1)",
    logit="array_max({raw})",
    scores="map_from_arrays({labels}, element_at(transform(array(array_max({raw})), top -> element_at(transform(array("
    "transform({raw}, x -> " + _SCALED.replace("TOP", "top") + ")), powers -> element_at(transform(array("
    "aggregate(powers, CAST(0 AS DOUBLE), (total, x) -> total + x)), total -> "
    "transform(powers, x -> CAST(x / total AS FLOAT))), 1)), 1)), 1))",
)
_POWERS: Final = "list_transform({raw}, lambda x: " + _SCALED.replace("TOP", "list_max({raw})") + ")"
_DUCKDB: Final = OutputSql(
    label="{labels}[list_position({raw}, list_max({raw}))]",
    confidence=f"CAST(1 / list_sum({_POWERS}) AS FLOAT)",
    logit="list_max({raw})",
    scores="map({labels}, list_transform("
    + _POWERS
    + ", lambda power: CAST(power / list_sum("
    + _POWERS
    + ") AS FLOAT)))",
)

CLASSES: Final = OutputKind(softmax, "one of many labels; the probabilities of all labels sum to 1", _SPARK, _DUCKDB)
