"""Many steps in one call: the same training as one call for each."""

from typing import Any

import keras
import numpy as np
import pytest

from train.architectures.head import head
from train.optimization.multi_step import StepExecutor, steps_per_execution
from train.optimization.optimizer import make_optimizer
from train.optimization.seeding import make_repeatable, reseed
from train.settings import FitSettings

BATCH = 4
RATES = [1e-2, 3e-2, 2e-2, 1e-3, 5e-2]


def stepped(calls: list[int], **more: Any) -> tuple[list[Any], np.ndarray]:
    """The weights, and the mean loss and accuracy, after five steps in calls of so many."""
    make_repeatable(3)
    settings = FitSettings(architecture="mobilenet", head_units=(6,), dropout=0.4, l2=1e-3, **more)
    network = head(settings, 5, 3)
    network.compile(
        optimizer=make_optimizer(settings),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    reseed(network, (1, 2))
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(len(RATES) * BATCH, 5)).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[rng.integers(0, 3, len(inputs))]
    weights = rng.uniform(0.5, 2, len(inputs)).astype(np.float32)
    executor, sums, at = StepExecutor(network), np.zeros(2), 0
    for count in calls:
        rows = slice(at * BATCH, (at + count) * BATCH)
        sums += count * np.array(executor.run(inputs[rows], targets[rows], weights[rows], RATES[at : at + count]))
        at += count
    return network.get_weights(), sums / len(RATES)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_many_steps_in_one_call_leave_the_weights_of_single_ones(optimizer: str) -> None:
    one_by_one, figures = stepped([1, 1, 1, 1, 1], optimizer=optimizer, head_batch_norm="before_activation")
    for calls in ([5], [2, 3], [4, 1]):
        together, same = stepped(calls, optimizer=optimizer, head_batch_norm="before_activation")
        for one, other in zip(one_by_one, together, strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(same, figures, rtol=1e-5)


def test_a_call_takes_as_many_steps_as_fit_into_a_few_megabytes() -> None:
    assert steps_per_execution(768, 32) == 85
    assert steps_per_execution(14 * 14 * 384, 32) == 1
