"""A run over lists that are known byte for byte reads none of them and says what it always said; if it is sure."""

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pyspark.sql import SparkSession

from eoltag.decide.task import read_task
from eoltag.errors import BundleError, ExitCode
from eoltag.settings import FetchSettings, RunSettings, Settings
from eoltag.spark.jobs.tag import decide_tags, tag_bundles
from eoltag.spark.requests import DecideRequest, TagRequest
from eoltag.spark.state.known_lists import key_of
from eoltag.spark.state.unchanged import forget
from eoltag.spark.tables.output import Output
from tests.support.loopback import Loopback

pytestmark = pytest.mark.spark

FETCH = FetchSettings(allow_private_hosts=True, attempts=1, backoff_base_s=0.01, backoff_cap_s=0.1, deadline_s=2.0)
SETTINGS = Settings(fetch=FETCH, run=RunSettings(max_failure_rate=0.3))
TASK = """
name = "{name}"
models.main.package = "model"
[[rules]]
name = "any"
when = "confidence > 0"
tag_sql = "label"
"""
SET = ("lists/a.txt", "lists/b.csv.gz")
Row = dict[str, Any]


class Read(Exception):
    """A list was about to be read."""


def tag(*bundles: str, tasks: tuple[str, ...] = ("kind.toml", "other.toml"), **more: Any) -> ExitCode:
    """The job over the sets of lists in the current directory."""
    words: Row = {"bundles": list(bundles), "tasks": list(tasks), "output": "out", "settings": SETTINGS, "root": Path()}
    return tag_bundles(TagRequest(**{**words, "is_quiet": True, **more}))


@pytest.fixture(scope="module")
def images(sample_images: Path) -> Iterator[Loopback]:
    """The sample images, and faults."""
    with Loopback(sample_images) as running:
        yield running


@pytest.fixture(scope="module")
def world(
    session: SparkSession,
    images: Loopback,
    sample_images: Path,
    small_package: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Two tasks tagged two lists with a note, blank lines, a row without URL, a lasting failure; then a third list."""
    assert session is not None
    folder = tmp_path_factory.mktemp("known")
    (folder / "lists").mkdir()
    pictures = sorted(path.relative_to(sample_images) for path in sample_images.rglob("*.jpg"))
    good = [images.url(f"/files/{quote(str(path))}") for path in pictures[::20]]
    rows = [*good[:2], images.url("/status/404/x.jpg"), "nonsense"]
    lines = [f"EOL-{number}\t{number}\t{url}\tRosa é" for number, url in enumerate(rows)]
    text = "\n".join(["identifier\tdataObjectVersionID\teolMediaURL\tancestry", "", *lines, "", ""])
    (folder / "lists/a.txt").write_bytes(text.encode("latin1"))
    (folder / "lists/b.csv.gz").write_bytes(gzip.compress(f"url,name\n{good[1]},x\n{good[2]},y\n".encode(), mtime=0))
    (folder / "lists/c.txt").write_text(f"# all is well here\n{good[3]}\n{good[0]}\n")
    for name in ("kind", "other", "third"):
        (folder / f"{name}.toml").write_text(TASK.format(name=name))
    shutil.copytree(small_package, folder / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert tag(*SET) == ExitCode.TOO_MANY_FAILURES
        assert tag("lists/c.txt", is_quiet=True) == ExitCode.DONE
    return folder


@pytest.fixture
def place(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the current directory."""
    shutil.copytree(world, tmp_path / "place")
    monkeypatch.chdir(tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def is_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Does a run begin to read its lists? Where it does, that is its end."""
    assert place.exists()

    def reads(*bundles: str, **more: Any) -> bool:
        def refuse(*_: Any) -> None:
            raise Read

        with monkeypatch.context() as patch:
            patch.setattr("eoltag.spark.jobs.tag.stage", refuse)
            try:
                tag(*(bundles or SET), **more)
            except Read:
                return True
            return False

    return reads


def documents() -> list[Row]:
    """What the runs that ended wrote of themselves, oldest first, without what differs from run to run."""
    found = [json.loads(path.read_text()) for path in sorted(Path("out/runs").iterdir(), key=os.path.getmtime)]
    found = [one for one in found if "summary" in one]
    for one in found:
        for name in ("run_id", "started_at"):
            one.pop(name)
        for name in ("run_id", "seconds"):
            one["summary"].pop(name)
    return found


@pytest.mark.parametrize("bundles", [SET, ("lists/c.txt",)], ids=["two lists", "one list"])
@pytest.mark.parametrize("tasks", [("kind.toml", "other.toml"), ("other.toml",)], ids=["two tasks", "one task"])
def test_known_lists_are_not_read_and_the_run_says_word_for_word_what_it_said(
    is_read: Callable[..., bool],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bundles: tuple[str, ...],
    tasks: tuple[str, ...],
) -> None:
    words: Row = {"tasks": tasks}
    said, codes = [], []
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    for is_forgetful in (False, True):
        with monkeypatch.context() as patch:
            if is_forgetful:
                patch.setattr("eoltag.spark.jobs.tag.recall", lambda *_: None)
                patch.setattr("eoltag.spark.state.summing.groups_seen", lambda *_: None)
            else:
                assert not is_read(*bundles, **words, is_dry_run=True)
                assert not is_read(*bundles, **words)
                capsys.readouterr()
            codes.append(tag(*bundles, **words))
            summary = capsys.readouterr()
            tag(*bundles, **words, is_dry_run=True)
            lines = [line for line in summary.out.splitlines()[1:] if not line.startswith("run  ")]
            said.append((lines, summary.err, capsys.readouterr()))
    assert said[0] == said[1]
    assert said[0][0][-1].endswith("report/index.html")
    assert codes[0] == codes[1] == (ExitCode.TOO_MANY_FAILURES if bundles == SET else ExitCode.DONE)
    *_, fast, slow = documents()
    assert fast == slow
    assert fast["summary"]["rows_in"] == fast["rows"] == (6 if bundles == SET else 2)
    assert fast["summary"]["notes"][0].startswith("nothing to do: ")
    after = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file() and "runs" not in path.parts}
    assert after == {path: content for path, content in before.items() if "runs" not in path.parts}


def replace(path: str, old: str, new: str) -> None:
    """Some bytes of a file by others."""
    content = Path(path).read_bytes()
    assert old.encode() in content
    Path(path).write_bytes(content.replace(old.encode(), new.encode(), 1))


def cut(*paths: Path) -> None:
    """As a kill would leave them."""
    for path in paths:
        path.write_text(path.read_text()[:20])


def warmer() -> None:
    """Another version of the model."""
    card = json.loads(Path("model/card.json").read_text())
    Path("model/card.json").write_text(json.dumps({**card, "temperature": 3.0}))


CHANGES: dict[str, Callable[[], object]] = {
    "a byte of a list": lambda: replace("lists/a.txt", "EOL-0", "EOL-9"),
    "the packing of a list": lambda: Path("lists/b.csv.gz").write_bytes(
        gzip.compress(gzip.decompress(Path("lists/b.csv.gz").read_bytes()), 1, mtime=1)
    ),
    "a rule": lambda: replace("other.toml", "confidence > 0", "confidence > 0.5"),
    "a column of the TSV": lambda: replace("kind.toml", "[[rules]]", 'columns = ["eolMediaURL"]\n[[rules]]'),
    "the model": warmer,
    "a TSV file": lambda: Path("out/tsv/other/b_finaltags.tsv").unlink(),
    "a TSV file of failures": lambda: Path("out/tsv/kind/a_failures.tsv").unlink(),
    "tags": lambda: shutil.rmtree("out/tags/task=kind"),
    "predictions": lambda: shutil.rmtree("out/predictions/task=other"),
    "a file of predictions": lambda: next(Path("out/predictions/task=kind").rglob("*.parquet")).unlink(),
    "bundles": lambda: shutil.rmtree("out/bundles/task=kind"),
    "the note": lambda: Path("out/decided/other.json").unlink(),
    "the end of the note": lambda: cut(Path("out/decided/other.json")),
    "what lists held": lambda: shutil.rmtree("out/decided/_lists"),
    "the end of what a list held": lambda: cut(*Path("out/decided/_lists").iterdir()),
    "everything": lambda: shutil.rmtree("out"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_lists_are_read_where_anything_has_changed_or_gone(is_read: Callable[..., bool], what: str) -> None:
    assert not is_read()
    CHANGES[what]()
    assert is_read()


def test_lists_are_read_where_they_are_more_or_fewer_or_under_other_names(is_read: Callable[..., bool]) -> None:
    assert is_read("lists/a.txt")
    assert is_read(*SET, "lists/c.txt")
    assert is_read(*reversed(SET)), "names and notes come in the order of the lists"
    Path("lists/a.txt").rename("lists/d.txt")
    assert is_read("lists/d.txt", "lists/b.csv.gz")
    Path("lists/d.txt").rename("lists/a.txt")
    assert not is_read()
    assert not is_read("lists/c.txt")
    with pytest.raises(BundleError, match="no such bundle"):
        is_read("lists/gone.txt")


def test_lists_are_read_where_a_part_is_wanted_or_more_might_be_asked_for(is_read: Callable[..., bool]) -> None:
    assert is_read(limit=1)
    assert is_read(sample=1)
    assert is_read(retry_failed=True)
    assert not is_read("lists/c.txt", retry_failed=True), "nothing failed there"
    assert is_read(refresh_older_than_days=0.0)
    assert not is_read(refresh_older_than_days=1.0)
    assert is_read(tasks=("kind.toml", "third.toml"))
    assert not is_read(tasks=("kind.toml",))


def test_another_version_of_eoltag_reads_the_lists(
    is_read: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("known_lists", "unchanged"):
        with monkeypatch.context() as patch:
            patch.setattr(f"eoltag.spark.{module}.__version__", "9.9.9")
            assert is_read()
    assert not is_read()


def test_a_killed_run_is_gone_on_with(is_read: Callable[..., bool], session: SparkSession) -> None:
    output = Output(session, str(Path("out").absolute()), "killed")
    forget(output, read_task("other.toml", Path()))
    assert is_read()
    assert not is_read(tasks=("kind.toml",))


def test_a_note_of_an_earlier_version_costs_one_more_look(is_read: Callable[..., bool]) -> None:
    for name in ("kind", "other"):
        path = Path(f"out/decided/{name}.json")
        note = json.loads(path.read_text())
        path.write_text(json.dumps({key: note[key] for key in note if key not in ("seen", "groups", "settled")}))
    shutil.rmtree("out/decided/_lists")
    assert is_read()
    tag(*SET)
    assert any(note.startswith("nothing to do") for note in documents()[-1]["summary"]["notes"])
    assert not is_read()
    assert not is_read(refresh_older_than_days=1.0)
    assert is_read("lists/c.txt"), "it was not looked at yet"


def test_a_failure_that_may_pass_is_asked_for_every_time(is_read: Callable[..., bool], images: Loopback) -> None:
    replace("lists/c.txt", "# all is well here", images.url("/flaky/503/2/x.jpg?once"))
    tag("lists/c.txt")
    assert is_read("lists/c.txt")
    assert not is_read(), "the other lists have no such row"
    asked = len(images.requests)
    tag("lists/c.txt")
    assert len(images.requests) == asked + 1
    assert is_read("lists/c.txt")


def test_lists_of_one_name_in_two_folders_are_never_taken_for_each_other(is_read: Callable[..., bool]) -> None:
    Path("more").mkdir()
    Path("more/c.txt").write_text(Path("lists/c.txt").read_text().splitlines()[1] + "\n")
    tag("more/c.txt")
    assert documents()[-1]["summary"]["rows_in"] == 1
    assert not is_read("more/c.txt")
    assert is_read("lists/c.txt"), "the bundle c is another one now"
    assert not is_read()
    tag("lists/c.txt")
    assert documents()[-1]["summary"]["rows_in"] == 2
    assert is_read("more/c.txt")


def test_rows_that_a_killed_run_has_replaced_are_not_taken_for_the_old_ones(
    is_read: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Path("lists/c.txt").read_text()
    Path("lists/c.txt").write_text(old.splitlines()[1] + "\n")
    with monkeypatch.context() as patch:
        patch.setattr("eoltag.spark.jobs.tag.run_waves", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            tag("lists/c.txt")
    assert decide_tags(DecideRequest(["kind.toml", "other.toml"], "out", Path())) == ExitCode.DONE
    Path("lists/c.txt").write_text(old)
    assert is_read("lists/c.txt")
    tag("lists/c.txt")
    assert documents()[-1]["summary"]["rows_in"] == 2


def test_a_pipe_is_read_once_and_by_the_reader_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert key_of([("pipe", tmp_path / "pipe")]) is None
    assert key_of([("gone", tmp_path / "gone")]) is None
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    keys = [key_of([(origin, tmp_path / name)]) for origin, name in (("a", "a"), ("a", "b"), ("b", "b"))]
    assert keys[0] == keys[1] != keys[2]
