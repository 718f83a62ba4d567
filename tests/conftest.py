"""Fixtures that several test files share."""

from pathlib import Path

import pytest

from train.__main__ import main


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
    return root / "small"
