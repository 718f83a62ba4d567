"""Evaluations by output kind: what `evaluate` and `compare` make of a package, whatever its numbers mean."""

from collections.abc import Callable, Mapping
from typing import Final

from eoltag.model.package import Package
from train.evaluate.labels.run import LabelEvaluation, evaluate_labels
from train.evaluate.run import Evaluation, Request, evaluate

EVALUATIONS: Final[Mapping[str, Callable[[Package, Request], Evaluation | LabelEvaluation]]] = {
    "classes": evaluate,
    "labels": evaluate_labels,
}
"""Output kind -> its evaluation."""


def evaluate_package(package: Package, request: Request) -> Evaluation | LabelEvaluation:
    """Find, decode, score and measure, as the package's output kind wants it. Raises DataError, PackageError."""
    return EVALUATIONS[package.card.output_kind](package, request)
