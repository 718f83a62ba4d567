"""A head of one dense layer on features of a frozen base, solved to its optimum by L-BFGS.

That is logistic regression, multinomial for classes and binary for a label that is yes or no. How strongly its weights
are held back is chosen by cross-validation, so that twelve images a class and a thousand are both learned as far as
they carry, and no further.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

Rows = NDArray[np.float64]

PENALTIES: Final = tuple(float(value) for value in np.logspace(0, -5, 11))
"""Half the squared weights times one of these is added to the mean loss. Strong to weak: each begins where the last one
ended, which takes a fraction of the steps."""
WORSE: Final = 2
"""Penalties in a row that left out images like less than the best before, after which no weaker one is tried."""
WORTH_THREADS: Final = 4_000_000
"""Numbers in the features from which several cores save more than they cost."""
FOLDS: Final = 5
STEPS: Final = 300
"""L-BFGS stops by itself long before, except where classes can be told apart without a doubt."""
_SALT: Final = 5_000
"""Keeps this draw apart from others of the same seed."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The loss whose mean is made small, as functions of logits (N, C) and targets (N, C)."""

    losses: Callable[[Rows, NDArray[np.float32]], Rows]
    """Loss of each image, (N,)."""
    slopes: Callable[[Rows, NDArray[np.float32]], Rows]
    """Its derivative in each logit, (N, C)."""
    answers: Callable[[NDArray[np.float32]], NDArray[np.int64]]
    """The answer that an image's targets mean, without smoothing: a number of each, (N,)."""
    certain: Callable[[NDArray[np.int64], int], NDArray[np.float32]]
    """Targets (N, C) of those answers; C: how many logits there are."""


SOFTMAX: Final = Objective(
    losses=lambda logits, targets: -(targets * log_softmax(logits, axis=1)).sum(axis=1),
    slopes=lambda logits, targets: softmax(logits, axis=1) - targets,
    answers=lambda targets: targets.argmax(axis=1),
    certain=lambda answers, classes: np.eye(classes, dtype=np.float32)[answers],
)
"""Cross-entropy of classes, of which an image shows one."""
SIGMOID: Final = Objective(
    losses=lambda logits, targets: (np.logaddexp(0, logits) - targets * logits).sum(axis=1),
    slopes=lambda logits, targets: expit(logits) - targets,
    answers=lambda targets: (targets[:, 0] > 0.5).astype(np.int64),
    certain=lambda answers, _: answers[:, None].astype(np.float32),
)
"""Cross-entropy of one label, which an image shows or not: C is 1."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The head's weights, and what they were found with."""

    kernel: NDArray[np.float32]
    """(D, C)."""
    bias: NDArray[np.float32]
    """(C,)."""
    penalty: float
    losses: dict[float, float]
    """Penalty that was tried -> mean cross-entropy of left out images; empty where there were too few for folds."""

    def measured(
        self, features: NDArray[np.float32], targets: NDArray[np.float32], weights: NDArray[np.float32]
    ) -> tuple[float, float]:
        """Mean loss and accuracy on what it was solved for, as the other phases report theirs."""
        logits = features @ self.kernel + self.bias
        losses = -(targets * log_softmax(logits, axis=1)).sum(axis=1)
        hits = logits.argmax(axis=1) == targets.argmax(axis=1)
        return float((weights * losses).mean()), float(hits.mean())


def solve_head(
    features: NDArray[np.float32],
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
    seed: int,
    objective: Objective = SOFTMAX,
) -> Solution:
    """The weights for features (views, N, D), targets (N, C), weights of the examples (N,).

    Targets of SOFTMAX are rows that sum to 1, those of SIGMOID one column between 0 and 1.
    """
    mean = features.mean(axis=(0, 1), dtype=np.float64)
    # One scale for all: a feature that hardly moves is mostly noise, and must not be made as loud as the others.
    scale = float(np.sqrt(features.var(axis=(0, 1), dtype=np.float64).mean())) or 1.0
    examples = _Examples(((features - mean) / scale).astype(np.float32), targets, weights, objective)
    with threadpool_limits(None if features.size > WORTH_THREADS else 1):
        losses = _cross_validated(examples, seed)
        penalty = min(losses, key=lambda one: losses[one]) if losses else PENALTIES[len(PENALTIES) // 2]
        start = examples.nothing()
        for one in PENALTIES[: PENALTIES.index(penalty) + 1]:
            start = _solved(examples, one, start)
    kernel = start[:-1] / scale
    bias = start[-1] - mean @ kernel
    return Solution(kernel.astype(np.float32), bias.astype(np.float32), penalty, losses)


@dataclass(frozen=True, slots=True)
class _Examples:
    """What a head learns from, every view of an image with the image's target and weight."""

    views: NDArray[np.float32]
    """(views, N, D), each feature with mean 0, all together with deviation 1."""
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    objective: Objective

    def part(self, rows: NDArray[np.int64]) -> "_Examples":
        """Some of the images, with all their views."""
        return _Examples(self.views[:, rows], self.targets[rows], self.weights[rows], self.objective)

    def nothing(self) -> Rows:
        """Weights (D + 1, C) that have learned nothing."""
        return np.zeros((self.views.shape[2] + 1, self.targets.shape[1]))


def _cross_validated(examples: _Examples, seed: int) -> dict[float, float]:
    """Penalty -> loss of left out images, as they are; empty where some class has too few to leave one out."""
    truth, classes = examples.objective.answers(examples.targets), max(2, examples.targets.shape[1])
    folds = min(FOLDS, int(np.bincount(truth, minlength=classes).min()))
    if folds < 2:
        return {}
    parts = [(examples.part(kept), left_out) for kept, left_out in _folds(truth, folds, seed)]
    starts = [examples.nothing()] * folds
    losses: dict[float, float] = {}
    for penalty in PENALTIES:
        starts = [_solved(part, penalty, start) for (part, _), start in zip(parts, starts, strict=True)]
        total = sum(
            _left_out_loss(examples, truth, left_out, start) for (_, left_out), start in zip(parts, starts, strict=True)
        )
        losses[penalty] = total / float(examples.weights.sum())
        if len(losses) - 1 - list(losses.values()).index(min(losses.values())) >= WORSE:
            break
    return losses


def _left_out_loss(examples: _Examples, truth: NDArray[np.int64], rows: NDArray[np.int64], solved: Rows) -> float:
    """Weighted sum of the loss of some images, as they are, by their answers without smoothing."""
    logits = examples.views[0, rows] @ solved[:-1] + solved[-1]
    certain = examples.objective.certain(truth[rows], examples.targets.shape[1])
    return float((examples.weights[rows] * examples.objective.losses(logits, certain)).sum())


def _folds(truth: NDArray[np.int64], folds: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    state = int(np.random.default_rng((seed, _SALT)).integers(2**31))
    yield from StratifiedKFold(folds, shuffle=True, random_state=state).split(truth, truth)


def _solved(examples: _Examples, penalty: float, start: Rows) -> Rows:
    """Weights (D + 1, C), the last row the bias, which is not held back."""
    views = len(examples.views)
    rows = examples.views.reshape(-1, examples.views.shape[2])
    targets, objective = np.tile(examples.targets, (views, 1)), examples.objective
    share = np.tile(examples.weights / examples.weights.sum() / views, views)[:, None]

    def loss(flat: Rows) -> tuple[float, Rows]:
        parameters = flat.reshape(start.shape)
        logits = rows @ parameters[:-1].astype(np.float32) + parameters[-1]
        value = float((share[:, 0] * objective.losses(logits, targets)).sum())
        value += penalty / 2 * float((parameters[:-1] ** 2).sum())
        wrong = share * objective.slopes(logits, targets)
        slope = np.vstack([rows.T @ wrong.astype(np.float32) + penalty * parameters[:-1], wrong.sum(axis=0)])
        return value, slope.ravel()

    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "gtol": 3e-5})
    solved: Rows = found.x.reshape(start.shape)
    return solved
