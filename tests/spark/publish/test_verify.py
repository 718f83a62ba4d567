"""`verify` finds what was damaged, and nothing in what was not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from eoltag.judgements.record import Judgement, append
from eoltag.spark.runtime.command import run_command
from jobs import publish_tags, verify_output
from tests.spark.publish.conftest import ROWS, url_of

pytestmark = pytest.mark.spark
Damage = Callable[[Path], None]


def verify(*options: str) -> int:
    return run_command(lambda: verify_output.main(arguments=["out", "--json", *options]))


def part_of(folder: Path) -> Path:
    (part,) = folder.glob("*.parquet")
    return part


def rewrite(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Another content for the one file of a table; its checksum file goes, which would give it away."""
    part = part_of(folder)
    pq.write_table(change(pq.read_table(part, partitioning=None)), part, use_deprecated_int96_timestamps=True)
    part.with_name(f".{part.name}.crc").unlink(missing_ok=True)


def rewrite_plainly(folder: Path) -> None:
    """The same rows with nanoseconds, as pyarrow writes them and Spark does not read them."""
    part = part_of(folder)
    pq.write_table(pq.read_table(part, partitioning=None), part)
    part.with_name(f".{part.name}.crc").unlink(missing_ok=True)


def without_row(number: int) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.take([row for row in range(table.num_rows) if row != number])


def doubled(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(3, 1)])


def changed(column: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    """The fifth row has another value."""

    def change(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[4] = value
        return table.set_column(
            table.schema.get_field_index(column), table.field(column), pa.array(values, table.field(column).type)
        )

    return change


def judge(out: Path, number: int) -> None:
    """Somebody calls the image of a bundle row something else."""
    row = pq.read_table(part_of(out / "tags/task=kind")).to_pylist()[number]
    answers = pq.read_table(part_of(out / "images")).to_pylist()
    (content,) = {one["content_sha256"] for one in answers if one["eolMediaURL"] == row["eolMediaURL"]}
    said = (row["eolMediaURL"], content, row["tag"], "elsewhere", "random", {}, "2026-12-01")
    append(out, [Judgement("Anna", "kind", *said)])


def scores_of(place: Path) -> Path:
    (folder,) = (place / "scores").iterdir()
    return folder


def published(place: Path) -> Path:
    (manifest,) = (place / "published").glob("*/manifest.json")
    return manifest.parent


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


def write(file: Path) -> None:
    file.write_text("x")


def rename(folder: Path, name: str) -> None:
    folder.rename(folder.with_name(name))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


DAMAGES: dict[str, tuple[Damage, str, str]] = {
    "a tags row removed": (
        lambda out: rewrite(out / "tags/task=kind", without_row(3)),
        "tags/task=kind",
        "is missing: 1 rows, the first list, row 4",
    ),
    "a tags row doubled": (
        lambda out: rewrite(out / "tags/task=kind", doubled),
        "tags/task=kind",
        "1 bundle rows have several rows, the first list, row 4",
    ),
    "a tag changed": (
        lambda out: rewrite(out / "tags/task=kind", changed("tag", "photo")),
        "tags/task=kind",
        "has other values than its facts and the rules give: 1 rows, the first list, row 5",
    ),
    "a judgement since": (
        lambda out: judge(out, 4),
        "tags/task=kind",
        "is not what people have judged; decide again where they judged since: 1 rows, the first list, row 5",
    ),
    "a score removed": (lambda out: rewrite(scores_of(out), without_row(7)), "tags/task=kind", "has other values"),
    "an answer doubled": (
        lambda out: rewrite(out / "images", doubled),
        "images",
        "no row twice was wanted; 1 are there too many",
    ),
    "an answer changed": (
        lambda out: rewrite(out / "images", changed("outcome", "gone")),
        "tags/task=kind",
        "has other values",
    ),
    "a column gone": (
        lambda out: rewrite(out / "images", lambda table: table.drop_columns(["etag"])),
        "images/",
        "has no column etag",
    ),
    "a file cut short": (lambda out: cut(part_of(out / "images")), "images/", "cannot be read as Parquet"),
    "a file of facts missing": (lambda out: part_of(scores_of(out)).unlink(), "tags/task=kind", "has other values"),
    "a foreign file in a table": (
        lambda out: write(out / "tags/task=kind/notes.txt"),
        "tags/task=kind/notes.txt",
        "is no file of this table",
    ),
    "a file that another program wrote": (
        lambda out: rewrite_plainly(out / "tags/task=kind"),
        "tags/task=kind",
        "cannot be read by Spark",
    ),
    "a foreign folder": (lambda out: (out / "backup").mkdir(), "backup", "nothing that eoltag writes has this name"),
    "a TSV cell changed": (
        lambda out: edit(out / "tsv/kind/list_finaltags.tsv", "\tmap\t", "\tmop\t"),
        "tsv/kind/list_finaltags.tsv",
        "differs from the tags",
    ),
    "a TSV file missing": (
        lambda out: (out / "tsv/kind/list_failures.tsv").unlink(),
        "tsv/kind/list_failures.tsv",
        "is missing",
    ),
    "a TSV file too many": (
        lambda out: write(out / "tsv/kind/old_finaltags.tsv"),
        "tsv/kind/old_finaltags.tsv",
        "was not written by the decision",
    ),
    "a bundle's rows missing": (
        lambda out: shutil.rmtree(out / "bundles/bundle=list"),
        "bundles/bundle=list",
        "is missing",
    ),
    "a model that nothing tells of": (
        lambda out: rename(scores_of(out), "model_version=abcabcabcabc"),
        "scores/model_version=abcabcabcabc",
        "is missing",
    ),
    "a published file changed": (
        lambda out: edit(published(out) / "dwc-dp/media.csv", "640", "641"),
        "published/",
        "has another sha256 than the manifest says",
    ),
    "a published file missing": (
        lambda out: (published(out) / "croissant.json").unlink(),
        "published/",
        "is missing; the manifest names it",
    ),
    "a published file too many": (
        lambda out: write(published(out) / "tsv/kind/x.tsv"),
        "published/",
        "is not in the manifest",
    ),
    "a wrong hash in the manifest": (
        lambda out: edit(published(out) / "manifest.json", '"sha256": "', '"sha256": "0'),
        "published/",
        "has another sha256",
    ),
    "no such publication": (
        lambda out: edit(out / "published/current.json", '"version": "2', '"version": "1'),
        "published/current.json",
        "which is not there",
    ),
}


@pytest.fixture(scope="session")
def whole(master: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output, published."""
    folder = tmp_path_factory.mktemp("published")
    shutil.copytree(master, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_command(lambda: publish_tags.main(arguments=["out", "--task", "kind.toml"])) == 0
    return folder


@pytest.fixture
def out(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of its output directory, below the current one."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def test_nothing_is_wrong_in_what_was_not_damaged(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out.parent / "list.txt").write_text("".join(f"{url_of(number)}\n" for number in range(ROWS)))
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()}
    assert verify("--bundle", "list.txt") == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file()} == before


TOGETHER = (
    "a foreign folder",
    "a TSV cell changed",
    "a TSV file missing",
    "a TSV file too many",
    "a published file changed",
    "a published file missing",
    "a published file too many",
)
"""Damages that hide none of each other, so that one reading finds them all."""


@pytest.mark.parametrize("names", [TOGETHER, *((name,) for name in DAMAGES if name not in TOGETHER)])
def test_a_damage_is_found(names: tuple[str, ...], out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in names:
        DAMAGES[name][0](out)
    assert verify() == 4
    found = json.loads(capsys.readouterr().out)["findings"]
    for _, place, what in map(DAMAGES.__getitem__, names):
        assert any(one["place"].startswith(place) and what in one["what"] for one in found), found


def test_a_publication_of_other_tags_than_those_of_now_is_stale(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pq.read_table(part_of(out / "tags/task=kind"), partitioning=None)
    rewrite(out / "tags/task=kind", lambda _: table.filter(pc.less(table["bundle_row"], 100)))
    assert verify() == 4
    found = json.loads(capsys.readouterr().out)["findings"]
    assert any(one["what"].startswith("is stale: task 'kind' has other tags now") for one in found)


def test_a_list_that_has_grown_is_told(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out.parent / "list.txt").write_text("".join(f"{url_of(number)}\n" for number in range(ROWS + 2)))
    assert verify("--bundle", "list.txt") == 4
    found = json.loads(capsys.readouterr().out)["findings"]
    assert found == [
        {"place": "bundles/bundle=list", "what": "holds 120 rows, the list has 122; 2 differ or are missing"}
    ]


def test_a_folder_that_is_no_output_is_refused(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (out.parent / "empty").mkdir()
    assert run_command(lambda: verify_output.main(arguments=["empty"])) == 2
    assert "wanted the --output directory of a run" in capsys.readouterr().err
