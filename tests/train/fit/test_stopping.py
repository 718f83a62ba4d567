"""Ctrl-C and SIGTERM in the middle of a verb: one line, 130 or 143, no process and no file left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.chaos.fits import draw_classes
from tests.support.paths import ROOT

PATIENCE_S = 60.0


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """A verb in a process group of its own, whose temporary files lie in folder/tmp."""
    (folder / "tmp").mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "train", *words],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(ROOT), "STOPPING": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def wait_for(path: Path, pattern: str) -> None:
    """Until there is such a file."""
    until = time.monotonic() + PATIENCE_S
    while not list(path.glob(pattern)):
        assert time.monotonic() < until, f"no {pattern} in {path}"
        time.sleep(0.01)


def living(folder: Path) -> list[str]:
    """Processes that the verb has started and that live."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"STOPPING={folder}".encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append((path / "cmdline").read_text())
        except OSError:
            continue
    return found


def check(job: "subprocess.Popen[str]", folder: Path, code: int) -> None:
    """One line beside what the verb had said, and nothing left."""
    _, err = job.communicate(timeout=PATIENCE_S)
    assert (job.returncode, err.splitlines()[-1][:13]) == (code, "interrupted: ")
    assert "Traceback" not in err
    assert err.count("interrupted") == 1
    assert list((folder / "tmp").iterdir()) == []
    assert living(folder) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("is_group", [True, False], ids=["group", "process"])
def test_a_verb_that_is_told_to_stop_says_one_line(
    number: signal.Signals, code: int, is_group: bool, tmp_path: Path
) -> None:
    job = start(tmp_path, "sample-data", "samples", "--per-class", "5000")
    wait_for(tmp_path, "samples/*/*")
    os.killpg(job.pid, number) if is_group else job.send_signal(number)
    check(job, tmp_path, code)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_training_that_is_told_to_stop_can_be_gone_on_with(number: signal.Signals, code: int, tmp_path: Path) -> None:
    draw_classes(tmp_path / "classes")
    settings = 'name = "kind"\nimage_size_px = 32\nfirst_filters = 4\nepochs = 3000\nbatch_size = 8\n'
    (tmp_path / "fit.toml").write_text(settings)
    job = start(tmp_path, "fit", "fit.toml", "--data", "classes", "--out", "out")
    wait_for(tmp_path, "out/001/history.csv")
    job.send_signal(number)
    check(job, tmp_path, code)
    assert list(tmp_path.glob("out/**/.*")) + list(tmp_path.glob("out/**/*.tmp")) == []
    assert (tmp_path / "out/001/checkpoint").is_dir(), "for --resume"
