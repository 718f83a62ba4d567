"""Further columns of a bundle ride along to rules, tags table and TSV, where the task file names them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from eoltag.spark.predict.remote import fetch_bundles
from eoltag.spark.runtime.command import run_command
from jobs import decide_tags, tag_bundles
from tests.support.loopback import Loopback

pytestmark = pytest.mark.spark

PLAIN = """
name = "demo"
models.main.package = "{package}"
columns = ["eolMediaURL", "tag"]
[[rules]]
name = "any"
when = "true"
tag = "seen"
"""
CARRYING = """
name = "demo"
models.main.package = "{package}"
bundle_columns = ["sciname", "licence=dc:rights"]
columns = ["eolMediaURL", "tag", "species=sciname", "by"]
extras = {{ by = "upper(licence)" }}
[[rules]]
name = "grass"
when = "sciname LIKE 'Poa%'"
tag = "grass"
[[rules]]
name = "free"
when = "licence = 'cc-by'"
tag = "free"
"""
Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def place(
    session: SparkSession, small_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """Writes conf/tasks/demo.toml below an empty current directory."""
    assert session is not None
    monkeypatch.chdir(tmp_path)
    Path("conf/tasks").mkdir(parents=True)
    Path("lists").mkdir()

    def write(text: str) -> None:
        Path("conf/tasks/demo.toml").write_text(text.format(package=small_package), encoding="utf-8")

    return write


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, and what a job prints: its JSON, or its error."""

    def run(module: Any, *words: str) -> tuple[int, Any]:
        monkeypatch.setattr(sys, "argv", [module.__name__, "--task", "demo", "--output", "out", *words, "--json"])
        capsys.readouterr()
        code = run_command(module.main)
        shown = capsys.readouterr()
        return code, json.loads(shown.out) if code == 0 else shown.err

    return run


def tag(job: Run, *words: str) -> Any:
    """The summary of a run over lists/."""
    code, shown = job(tag_bundles, "--bundle", "lists", "--allow-private-hosts", *words)
    assert code == 0, shown
    return shown


def tags() -> list[tuple[Any, ...]]:
    """(bundle, sciname, licence, by, tag) of every row."""
    table = "read_parquet('out/tags/task=demo/*.parquet')"
    query = f'SELECT bundle, sciname, licence, "by", tag FROM {table} ORDER BY bundle, bundle_row'
    return duckdb.execute(query).fetchall()


def test_named_columns_of_every_format_reach_rules_tags_and_tsv(
    place: Callable[[str], None], job: Run, server: Loopback, sample_images: Path
) -> None:
    place(CARRYING)
    images = sorted(path.relative_to(sample_images) for path in sample_images.rglob("*.jpg"))[:2]
    first, second = (server.url(f"/files/{image}") for image in images)
    Path("lists/a.txt").write_text(f"eolMediaURL\tSciName\tdc:rights\n{first}\tPoa annua\tcc-by\n{second}\t\tcc-by\n")
    pq.write_table(pa.table({"url": [second], "sciname": ["Sphinx"]}), "lists/b.parquet")
    Path("lists/c.jsonl").write_text(json.dumps({"url": first, "dc:rights": "cc-by", "sciname": "Poa\tannua"}) + "\n")
    Path("lists/d.txt").write_text(f"{first}\n")

    summary = tag(job)
    assert summary["images_fetched"] == 2
    assert tags() == [
        ("a", "Poa annua", "cc-by", "CC-BY", "grass"),
        ("a", None, "cc-by", "CC-BY", "free"),
        ("b", "Sphinx", None, None, "NA"),
        ("c", "Poa\tannua", "cc-by", "CC-BY", "grass"),
        ("d", None, None, None, "NA"),
    ]
    assert Path("out/tsv/demo/c_finaltags.tsv").read_text() == (
        f"eolMediaURL\ttag\tspecies\tby\n{first}\tgrass\tPoa annua\tCC-BY\n"
    )
    assert "no column 'dc:rights' in lists/b.parquet and 1 more: its value is NULL there" in summary["notes"]
    assert "no column 'sciname' in lists/d.txt: its value is NULL there" in summary["notes"]

    Path("lists/d.txt").write_text(f"url,sciname\n{first},Poa alpina\n")
    changed = tag(job)
    assert changed["images_fetched"] == 0
    assert tags()[-1] == ("d", "Poa alpina", None, None, "grass")


def test_bundles_that_were_kept_without_a_column_are_named_until_they_are_tagged_again(
    place: Callable[[str], None], job: Run, server: Loopback, sample_images: Path
) -> None:
    place(PLAIN)
    image = next(iter(sorted(path.relative_to(sample_images) for path in sample_images.rglob("*.jpg"))))
    url = server.url(f"/files/{image}")
    Path("lists/a.csv").write_text(f"url,sciname,dc:rights\n{url},Poa,cc-by\n")
    tag(job)
    assert "sciname" not in pq.ParquetFile(next(Path("out/bundles").rglob("*.parquet"))).schema.names
    place(CARRYING)
    code, error = job(decide_tags)
    assert code == 2
    assert "the bundles of task 'demo' were kept without the column 'sciname'" in error
    assert tag(job)["images_fetched"] == 0
    assert tags() == [("a", "Poa", "cc-by", "CC-BY", "grass")]
    assert job(decide_tags)[0] == 0


def test_a_download_list_takes_further_columns_from_its_breakdown(
    place: Callable[[str], None], job: Run, server: Loopback, sample_images: Path
) -> None:
    place(CARRYING)
    image = next(iter(sorted(path.relative_to(sample_images) for path in sample_images.rglob("*.jpg"))))
    url = server.url(f"/files/{image}")
    Path("lists/x_breakdown_1.txt").write_text(f"eolMediaURL\tsciname\tdc:rights\n{url}\tPoa\tcc-by\n")
    Path("lists/x_breakdown_download_1.txt").write_text(f"{url}\n")
    assert tag(job)["notes"] == []
    assert [row[1:] for row in tags()] == [("Poa", "cc-by", "CC-BY", "grass")] * 2


def test_a_column_that_no_bundle_has_is_refused_with_the_columns_that_there_are(
    place: Callable[[str], None], job: Run
) -> None:
    place(CARRYING)
    Path("lists/a.csv").write_text("url,name,dc:rights\nhttp://x/a.jpg,Poa,cc-by\n")
    code, error = job(tag_bundles, "--bundle", "lists")
    assert code == 2
    assert error.strip() == (
        "error: lists/a.csv: wanted the column 'sciname', which --keep or a task's bundle_columns name; "
        "came the columns 'url', 'name', 'dc:rights'; did you mean 'name'?"
    )
    assert not Path("out").exists()


def test_a_folder_of_part_files_on_another_file_system_is_one_bundle(session: SparkSession, tmp_path: Path) -> None:
    rows = session.range(3).selectExpr("concat('http://x/', id, '.jpg') AS url")
    rows.repartition(2).write.parquet(f"{tmp_path}/images.parquet")
    (tmp_path / "copies").mkdir()
    [(origin, local)] = fetch_bundles(f"{tmp_path}/images.parquet", tmp_path / "copies")
    assert origin.endswith("/images.parquet")
    assert len([path for path in local.iterdir() if path.suffix == ".parquet"]) == 2
    single = next(path for path in (tmp_path / "images.parquet").iterdir() if path.suffix == ".parquet")
    [(origin, local)] = fetch_bundles(str(single), tmp_path / "copies")
    assert (origin.removeprefix("file:"), local.read_bytes()) == (str(single), single.read_bytes())


def test_columns_that_a_run_keeps_stay_for_later_runs_decisions_and_the_report(
    place: Callable[[str], None], job: Run, server: Loopback, sample_images: Path
) -> None:
    place(PLAIN)
    images = sorted(path.relative_to(sample_images) for path in sample_images.rglob("*.jpg"))[:2]
    first, second = (server.url(f"/files/{image}") for image in images)
    Path("lists/a.csv").write_text(f"url,sciname,dc:rights\n{first},Poa annua,CC BY 4.0 <Jo>\n")
    tag(job, "--keep", "sciname", "rights=dc:rights")
    table = "read_parquet('out/tags/task=demo/*.parquet')"
    query = f"SELECT bundle, sciname, rights FROM {table} ORDER BY bundle"
    assert duckdb.execute(query).fetchall() == [("a", "Poa annua", "CC BY 4.0 <Jo>")]
    tsv = Path("out/tsv/demo/a_finaltags.tsv")
    assert tsv.read_text() == (f"eolMediaURL\ttag\tsciname\trights\n{first}\tseen\tPoa annua\tCC BY 4.0 <Jo>\n")
    assert "rights: CC BY 4.0 &lt;Jo&gt;</span>" in Path("out/report/index.html").read_text()

    Path("lists/a.csv").unlink()  # a run over another list, which lacks both columns and names none
    Path("lists/b.txt").write_text(f"{second}\n")
    summary = tag(job)
    assert "no column 'sciname' in lists/b.txt: its value is NULL there" in summary["notes"]
    assert duckdb.execute(query).fetchall() == [("a", "Poa annua", "CC BY 4.0 <Jo>"), ("b", None, None)]
    assert job(decide_tags)[0] == 0
    assert duckdb.execute(query).fetchall() == [("a", "Poa annua", "CC BY 4.0 <Jo>"), ("b", None, None)]
    assert tag(job)["notes"][0].startswith("nothing to do")

    tag(job, "--keep")
    assert tsv.read_text() == f"eolMediaURL\ttag\n{first}\tseen\n"
    assert "CC BY 4.0" not in Path("out/report/index.html").read_text()
