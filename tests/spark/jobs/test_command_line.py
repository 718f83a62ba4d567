"""What a person sees at the shell: one clear line and exit code 2 for what cannot work, and nothing written."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from pyspark.sql import SparkSession

from eoltag.spark.runtime.command import run_command
from jobs import decide_tags, tag_bundles
from tests.support.loopback import Loopback
from tests.support.paths import ROOT

URLS = "https://eol.org/a.jpg\nhttps://eol.org/b.jpg\n"
RULE = '[[rules]]\nname = "bad"\nwhen = "label = \'map\'"\ntag = "map"\n'

pytestmark = pytest.mark.spark


@pytest.fixture
def folder(tmp_path: Path, small_package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with a sound bundle, task, package and settings file, for tests to spoil."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_package, "model")
    Path("list.txt").write_text(URLS)
    Path("kind.toml").write_text(f'name = "kind"\nmodels.main.package = "model"\n{RULE}')
    Path("job.toml").write_text("[fetch]\nattempts = 2\n")
    return tmp_path


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of jobs/tag_bundles.py, run in this process."""
    monkeypatch.setattr(sys, "argv", ["tag_bundles.py", *arguments])
    try:
        return run_command(tag_bundles.main)
    except SystemExit as stopped:
        return int(stopped.code or 0)


def spoil_bundle(text: bytes) -> Callable[[], None]:
    """Other content for list.txt."""
    return lambda: Path("list.txt").write_bytes(text) and None


def spoil_zip() -> None:
    """A zip that ends too early."""
    with zipfile.ZipFile("whole.zip", "w") as archive:
        archive.writestr("list.txt", URLS * 1000)
    Path("list.txt").write_bytes(Path("whole.zip").read_bytes()[:200])


def spoil_rule(when: str) -> Callable[[], None]:
    """Another condition for the rule."""
    return lambda: Path("kind.toml").write_text(Path("kind.toml").read_text().replace("label = 'map'", when)) and None


def append(file: str, text: str) -> Callable[[], None]:
    """More at the end of a file."""

    def spoil() -> None:
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(text)

    return spoil


def other_schema() -> None:
    """An output directory of a later eoltag."""
    Path("out").mkdir()
    Path("out/_schema.json").write_text('{"schema_version": 99}')


@pytest.mark.damages_output
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda: Path("list.txt").unlink(), "error: list.txt: no such bundle"),
        (spoil_bundle(b""), "list.txt"),
        (spoil_bundle(b"\n# nothing\n\n"), "list.txt"),
        (spoil_bundle(b"<html><body>502</body></html>"), "list.txt"),
        (spoil_bundle(b"title\tlicense\nx\ty\n"), "eolMediaURL"),
        (spoil_zip, "list.txt"),
        (lambda: Path("kind.toml").rename("kid.toml"), "error: kind.toml: no such task file"),
        (spoil_rule("label = = 'map'"), "error: kind.toml: rule 'bad': an expression in SQL was wanted"),
        (spoil_rule("no_such_column > 1"), "no_such_column"),
        (append("kind.toml", "rulez = 1\n"), "rulez"),
        (append("model/openvino/model.bin", "x"), "model.bin: changed since the card was written"),
        (lambda: Path("model/card.json").unlink(), "model: not a model package"),
        (append("job.toml", "timeout = 3\n"), "error: job.toml: unknown key 'fetch.timeout'"),
        (append("job.toml", "requests_per_s = -1\n"), "job.toml: key 'fetch.requests_per_s'"),
        (other_schema, "schema version 2. Received: 99"),
    ],
)
def test_what_cannot_work_is_one_line_exit_two_and_nothing_written(
    session: SparkSession,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[], None],
    said: str,
) -> None:
    assert session is not None
    spoil()
    before = sorted(folder.rglob("*"))
    arguments = ["--bundle", "list.txt", "--task", "kind.toml", "--output", "out", "--config", "job.toml", "--quiet"]
    assert command(monkeypatch, *arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--bundle"),
        (["--bundle", "x", "--task", "kind", "--output", "out", "--limit", "0"], "a whole number from 1 was wanted"),
        (["--bundle", "x", "--task", "kind", "--output", "out", "--nonsense"], "--nonsense"),
        (["--bundle", "x", "--task", "no_such_task", "--output", "out"], "unknown task 'no_such_task'; known: demo"),
        (["--bundle", "x", "--task", "kind.toml", "--output", "out", "--max-failure-rate", "7"], "max_failure_rate"),
        (["--bundle", "x", "--task", "kind.toml", "--output", "out", "--refresh-older-than", "-1"], "refresh-older"),
    ],
)
def test_wrong_arguments_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert command(monkeypatch, *arguments) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_deciding_where_nothing_was_tagged_is_refused(
    session: SparkSession, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert session is not None
    monkeypatch.setattr(sys, "argv", ["decide_tags.py", "--task", "kind.toml", "--output", "nowhere"])
    assert run_command(decide_tags.main) == 2
    assert "no bundle was tagged for task 'kind' here" in capsys.readouterr().err
    assert not (folder / "nowhere").exists()


def submit(*arguments: str) -> list[str]:
    """The command that a person types, for subprocess."""
    return [str(ROOT / "spark-submit.sh"), "--master", "local[2]", str(ROOT / "jobs/tag_bundles.py"), *arguments]


def test_help_teaches_and_needs_no_spark() -> None:
    for job in ("tag_bundles.py", "decide_tags.py"):
        shown = subprocess.run(
            [sys.executable, ROOT / "jobs" / job, "--help"], capture_output=True, text=True, cwd=ROOT
        )
        assert shown.returncode == 0, shown.stderr
        assert "./spark-submit.sh" in shown.stdout


def test_a_run_killed_in_the_middle_goes_on_where_it_was(folder: Path, sample_images: Path) -> None:
    names = sorted(str(path.relative_to(sample_images)) for path in sample_images.rglob("*") if path.is_file())[:60]
    Path("job.toml").write_text("[fetch]\nconcurrency = 2\n[run]\nfirst_wave_images = 8\nwave_s = 2.0\n")
    with Loopback(sample_images, latency_s=0.2) as server:
        urls = [server.url(f"/files/{quote(name)}") for name in names]
        Path("list.txt").write_text("\n".join(urls) + "\n")
        arguments = submit(
            *("--bundle", "list.txt", "--task", "kind.toml", "--output", "out", "--config", "job.toml"),
            *("--allow-private-hosts", "--json"),
        )
        with subprocess.Popen(arguments, cwd=folder, stderr=subprocess.DEVNULL, start_new_session=True) as killed:
            deadline = time.monotonic() + 120
            while not list(Path("out/images").rglob("*.parquet")) and time.monotonic() < deadline:
                time.sleep(0.05)
            os.killpg(killed.pid, signal.SIGKILL)
        committed = duckdb.sql("SELECT count(*) FROM 'out/images/*.parquet'").fetchall()[0][0]
        assert 0 < committed < len(urls)
        server.latency_s = 0.0
        Path("job.toml").write_text("[fetch]\nconcurrency = 2\n")
        done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=True)
    summary = json.loads(done.stdout)
    assert summary["images_fetched"] == len(urls) - committed
    assert (summary["rows_in"], summary["ok"], summary["failed"]) == (60, 60, {})
    once = duckdb.sql("SELECT count(*), count(DISTINCT eolMediaURL) FROM 'out/images/*.parquet'").fetchall()
    assert once == [(60, 60)]
    assert not Path("out/_staging").exists()
    assert "tagging" in done.stderr
