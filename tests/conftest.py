"""Fixtures that several test files share."""

from pathlib import Path
from typing import Final

import pytest

from eoltag.model.engines.precision import cpu_precisions
from tests.support.colours import TRAINED_ON, draw, write_package
from train.__main__ import main

_LONG: Final = ("spark", "train")
"""Folders whose files take up to minutes, many of them with few tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take long first: those handed out last are short, and no process waits for another."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in _LONG)


@pytest.fixture(scope="session")
def sample_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of five classes, 20 small drawings each: herbarium_sheet, illustration, map, photo, phylogeny."""
    folder = tmp_path_factory.mktemp("sample_images")
    assert main(["sample-data", str(folder), "--per-class", "20", "--max-side", "128"]) == 0
    return folder


@pytest.fixture(scope="session")
def small_package(sample_images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real model package, trained on those drawings at 32 px for some seconds."""
    root = tmp_path_factory.mktemp("models")
    config = root / "small.toml"
    config.write_text(
        'name = "small"\nimage_size_px = 32\nfirst_filters = 8\nepochs = 20\nbatch_size = 8\nlearning_rate = 3e-3\n'
    )
    assert main(["fit", str(config), "--data", str(sample_images), "--out", str(root / "small")]) == 0
    return root / "small" / "001" / "package"


@pytest.fixture(scope="session")
def colour_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """640 easy pictures for the classifier of colours; the package below was trained on the first 40."""
    folder = tmp_path_factory.mktemp("colours") / "easy"
    draw(folder, 640, contrast=90, seed=1)
    return folder


@pytest.fixture(scope="session")
def colour_package(colour_pictures: Path) -> Path:
    """A package with all files, nothing proven yet."""
    train = sorted(colour_pictures.iterdir())[:TRAINED_ON]
    return write_package(colour_pictures.parent / "package", train).path


@pytest.fixture(scope="session")
def proven_package(colour_package: Path, colour_pictures: Path) -> Path:
    """The same with int8 and bf16 proven; skips the test where this processor has neither."""
    if not {"int8", "bf16"} <= cpu_precisions():
        pytest.skip("this processor has no VNNI or no bfloat16")
    out = colour_package.parent / "proven"
    pictures = str(colour_pictures)
    assert main(["export", str(colour_package), "--int8", "--bf16", "--held-out", pictures, "--out", str(out)]) == 0
    return out
