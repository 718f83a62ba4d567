"""Seams: a new image feature and a new output kind are a file and an entry each, and the whole job knows them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from eoltag.image.decode import decode
from eoltag.model.attempts import CARD_FILE
from tests.support.flat import predictions
from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.tiny_package import write_tiny_package

pytestmark = pytest.mark.spark

BRIGHTNESS = '''
"""How bright a picture is."""

from eoltag.image.features.feature import ImageFeature

BRIGHTNESS = ImageFeature(lambda picture: float(picture.mean()), None, 0.0, 255.0, "how bright the picture is")
'''
ODDS = '''
"""Each label yes or no by itself, as `labels`, under another name."""

import numpy as np

from eoltag.model.outputs.kind import OutputKind, OutputSql

ONE = "CAST(1 / (1 + exp(-CAST(x AS DOUBLE) / {temperature})) AS FLOAT)"
SPARK = OutputSql(
    label="element_at({labels}, CAST(array_position({raw}, array_max({raw})) AS INT))",
    confidence=ONE.replace("x AS", "array_max({raw}) AS"),
    logit="array_max({raw})",
    scores="map_from_arrays({labels}, transform({raw}, x -> " + ONE + "))",
)
DUCKDB = OutputSql(
    label="{labels}[list_position({raw}, list_max({raw}))]",
    confidence=ONE.replace("x AS", "list_max({raw}) AS"),
    logit="list_max({raw})",
    scores="map({labels}, list_transform({raw}, lambda x: " + ONE + "))",
)
ODDS = OutputKind(
    lambda logits, temperature: 1 / (1 + np.exp(-logits / temperature)), "any of the labels, or none", SPARK, DUCKDB
)
'''
TASK = """
name = "seams"
features = ["brightness"]
columns = ["eolMediaURL", "tag", "brightness"]
models.main.package = "package"
[[rules]]
name = "both"
when = "scores['flower'] >= 0.5 AND scores['fruit'] >= 0.5 AND brightness < 300"
tag = "both"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the code with a further feature and a further output kind: a new file and one more entry each."""
    for name in ("eoltag", "jobs", "conf"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    _add(tmp_path / "eoltag/image/features", "brightness.py", BRIGHTNESS, "FEATURES", '"brightness": BRIGHTNESS')
    _add(tmp_path / "eoltag/model/outputs", "odds.py", ODDS, "OUTPUTS", '"odds": ODDS')
    return tmp_path


def _add(folder: Path, name: str, text: str, registry: str, entry: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    module = f"eoltag.{folder.parent.name}.{folder.name}.{name.removesuffix('.py')}"
    with (folder / "__init__.py").open("a", encoding="utf-8") as file:
        file.write(f"\nfrom {module} import {entry.rpartition(' ')[2]}\n\n{registry}.update({{{entry}}})\n")


def _environment(checkout: Path) -> dict[str, str]:
    """The copy in front of everything else; Spark as `spark-submit.sh` sets it up."""
    spark = f"--master local[2] --properties-file {checkout}/conf/spark/local.conf pyspark-shell"
    return {**os.environ, "PYTHONPATH": str(checkout), "PYSPARK_SUBMIT_ARGS": spark, "PYSPARK_PYTHON": sys.executable}


def test_a_new_feature_and_a_new_output_kind_reach_rules_tables_and_tsv(
    checkout: Path, server: Loopback, sample_images: Path
) -> None:
    files = sorted(sample_images.rglob("*_000[12].*"))
    urls = {server.url(f"/files/{file.relative_to(sample_images)}"): file for file in files}
    (checkout / "list.txt").write_text("".join(f"{url}\n" for url in urls), encoding="utf-8")
    (checkout / "seams.toml").write_text(TASK, encoding="utf-8")
    card = write_tiny_package(checkout / "package", ("flower", "fruit"), seed=3).path / CARD_FILE
    card.write_text(card.read_text().replace('"output_kind": "classes"', '"output_kind": "odds"'), encoding="utf-8")
    (checkout / "job.toml").write_text("fetch.allow_private_hosts = true\n", encoding="utf-8")
    options = ["--bundle", "list.txt", "--task", "seams.toml", "--output", "out", "--config", "job.toml", "--quiet"]
    done = subprocess.run(
        [sys.executable, "jobs/tag_bundles.py", *options],
        cwd=checkout, env=_environment(checkout), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = predictions(checkout / "out")
    assert len(rows) == len(files) == 10
    for row in rows:
        picture = decode(urls[row["eolMediaURL"]].read_bytes(), [], 10**8, [None]).pictures[0]
        assert row["brightness"] == picture.mean()
        scores = dict(row["scores"])
        assert max(scores.values()) == pytest.approx(1 / (1 + np.exp(-row["logit"])), abs=1e-6)
    assert any(abs(sum(dict(row["scores"]).values()) - 1) > 0.01 for row in rows)
    both = {row["eolMediaURL"] for row in rows if min(dict(row["scores"]).values()) >= 0.5}
    tags = pq.read_table(checkout / "out/tags").to_pylist()
    assert {row["eolMediaURL"] for row in tags if row["tag"] == "both"} == both
    header, *lines = (checkout / "out/tsv/seams/list_finaltags.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "eolMediaURL\ttag\tbrightness"
    assert {tuple(line.split("\t")[::2]) for line in lines} == {
        (row["eolMediaURL"], str(row["brightness"])) for row in rows
    }
