"""`fit --features`: trains a head on stored features, without a single image."""

import time
from pathlib import Path
from typing import Any

from eoltag.errors import SettingsError
from train.cli import start_keras
from train.data.label_table import read_label_table
from train.data.stored_features import check_base, read_stored_dataset
from train.fit.attempts import check_out, unfinished_attempt
from train.fit.run import FitInputs, train_and_package
from train.package.bases import base_version
from train.settings import FitSettings


def fit_head(
    settings: FitSettings, output: Path, labels: Path, out: Path, *, is_resumed: bool = False
) -> dict[str, Any]:
    """Train a head on features of an output directory, package, check; returns the summary. Raises UsageError.

    labels: a CSV, see read_label_table. The package is whole where the features are of a base that the settings build,
    and a head alone where they name an imported one.
    """
    started = time.monotonic()
    check_out(out)
    _check_settings(settings)
    attempt = unfinished_attempt(out, settings) if is_resumed else None
    table = read_label_table(labels, has_several=settings.has_several)
    classes, base = len(table.labels), settings.features_of
    if base:  # before Keras, which takes seconds
        check_base(output, base, "features_of")
    start_keras()
    from train.fit.loop import start_network

    if base:
        dataset = read_stored_dataset(output, base, table)
        network = start_network(settings, classes, dataset.feature_length)
    else:
        network = start_network(settings, classes)
        base = base_version(network.features, settings.spec)
        check_base(output, base, f"{settings.architecture} at {settings.side_px} px, as the settings build it")
        dataset = read_stored_dataset(output, base, table, network.features.output_shape[-1])
    source = f"--features {output} --labels {labels}"
    return train_and_package(settings, FitInputs(source, dataset, network, attempt), out, started)


def _check_settings(settings: FitSettings) -> None:
    """Raises SettingsError where they ask for more than a head on a base as it is."""
    if not settings.is_frozen_first:
        raise SettingsError(
            "--features: wanted an architecture with pretrained weights, or features_of for an imported base. "
            f"Received: architecture '{settings.architecture}' with weights '{settings.weights}'"
        )
    if settings.fine_tune_epochs:
        raise SettingsError(
            "fine_tune_epochs: wanted 0 with --features, from which only the head can learn "
            f"(--set fine_tune_epochs=0 --set fine_tune_from=). Received: {settings.fine_tune_epochs}"
        )
    if settings.augmentation != "off":
        raise SettingsError(
            "augmentation: wanted off with --features, which are of the pictures as they are "
            f"(--set augmentation=off). Received: {settings.augmentation}"
        )
