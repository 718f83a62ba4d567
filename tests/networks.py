"""Networks that a test can train from nothing in an epoch."""

import pytest


def learn_averages_at_once(patch: pytest.MonkeyPatch) -> None:
    """Have batch normalisation take its averages from the last batches.

    They move by a hundredth a batch otherwise: after the few of a test, a deep network that starts from nothing still
    gives the same scores for every picture, and a test of them could not fail.
    """
    import keras

    from train import learning
    from train.architectures import Network
    from train.settings import FitSettings

    honest = learning.build

    def build(settings: FitSettings, classes: int) -> Network:
        network = honest(settings, classes)
        for layer in network.base.layers if network.base is not None else ():
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = 0.1
        return network

    patch.setattr(learning, "build", build)
