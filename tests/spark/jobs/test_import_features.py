"""Vectors from elsewhere: checked, stored under their base, and predicted from with no request."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.spark.runtime.command import run_command
from eoltag.vectors.read import KEYS, stage_vectors
from jobs import import_features, tag_bundles
from tests.support.flat import predictions
from tests.support.loopback import Loopback
from tests.support.tiny_package import FEATURES, write_tiny_head

pytestmark = pytest.mark.spark
BASE = "bioclip-2"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def job(
    session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Exit code, and what a job prints: stdout, or where it failed the last line of stderr."""
    assert session is not None
    monkeypatch.chdir(tmp_path)

    def run(module: Any, *words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [module.__name__, *words])
        capsys.readouterr()
        code = run_command(module.main)
        shown = capsys.readouterr()
        return code, shown.err.strip().splitlines()[-1] if code else shown.out

    return run


def write(vectors: dict[str, list[float]], key: str = "eolMediaURL", kind: Any = None, name: str = "v.parquet") -> str:
    """A file of vectors."""
    lists = pa.array(list(vectors.values()), pa.list_(kind or pa.float32()))
    pq.write_table(pa.table({key: list(vectors), "embedding": lists}), name)
    return name


def rows(count: int, seed: int = 0) -> list[list[float]]:
    """Vectors that float16 holds."""
    return np.random.default_rng(seed).normal(size=(count, FEATURES)).astype(np.float16).astype(float).tolist()


def test_vectors_by_url_are_predicted_from_with_no_request(job: Run, server: Loopback, tmp_path: Path) -> None:
    urls = [server.url(f"/files/{number}.jpg") for number in range(3)]
    known = dict(zip(urls, rows(3), strict=True))
    code, said = job(import_features, "--vectors", write(known, kind=pa.float16()), "--base", BASE, "--output", "out")
    assert (code, said.splitlines()) == (
        0,
        [f"base {BASE}: 3 vectors of {FEATURES} numbers, 3 of them new",
         "  3 images were never fetched, and are known by their vector"],
    )  # fmt: skip
    again = json.loads(job(import_features, "--vectors", "v.parquet", "--base", BASE, "--output", "out", "--json")[1])
    assert {name: again[name] for name in ("new", "known", "images")} == {"new": 0, "known": 3, "images": 0}

    package = write_tiny_head(tmp_path / "head", "ab", 4, BASE)
    (tmp_path / "kind.toml").write_text('name = "kind"\nmodels.main.package = "head"\n')
    lines = [f"{number}\t{url}" for number, url in enumerate([*urls, server.url("/files/unknown.jpg")])]
    (tmp_path / "x_breakdown_1.txt").write_text("\n".join(["dataObjectVersionID\teolMediaURL", *lines]) + "\n")
    words = ("--bundle", "x_breakdown_1.txt", "--task", "kind.toml", "--output", "out", "--quiet", "--json")
    code, said = job(tag_bundles, *words, "--allow-private-hosts", "--max-failure-rate", "1")
    summary = json.loads(said)
    assert {name: count for name, count in summary["work"]["rows"].items() if count} == {"features": 3, "fetch": 1}
    assert [path for path in server.requests if "unknown" not in path] == []
    found = {row["eolMediaURL"]: row for row in predictions(tmp_path / "out") if row["label"]}
    weights = np.random.default_rng(4).normal(size=(FEATURES, 2)).astype(np.float32)
    for url, vector in known.items():
        raw = np.asarray(vector, np.float32) @ weights
        assert found[url]["logit"] == pytest.approx(float(raw.max()), abs=1e-4)
        assert (found[url]["label"], found[url]["source"]) == ("ab"[int(raw.argmax())], "features")
        assert found[url]["model_version"] == package.version


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("key", ["url", "Identifier", "sha256"])
def test_vectors_of_any_float_and_key_are_staged_as_float16(tmp_path: Path, kind: pa.DataType, key: str) -> None:
    vectors = dict(zip("abc", rows(3), strict=True))
    file = write(vectors, key=key, kind=kind, name=str(tmp_path / "v.parquet"))
    staged = stage_vectors([file], tmp_path / "staged.parquet")
    assert (staged.key, staged.length, staged.rows) == (KEYS[key.lower()], FEATURES, 3)
    stored = {row["key"]: row["vector"] for row in pq.read_table(staged.path).to_pylist()}
    assert {name: np.frombuffer(vector, "<f2").tolist() for name, vector in stored.items()} == vectors


NAN, LARGE = float("nan"), 70_000.0


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"url": ["a", "b"], "vector": [[1.0, 2.0], [1.0]]}, "row of b: wanted vectors of length 2. Received: 1"),
        (
            {"url": ["a", "b"], "vector": [[1.0], [NAN]]},
            "row of b: wanted numbers between -65504 and 65504. Received: nan",
        ),
        ({"url": ["a"], "vector": [[LARGE]]}, "row of a: wanted numbers between -65504 and 65504. Received: 70000.0"),
        ({"url": ["a", "a"], "vector": [[1.0], [2.0]]}, "eolMediaURL a: wanted one vector. Received: 2 different ones"),
        ({"url": ["a", None], "vector": [[1.0], [2.0]]}, "wanted a key and a vector in every row. Received: a null"),
        ({"name": ["a"], "vector": [[1.0]]}, "wanted a column that names the image (eolmediaurl, url, identifier,"),
        ({"url": ["a"], "vectors": [[1.0]]}, "wanted a column of vectors (one of vector, features, embedding"),
        ({"url": ["a"], "vector": [["x"]]}, "column 'vector': wanted lists of float16 or float32. Received: list<"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_row_and_nothing_is_stored(
    job: Run, tmp_path: Path, table: dict[str, Any], said: str
) -> None:
    pq.write_table(pa.table(table), "v.parquet")
    code, error = job(import_features, "--vectors", "v.parquet", "--base", BASE, "--output", "out")
    assert code == 2
    assert said in error
    assert not (tmp_path / "out/features").exists()


def test_vectors_of_another_length_or_a_base_of_an_odd_name_are_refused(job: Run) -> None:
    assert job(import_features, "--vectors", write({"a": [1.0, 2.0]}), "--base", BASE, "--output", "out")[0] == 0
    code, error = job(import_features, "--vectors", write({"b": [1.0]}), "--base", BASE, "--output", "out")
    assert (code, "have 2 numbers. Received: vectors of 1" in error) == (2, True)
    assert (
        "wanted up to 64 letters"
        in job(import_features, "--vectors", "v.parquet", "--base", "a/b", "--output", "out")[1]
    )
