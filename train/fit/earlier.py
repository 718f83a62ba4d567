"""A training that goes on from the weights of an earlier one."""

from collections.abc import Sequence
from typing import Any

import keras

from eoltag.errors import SettingsError
from eoltag.model.card import KERAS_FILE
from eoltag.model.package import Package
from train.architectures import Network


def take_weights(network: Network, earlier: Package, labels: Sequence[str], output: str) -> None:
    """Give a network the weights of a package of the same architecture, labels, output kind. Raises SettingsError."""
    if tuple(labels) != earlier.card.labels:
        raise SettingsError(
            f"--from {earlier.path}: has the labels {', '.join(earlier.card.labels)}. Received: {', '.join(labels)}"
        )
    if earlier.card.output_kind != output:
        raise SettingsError(
            f"--from {earlier.path}: is of the output kind '{earlier.card.output_kind}'. Received: output = '{output}'"
        )
    if KERAS_FILE not in earlier.card.files:
        raise SettingsError(f"--from {earlier.path}: has no {KERAS_FILE}, so that nothing can be trained further")
    model: Any = keras.saving.load_model(earlier.path / KERAS_FILE, compile=False, safe_mode=True)
    wanted, came = ([tuple(weight.shape) for weight in each.weights] for each in (network.model, model))
    if wanted != came:
        raise SettingsError(
            f"--from {earlier.path}: is another network ({earlier.card.hyperparameters.get('architecture', 'unknown')} "
            f"at {earlier.card.input.height} pixels) than the settings make"
        )
    network.model.set_weights(model.get_weights())
