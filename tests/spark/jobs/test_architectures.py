"""Every network by name: it trains, both engines say the same, and the Spark job tags as `classify` does."""

import json
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import numpy as np
import pytest
from pyspark.sql import SparkSession

from eoltag.model.package import read_package
from eoltag.settings import FetchSettings, Settings
from eoltag.spark.jobs.tag import tag_bundles
from eoltag.spark.requests import TagRequest
from tests.support.flat import predictions
from tests.support.loopback import Loopback
from tests.support.pictures import save
from train.__main__ import main
from train.settings import WHOLE, ArchitectureName

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(7200)]

NAMES = get_args(ArchitectureName)
SIDE_PX = 80
"""Large enough for every base: Inception refuses less than 75."""
SMALL_PX = 48
"""For networks without a base: the dense layers of the published ones grow with the picture."""
SHOWN = 6


def test_every_architecture_tags_in_the_job_as_classify_does(
    session: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert session is not None
    pictures = tmp_path / "pictures"
    for number in range(20):
        save(pictures / "one" / f"{number:02d}.jpg", number)
        save(pictures / "two" / f"{number:02d}.jpg", 100 + number, (48, 64))
    for name in NAMES:
        side_px = SMALL_PX if name in WHOLE else SIDE_PX
        config = tmp_path / f"{name}.toml"
        config.write_text(
            f'architecture = "{name}"\nweights = "none"\nimage_size_px = {side_px}\nepochs = 1\nbatch_size = 8\n'
        )
        assert main(["fit", str(config), "--data", str(pictures), "--out", str(tmp_path / name)]) == 0
    check_job(tmp_path, pictures, tmp_path / "job", capsys)


def check_job(models: Path, pictures: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tag some pictures with all models in one job, and compare each row with what `classify` says."""
    folder.mkdir()
    shown = sorted(pictures.rglob("*.jpg"))[:: 40 // SHOWN][:SHOWN]
    named = "\n".join(f'[models.{name}]\npackage = "{models / name}/001/package"' for name in NAMES)
    (folder / "all.toml").write_text(f'name = "all"\n{named}\n')
    with Loopback(pictures) as server:
        urls = {server.url(f"/files/{quote(str(path.relative_to(pictures)))}"): path for path in shown}
        (folder / "list.txt").write_text("".join(f"{url}\n" for url in urls))
        request = TagRequest(
            bundles=[str(folder / "list.txt")],
            tasks=[str(folder / "all.toml")],
            output=str(folder / "output"),
            settings=Settings(fetch=FetchSettings(allow_private_hosts=True)),
            root=folder,
            is_quiet=True,
            as_json=True,
        )
        assert tag_bundles(request) == 0
    rows = predictions(folder / "output")
    version_of = {name: read_package(models / name / "001/package").version for name in NAMES}
    assert len(rows) == len(NAMES) * len(shown)
    capsys.readouterr()
    for name in NAMES:
        assert main(["classify", str(models / name), *map(str, shown), "--json"]) == 0
        local: dict[str, dict[str, Any]] = {row["path"]: row for row in json.loads(capsys.readouterr().out)}
        tagged = [row for row in rows if row["model_version"] == version_of[name]]
        assert len({row["logit"] for row in tagged}) > 1, f"{name} gives all pictures the same score"
        for row in tagged:
            alone = local[str(urls[row["eolMediaURL"]])]
            assert row["outcome"] == "ok", name
            assert row["label"] == alone["label"], name
            np.testing.assert_allclose(row["logit"], alone["logit"], rtol=1e-3, atol=1e-3, err_msg=name)
