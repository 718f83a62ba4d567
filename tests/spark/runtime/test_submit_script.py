"""spark-submit.sh before Spark is there: what it refuses, and that it packs nothing for a job that cannot start."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.spark


def submit(folder: Path, *words: str) -> tuple[int, str]:
    """Exit code and stderr, from a folder that is not the project's."""
    done = subprocess.run([ROOT / "spark-submit.sh", *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [["jobs/tag.py"], ["tag"], []])
def test_whoever_names_no_job_is_given_the_list(tmp_path: Path, words: list[str]) -> None:
    code, said = submit(tmp_path, *words)
    assert code == 2
    last = said.splitlines()[-1]
    assert last.startswith("error: ")
    assert "jobs/compact_tables.py, jobs/decide_tags.py, " in last
    assert all(f"jobs/{path.name}" in last for path in (ROOT / "jobs").glob("[a-z]*.py"))


def test_arguments_are_checked_before_the_environment_is_packed(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("https://eol.org/a.jpg\n")
    job = ("--master", "yarn", "--pack-env", "jobs/tag_bundles.py", "--bundle", "list.txt", "--output", "out")
    assert submit(tmp_path, *job, "--task", "kidn.toml") == (2, "error: kidn.toml: no such task file\n")


@pytest.mark.parametrize(("package", "wanted"), [("hdfs://somewhere/package", 0), ("nowhere", 2)])
def test_only_packages_on_this_machine_are_looked_at_before_the_environment_is_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, wanted: int
) -> None:
    monkeypatch.setenv("EOLTAG_ONLY_CHECK", "yes")
    given = ["--bundle", "list.txt", "--output", "out", "--task", "demo", "--model", f"demo={package}"]
    command = [sys.executable, str(ROOT / "jobs/tag_bundles.py"), *given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.startswith("error: ")) == (wanted, wanted == 2), done.stderr
