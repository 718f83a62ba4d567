"""`fit --resume` after a real kill -9: the model of an unbroken run, to the bit."""

import csv
import fcntl
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT
from train.__main__ import main
from train.fit.attempts import find_package

EPOCHS = 60
PIPE_BYTES = 4096
"""Of what the training says about its epochs, less than all: unread, it cannot end before it is killed."""
CONFIG = f"""
image_size_px = 32
first_filters = 2
batch_size = 16
epochs = {EPOCHS}
early_stopping_patience = {EPOCHS}
learning_rate = 3e-3
augmentation = "simple"
schedule = "plateau"
plateau_patience = 8
class_weights = "balanced"
label_smoothing = 0.1
optimizer = "adamw"
weight_decay = 0.01
seed = 3
"""


def command(config: Path, data: Path, out: Path, *more: str) -> list[str]:
    """`python -m train ...` without its first three words."""
    return ["fit", str(config), "--data", str(data), "--out", str(out), *more]


def kill_in_epoch(epoch: int, words: list[str]) -> None:
    """Run it in a process of its own, and end that without a warning after so many epochs."""
    process = [sys.executable, "-m", "train", *words]
    with subprocess.Popen(process, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0) as running:
        assert running.stderr is not None
        fcntl.fcntl(running.stderr, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        said = b""
        while not said.startswith(f"whole epoch {epoch}/".encode()):
            said = running.stderr.readline()
            assert said, "it ended before it could be killed"
        running.kill()
        assert running.wait() == -9


def history(out: Path) -> list[dict[str, str]]:
    """The lines of history.csv, without the time that each took."""
    with (out / "001" / "history.csv").open() as stream:
        return [{**row, "seconds": ""} for row in csv.DictReader(stream)]


def test_a_killed_training_reaches_the_model_of_an_unbroken_one(sample_images: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main(command(config, sample_images, whole)) == 0
    kill_in_epoch(5, command(config, sample_images, killed))
    assert 4 <= len(history(killed)) < EPOCHS  # an epoch is told of before it is written down
    assert not (killed / "001" / "package").exists()
    words = command(config, sample_images, killed, "--resume")
    done = subprocess.run([sys.executable, "-m", "train", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in killed.iterdir()) == ["001", "chosen.json"]
    assert "whole epoch 2/" not in done.stderr
    assert len(history(whole)) == EPOCHS
    assert history(killed) == history(whole)
    one, other = (find_package(out) for out in (whole, killed))
    assert other.version == one.version
    assert metrics(other) == metrics(one)


def metrics(package: Any) -> dict[str, Any]:
    """Of the card, without what the training cost."""
    return {**package.card.metrics, "training": None}
