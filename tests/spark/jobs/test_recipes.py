"""Each recipe of EOL's tasks, as it ships: pictures -> recipe -> package -> task -> tags, with no hand edit between."""

import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.settings import FetchSettings, Settings
from eoltag.spark.jobs.tag import tag_bundles
from eoltag.spark.requests import TagRequest
from tests.support.base_weights import base_weights
from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.pictures import save
from train.__main__ import main
from train.settings import read_fit_settings

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1800)]

SIDE_PX, SMALL_PX = 80, 48
"""Of networks with a base, and without."""
FLOWERS = ("Flower", "Fruit", "Null")
PARTS = ("Branch", "Entire", "Flower", "Fruit", "Leaf", "Stem")
KINDS = ("herb", "illus", "map", "null", "phylo")

WALKS = {
    # task: recipe of each of its models, classes
    "rating": (("rating_18",), ("bad", "good")),
    "rating_five": (("rating_06",), ("1", "2", "3", "4", "5")),
    "image_type": (("image_type_13",), KINDS),
    "flower_fruit": (("flower_fruit_07", "flower_fruit_11"), FLOWERS),
    "flowers": (("flowers",), PARTS),
}
OF_EACH = 8


def photographs(folder: Path, classes: tuple[str, ...]) -> Path:
    """Some of each class; for `flowers` as PlantCLEF publishes them, made a set by `prepare`."""
    numbers = iter(range(1000))
    for label in classes:
        for number in range(OF_EACH):
            save(folder / "images" / label / f"{number}.jpg", next(numbers))
    if classes != PARTS:
        return folder / "images"
    for path in sorted((folder / "images").rglob("*.jpg")):
        target = folder / "plantclef" / f"{path.parent.name}_{path.name}"
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        target.with_suffix(".xml").write_text(f"<Image><Content>{path.parent.name}</Content></Image>")
    assert main(["prepare", "plantclef", str(folder / "plantclef"), "--out", str(folder / "mine/flowers")]) == 0
    return folder / "mine/flowers/images"


def fit(recipe: str, data: Path, weights: Path) -> None:
    """The command of the recipe's header, on fewer and smaller pictures."""
    config = ROOT / f"conf/train/{recipe}.toml"
    assert f"fit conf/train/{recipe}.toml " in config.read_text()
    assert f"--out models/{recipe}\n" in config.read_text()
    settings = read_fit_settings(config)
    side_px = SIDE_PX if settings.has_base else SMALL_PX
    changes = ["epochs=1", f"image_size_px={side_px}"] + ["fine_tune_epochs=1"] * settings.has_base
    words = ["fit", str(config), "--data", str(data), "--out", f"models/{recipe}"]
    words += [word for change in changes for word in ("--set", change)]
    if settings.has_base:
        words += ["--weights", str(base_weights(settings, SIDE_PX, weights))]
    assert main(words) == 0


@pytest.mark.parametrize("task", WALKS)
def test_a_recipe_makes_the_package_that_its_task_tags_with(
    task: str,
    session: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert session is not None
    monkeypatch.chdir(tmp_path)
    recipes, classes = WALKS[task]
    data = photographs(tmp_path, classes)
    for recipe in recipes:
        fit(recipe, data, tmp_path / f"{recipe}.weights.h5")
    pictures = [path.relative_to(data).as_posix() for path in sorted(data.rglob("*.jpg"))][::OF_EACH]
    capsys.readouterr()
    with Loopback(data) as server:
        (tmp_path / "list.txt").write_text("".join(f"{server.url(f'/files/{name}')}\n" for name in pictures))
        request = TagRequest(
            bundles=["list.txt"],
            tasks=[task],
            output=str(tmp_path / "output"),
            settings=Settings(fetch=FetchSettings(allow_private_hosts=True)),
            root=ROOT,
            is_quiet=True,
            as_json=True,
        )
        assert tag_bundles(request) == 0
    summary = json.loads(capsys.readouterr().out)
    rows = pq.read_table(tmp_path / f"output/tags/task={task}", partitioning=None).to_pylist()
    assert Counter(row["outcome"] for row in rows) == {"ok": len(classes)}
    assert all(row["tag"] is not None for row in rows)
    for recipe in recipes:
        assert any(f"models/{recipe}/001/package, model version" in note for note in summary["notes"])
    (record,) = (tmp_path / "output/runs").glob("*.json")
    pinned = json.loads(record.read_text())["tasks"][task]
    paths = [str(tmp_path / f"models/{recipe}/001/package") for recipe in recipes]
    assert list(pinned["model_paths"].values()) == paths
