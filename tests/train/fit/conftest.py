"""What trainings on a pretrained base begin with."""

from pathlib import Path

import pytest

from tests.support.bases import save_base_weights
from tests.support.pictures import save_two_classes


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of eight pictures."""
    return save_two_classes(tmp_path_factory.mktemp("pictures"), 8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of the smallest width."""
    return save_base_weights(tmp_path_factory.mktemp("weights") / "small.weights.h5")
