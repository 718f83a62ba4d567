"""Steps per execution: many steps of the optimiser in one call, where a network is so small that calls cost most."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MOST_BYTES: Final = 2**23
"""Of the inputs of one call of many steps."""


def steps_per_execution(floats: int, batch_size: int) -> int:
    """How many steps one call may take. floats: of one example."""
    return max(1, MOST_BYTES // (4 * floats * batch_size))


class StepExecutor:
    """Runs training steps of a compiled keras.Model. Many steps in one call give the weights of single ones."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._many: Callable[..., Any] | None = None

    def run(
        self, inputs: NDArray[Any], targets: NDArray[Any], weights: NDArray[Any], rates: Sequence[float]
    ) -> tuple[float, float]:
        """One step for each rate, on equal parts of the examples; their mean loss and accuracy."""
        network = self._network
        if len(rates) == 1:
            network.optimizer.learning_rate = rates[0]
            logs = network.train_on_batch(inputs, targets, weights, return_dict=True)
        else:
            network.reset_metrics()
            self._many = self._many or _many_steps(network, len(inputs) // len(rates), inputs, targets)
            parts = [values.reshape(len(rates), -1, *values.shape[1:]) for values in (inputs, targets, weights)]
            self._many(*parts, np.asarray(rates, np.float32))
            logs = network.get_metrics_result()
        return float(logs["loss"]), float(logs["accuracy"])


def _many_steps(network: Any, size: int, inputs: NDArray[Any], targets: NDArray[Any]) -> Callable[..., Any]:
    """A call of TensorFlow that steps in a loop of its graph: inputs, targets, weights (S, B, ...), rates (S,)."""
    import tensorflow as tf

    given = [(None, size, *inputs.shape[1:]), (None, size, *targets.shape[1:]), (None, size), (None,)]

    def many(inputs: Any, targets: Any, weights: Any, rates: Any) -> None:
        def step(at: Any) -> Any:
            network.optimizer.learning_rate.assign(rates[at])
            network.train_step((inputs[at], targets[at], weights[at]))
            with tf.control_dependencies([network.optimizer.iterations.value]):
                return at + 1

        tf.while_loop(lambda at: at < tf.shape(rates)[0], step, [tf.constant(0)], parallel_iterations=1)

    found: Callable[..., Any] = tf.function(
        many, input_signature=[tf.TensorSpec(shape, tf.float32) for shape in given], autograph=False
    )
    return found
