"""What is replaced while somebody reads: the old or the new, never nothing and never both. Needs no Spark."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from eoltag.spark.tables.output import Output

TURNS = 30
ROWS = {"old": 3_000, "new": 5_000}
"""What the table says -> its rows."""


def table(word: str) -> pa.Table:
    """Rows that all say the same."""
    return pa.table({"word": [word] * ROWS[word], "number": list(range(ROWS[word]))})


def by_pyarrow(folder: Path) -> list[str]:
    """As pyarrow reads a folder of files."""
    return cast("list[str]", pq.read_table(folder)["word"].to_pylist())


def by_dataset(folder: Path) -> list[str]:
    """As a dataset of partitions."""
    return cast("list[str]", ds.dataset(folder.parent, partitioning="hive").to_table()["word"].to_pylist())


def by_duckdb(folder: Path) -> list[str]:
    """As DuckDB reads the files that a pattern names."""
    rows = duckdb.connect().sql(f"SELECT word FROM read_parquet('{folder.parent}/*/*.parquet')").fetchall()
    return [word for (word,) in rows]


@pytest.fixture
def output(tmp_path: Path) -> Output:
    """A directory on this machine's disk, which Python alone changes."""
    return Output(cast("Any", None), str(tmp_path / "out"), "run1")


def read_while(change: Callable[[str], None], read: Callable[[], list[str]]) -> tuple[list[Exception], list[list[str]]]:
    """Errors and readings of a reader that goes round and round while the table changes TURNS times."""
    change("old")
    errors: list[Exception] = []
    found: list[list[str]] = []
    is_over = threading.Event()

    def loop() -> None:
        while not is_over.is_set():
            try:
                found.append(read())
            except Exception as problem:
                errors.append(problem)

    reader = threading.Thread(target=loop)
    reader.start()
    for turn in range(TURNS):
        change(("new", "old")[turn % 2])
        seen = len(found) + len(errors)
        while len(found) + len(errors) < seen + 2:  # one that began before, one after
            pass
    is_over.set()
    reader.join()
    return errors, found


def assert_each_is_whole(found: list[list[str]]) -> None:
    """The old or the new, and both were met."""
    met = {(*sorted(set(words)), len(words)) for words in found}
    assert met == {("new", ROWS["new"]), ("old", ROWS["old"])}


def told_to_read_again(problem: Exception) -> bool:
    """A reader had listed the folder, and asked for files by names that were not there any more."""
    said = ("No such file", "No files found", "does not exist in schema")
    return isinstance(problem, FileNotFoundError) or any(words in str(problem) for words in said)


@pytest.mark.parametrize("read", [by_pyarrow, by_dataset, by_duckdb])
def test_readers_of_a_table_that_is_replaced_find_the_old_or_the_new_or_are_told_to_read_again(
    output: Output, tmp_path: Path, read: Callable[[Path], list[str]]
) -> None:
    turns = iter(range(TURNS + 1))

    def change(word: str) -> None:
        turn, whole = next(turns), table(word)
        staged = tmp_path / "out/_staging/run1/tags"
        staged.mkdir(parents=True)
        for start in range(0, len(whole), 1000):
            pq.write_table(whole.slice(start, 1000), staged / f"part-{turn}-{start}.parquet")
        output.swap(str(staged), "tags/task=kind")

    errors, found = read_while(change, lambda: read(Path(output.root) / "tags/task=kind"))
    assert [problem for problem in errors if not told_to_read_again(problem)] == []
    assert len(errors) <= TURNS, "the next reading succeeds"
    assert_each_is_whole(found)


def test_readers_of_one_file_of_one_name_find_the_old_or_the_new(output: Output, tmp_path: Path) -> None:
    folder = Path(output.root) / "bundles/bundle=list"

    def change(word: str) -> None:
        pq.write_table(table(word), tmp_path / "fresh.parquet")
        output.upload_file(tmp_path / "fresh.parquet", "bundles/bundle=list/part-0.parquet")

    errors, found = read_while(change, lambda: by_pyarrow(folder))
    assert errors == []
    assert_each_is_whole(found)
    assert [path.name for path in folder.iterdir()] == ["part-0.parquet"]


def test_a_small_file_that_is_written_again_is_never_missing_and_never_half(output: Output) -> None:
    path = output.path("report", "index.html")

    def change(word: str) -> None:
        output.files.write_text(path, f"{word} " * ROWS[word])

    errors, found = read_while(change, lambda: Path(path).read_text().split())
    assert errors == []
    assert_each_is_whole(found)


def test_a_table_that_a_version_before_wrote_as_several_files_becomes_one(output: Output, tmp_path: Path) -> None:
    folder = Path(output.root) / "tags/task=kind"
    folder.mkdir(parents=True)
    for name in ("part-00000-a.parquet", "part-00001-b.parquet"):
        pq.write_table(table("old"), folder / name)
    staged = tmp_path / "out/_staging/run1/part-0.parquet"
    staged.parent.mkdir(parents=True)
    pq.write_table(table("new"), staged)
    output.swap_file(str(staged), "tags/task=kind/part-0.parquet")
    assert [path.name for path in folder.iterdir()] == ["part-0.parquet"]
    assert set(by_pyarrow(folder)) == {"new"}


def test_where_folders_cannot_change_places_two_renames_do(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eoltag.local.files.exchange", lambda *_: False)
    for word in ("old", "new"):
        staged = Path(output.staging) / "images"
        staged.mkdir(parents=True)
        pq.write_table(table(word), staged / "part-0.parquet")
        output.swap(str(staged), "images")
    assert set(by_pyarrow(Path(output.root) / "images")) == {"new"}
    assert not (Path(output.staging) / "replaced/images").exists()
