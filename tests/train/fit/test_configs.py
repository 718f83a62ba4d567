"""Every training file in conf/train, shortened: it trains all its phases and becomes a package."""

import csv
from pathlib import Path

import pytest

from tests.support.base_weights import base_weights
from tests.support.paths import ROOT
from tests.support.pictures import save_two_classes
from train.__main__ import main
from train.fit.attempts import find_package
from train.settings import WHOLE, read_fit_settings

CONFIGS = sorted(path for path in ROOT.glob("conf/train/*.toml") if not path.stem.startswith("tune"))
SIDE_PX = 80
"""Large enough for every base."""
SMALL_PX = 48
"""For networks without one, whose dense layers grow with the picture."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 pictures in two classes."""
    return save_two_classes(tmp_path_factory.mktemp("pictures"), 20, (48, 64))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_training_file_that_comes_with_eoltag_trains(config: Path, pictures: Path, tmp_path: Path) -> None:
    settings = read_fit_settings(config)
    side_px = SMALL_PX if settings.architecture in WHOLE else SIDE_PX
    words = ["fit", str(config), "--data", str(pictures), "--out", str(tmp_path / "out")]
    words += ["--set", "epochs=1", "--set", f"image_size_px={side_px}"]
    if settings.has_base:
        words += ["--weights", str(base_weights(settings, SIDE_PX, tmp_path / "base.weights.h5"))]
    if settings.fine_tune_epochs:
        words += ["--set", "fine_tune_epochs=1"]
    assert main(words) == 0
    with (tmp_path / "out/001/history.csv").open() as stream:
        phases = [row["phase"] for row in csv.DictReader(stream)]
    first = "head" if settings.has_base else "whole"
    assert phases == ([first, "fine_tuning"] if settings.fine_tune_epochs else [first])
    card = find_package(tmp_path / "out").card
    assert (card.name, card.labels) == (settings.name, ("one", "two"))
    assert card.hyperparameters["architecture"] == settings.architecture
