"""Weights of a base that nobody trained, in the form in which keras.applications publishes them."""

from pathlib import Path

import numpy as np

from train.settings import FitSettings


def base_weights(settings: FitSettings, side_px: int, path: Path) -> Path:
    """Random ones, whose batch normalisation fits them."""
    import keras

    from train.architectures.bases import BASES
    from train.architectures.transfer import make_base
    from train.optimization.precise_bn import recalibrate_batch_norm

    keras.utils.set_random_seed(5)
    more = {"alpha": settings.alpha} if settings.architecture.startswith("mobilenet") else {}
    spec = BASES[settings.architecture]
    base = make_base(spec, include_top=False, weights=None, input_shape=(side_px, side_px, 3), **more)
    noise = np.random.default_rng(0).uniform(-1, 1, (16, side_px, side_px, 3)).astype(np.float32)
    recalibrate_batch_norm(base, [noise])
    base.save_weights(path)
    return path
