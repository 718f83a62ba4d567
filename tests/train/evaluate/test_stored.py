"""`python -m train classify --output`: the tables of the Spark job for images of this machine, and resuming."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from pyspark.sql.pandas.types import to_arrow_schema

from eoltag.spark.tables import schemas
from eoltag.spark.tables.schemas import SCHEMA_VERSION as VERSION_OF_SPARK
from train.__main__ import main
from train.evaluate import stored


@pytest.fixture
def photos(sample_images: Path, tmp_path: Path) -> Path:
    """Two images, a copy of one, a broken one, and a note beside them."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(next((sample_images / "photo").glob("*_0001.*")), folder / "a.jpg")
    shutil.copy(next((sample_images / "map").glob("*_0001.*")), folder / "deep" / "b.jpg")
    shutil.copy(folder / "a.jpg", folder / "deep" / "copy\tof a.jpg")
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:40])
    (folder / "notes.txt").write_text("no image")
    return folder


def classify(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    """What --json says."""
    capsys.readouterr()
    assert main(["classify", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def lines_of(output: Path) -> dict[str, list[str]]:
    """File name -> the other cells of the predictions."""
    header, *lines = (output / "predictions.tsv").read_text().splitlines()
    assert header.split("\t") == ["path", *stored.ONE_OF_MANY, "outcome", "detail"]
    return {Path(path).name: cells for path, *cells in (line.split("\t") for line in lines)}


def test_tables_say_what_the_rows_say_and_views_read_them(
    small_package: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    found = classify(capsys, small_package, photos, "--output", output)
    assert (found["images"], found["classified"], found["known"]) == (4, 4, 0)
    assert sum(found["labels"].values()) == 3
    assert list(found["failed"].values()) == [1]
    rows = {Path(row["path"]).name: row for row in classify(capsys, small_package, photos)}
    lines = lines_of(output)
    assert lines["a.jpg"][0] == rows["a.jpg"]["label"]
    assert float(lines["a.jpg"][1]) == pytest.approx(rows["a.jpg"]["confidence"], abs=1e-6)
    assert lines["copy of a.jpg"][:3] == lines["a.jpg"][:3]
    assert lines["broken.jpg"][3] == rows["broken.jpg"]["outcome"]
    database = duckdb.connect()
    database.execute((output / "views.duckdb.sql").read_text())
    seen = database.execute("SELECT eolMediaURL, label, confidence, width FROM predictions WHERE outcome = 'ok'")
    by_name = {Path(url).name: said for url, *said in seen.fetchall()}
    assert {name: said[0] for name, said in by_name.items()} == {
        name: row["label"] for name, row in rows.items() if row["outcome"] == "ok"
    }
    assert by_name["a.jpg"][1] == pytest.approx(rows["a.jpg"]["confidence"], abs=1e-6)


def test_the_same_command_reads_only_what_is_new_or_was_written_since(
    small_package: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    classify(capsys, small_package, photos, "--output", output)
    again = classify(capsys, small_package, photos, "--output", output)
    assert (again["images"], again["classified"], again["known"]) == (4, 0, 4)
    before = lines_of(output)
    shutil.copy(photos / "deep" / "b.jpg", photos / "a.jpg")
    shutil.copy(photos / "deep" / "b.jpg", photos / "new.jpg")
    os.utime(photos / "a.jpg", (1, 1))
    later = classify(capsys, small_package, photos, "--output", output)
    assert (later["images"], later["classified"], later["known"]) == (5, 2, 3)
    assert lines_of(output)["a.jpg"][:3] == before["b.jpg"][:3]


def test_what_was_written_before_a_kill_is_not_read_again(
    small_package: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out"
    monkeypatch.setattr(stored, "IMAGES_PER_PART", 1)
    write, written = stored._write, list[None]()

    def killed(*words: Any) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(write(*words))

    monkeypatch.setattr(stored, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        stored.classify_into(output, *_asked(small_package, photos))
    monkeypatch.setattr(stored, "_write", write)
    found = classify(capsys, small_package, photos, "--output", output)
    assert (found["images"], found["classified"], found["known"]) == (4, 2, 2)


def _asked(package: Path, photos: Path) -> tuple[Any, ...]:
    from train.fit.attempts import find_package
    from train.images.sources import find_sources

    return find_package(package), find_sources([str(photos)], ()), "openvino"


def test_tables_have_the_columns_of_the_spark_job(
    small_package: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    classify(capsys, small_package, photos / "a.jpg", "--output", output)
    for name, schema in (("images", schemas.IMAGES), ("scores", schemas.SCORES)):
        [file] = (output / name).rglob("*.parquet")
        columns = to_arrow_schema(schema, timezone="UTC")
        wanted = {field.name: field.type for field in columns if field.name != "model_version"}
        assert {field.name: field.type for field in pq.ParquetFile(file).schema_arrow} == wanted
    assert json.loads((output / "_schema.json").read_text()) == {"schema_version": VERSION_OF_SPARK}


def test_urls_and_outputs_of_the_job_are_refused(
    small_package: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", str(small_package), "https://eol.org/a.jpg", "--output", str(tmp_path / "o")]) == 2
    assert "for URLs: eoltag tag" in capsys.readouterr().err
    (tmp_path / "job" / "runs").mkdir(parents=True)
    assert main(["classify", str(small_package), str(photos), "--output", str(tmp_path / "job")]) == 2
    assert "wanted a directory of its own" in capsys.readouterr().err
