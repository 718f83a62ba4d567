"""What a foreign model gives, as logits: one for each label, of which softmax makes the probabilities.

A model of two labels may have one output, the score of the second label: with 0 for the first, softmax gives the same
probability as the sigmoid does.
"""

from typing import Any, Final

import numpy as np

from eoltag.errors import DataError
from eoltag.records import Scores
from train.import_.foreign import ImportRequest

LEAST_PROBABILITY: Final = 1e-30
"""Below it the logarithm is cut: a probability that float32 rounded to zero would give minus infinity."""
LEAST_OF_TWO: Final = 1e-6
"""The same where 1 - p counts as well, whose smallest step in float32 is 6e-8."""
_OF_TWO: Final = 2
_SHARES: Final = ("sigmoid", "labels")
"""Outputs that are probabilities by themselves."""
_LABELS: Final = ("labels", "label_logits")


def check_outputs(shape: tuple[int | None, ...], request: ImportRequest) -> None:
    """Raises DataError where the model does not give one score per label, or one for two labels."""
    count = shape[1] if len(shape) == _OF_TWO else None
    has_one = count == 1 and len(request.labels) == _OF_TWO and request.output in ("logits", "sigmoid")
    if request.output == "sigmoid" and not has_one:
        raise DataError(
            f"{request.source}: --output sigmoid wanted a model with one output and two labels, the first for 0 "
            f"and the second for 1. Received: {count or f'shape {shape}'} outputs, {len(request.labels)} labels"
        )
    if count != len(request.labels) and not has_one:
        raise DataError(
            f"{request.source}: wanted one output for each of {len(request.labels)} labels "
            f"({', '.join(request.labels)}). Received: {count or f'shape {shape}'} outputs"
        )


def check_values(output: Scores, request: ImportRequest, rounding: float) -> None:
    """Raises DataError where --output cannot be true of what the source gave. output (N, C): for different images."""
    is_share = output.min() >= 0 and output.max() <= 1 + rounding
    sums_to_one = is_share and output.shape[1] > 1 and np.abs(output.sum(axis=1) - 1).max() < rounding
    fits = {
        "logits": not is_share, "softmax": sums_to_one, "sigmoid": is_share,
        "labels": is_share and not sums_to_one, "label_logits": not is_share,
    }  # fmt: skip
    if fits[request.output]:
        return
    if sums_to_one:
        came = "its outputs sum to 1 for every image, so they are probabilities; wanted --output softmax"
    elif is_share and output.shape[1] == 1:
        came = "its output lies between 0 and 1 for every image, so it is a probability; wanted --output sigmoid"
    elif is_share:
        came = (
            "its outputs lie between 0 and 1 and do not sum to 1, so each is the probability of a label by itself; "
            "wanted --output labels"
        )
    else:
        came = (
            f"its outputs are no probabilities (one image gives {output[0].min():.3g} to {output[0].max():.3g}, "
            f"sum {output[0].sum():.3g}); wanted --output logits"
        )
    raise DataError(f"{request.source}: {came}. Received: --output {request.output}")


def logits_of(output: Scores, request: ImportRequest) -> Scores:
    """(N, C) float32 from what the source gave."""
    if request.output == "softmax":
        return np.log(np.maximum(output, LEAST_PROBABILITY)).astype(np.float32)
    if request.output in _SHARES:
        share = np.clip(output, LEAST_OF_TWO, 1 - LEAST_OF_TWO)
        output = (np.log(share) - np.log1p(-share)).astype(np.float32)
    return output if output.shape[1] == len(request.labels) else np.hstack([np.zeros_like(output), output])


def kind_of(request: ImportRequest) -> str:
    """The output kind that the card names."""
    return "labels" if request.output in _LABELS else "classes"


def outputs_of(logits: Scores, request: ImportRequest) -> Scores:
    """What the source would have given for these logits (N, C)."""
    if request.output == "softmax":
        return np.exp(logits)
    if request.output == "sigmoid":
        shares: Scores = 1 / (1 + np.exp(logits[:, :1] - logits[:, 1:]))
        return shares
    if request.output == "labels":
        each: Scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
        return each
    return logits


def logits_in_keras(scores: Any, request: ImportRequest) -> Any:
    """The same behind a symbolic output (N, units) of Keras."""
    from keras import ops

    if request.output == "softmax":
        return ops.log(ops.maximum(scores, LEAST_PROBABILITY))
    if request.output in _SHARES:
        share = ops.clip(scores, LEAST_OF_TWO, 1 - LEAST_OF_TWO)
        scores = ops.log(share) - ops.log1p(-share)
    return scores if scores.shape[1] == len(request.labels) else ops.concatenate([scores * 0.0, scores], axis=1)


def logits_in_openvino(scores: Any, units: int | None, request: ImportRequest) -> Any:
    """The same behind an output of an OpenVINO network. units: of that output."""
    from openvino import opset13 as opset

    def number(value: float) -> Any:
        return opset.constant(np.float32(value))

    if request.output == "softmax":
        return opset.log(opset.maximum(scores, number(LEAST_PROBABILITY))).output(0)
    if request.output in _SHARES:
        share = opset.clamp(scores, LEAST_OF_TWO, 1 - LEAST_OF_TWO)
        scores = opset.subtract(opset.log(share), opset.log(opset.subtract(number(1.0), share))).output(0)
    if units == len(request.labels):
        return scores
    return opset.concat([opset.multiply(scores, number(0.0)), scores], axis=1).output(0)
