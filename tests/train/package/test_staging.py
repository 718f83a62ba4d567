"""A package appears whole or not at all, whatever kills the process that writes it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from train.package import staging
from train.package.staging import staged

KILLED = """
import os, signal, sys
from pathlib import Path
from train.package import staging
if sys.argv[2] == "renames":
    staging.exchange = lambda one, other: False
    rename = Path.rename
    def rename_and_die(self, target):
        rename(self, target)
        os.kill(os.getpid(), signal.SIGKILL)
    Path.rename = rename_and_die
with staging.staged(Path(sys.argv[1]), overwrite=True) as folder:
    (folder / "card.json").write_text("new")
    if sys.argv[2] == "work":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def package(folder: Path, text: str) -> Path:
    """What counts as a package here: a folder with a card."""
    folder.mkdir()
    (folder / "card.json").write_text(text)
    return folder


def killed(out: Path, moment: str) -> None:
    """A process that dies at that moment of writing a package."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(out), moment], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", ["work", "renames"])
def test_what_a_killed_process_has_left_is_mended_by_the_next(tmp_path: Path, moment: str) -> None:
    out = package(tmp_path / "model", "old")
    killed(out, moment)
    assert len(list(tmp_path.iterdir())) == (2 if moment == "work" else 1)
    with staged(out, overwrite=True) as folder:
        assert (out / "card.json").read_text() == "old", "it is there while the new one is made"
        (folder / "card.json").write_text("new")
    assert (out / "card.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_a_living_process_works_in_is_left_alone(tmp_path: Path) -> None:
    with staged(tmp_path / "model", overwrite=False) as mine:
        (mine / "card.json").write_text("mine")
        with staged(tmp_path / "model", overwrite=True) as other:
            (other / "card.json").write_text("other")
        assert (mine / "card.json").read_text() == "mine"
        (tmp_path / "model/card.json").unlink()
        os.rmdir(tmp_path / "model")  # noqa: PTH106 - as somebody else may do
    assert (tmp_path / "model/card.json").read_text() == "mine"


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_package_takes_the_place_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(staging, "exchange", lambda *_: False)
    out = package(tmp_path / "model", "old")
    with staged(out, overwrite=True) as folder:
        (folder / "card.json").write_text("new")
    assert (out / "card.json").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
