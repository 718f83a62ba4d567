"""The wheel in a clean environment, in a folder of its own: what is missing is named, installed as said, and works."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eoltag.commands.registry import COMMANDS
from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_package

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(1500)]

TASK = """
name = "kind"
models.main.package = "package"
[[rules]]
name = "any"
when = "confidence > 0"
tag_sql = "label"
"""


def run(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """A command that knows nothing of the checkout, nor of the Spark of tests that ran before in this process."""
    ours = ("PYTHONPATH", "PYSPARK_", "SPARK_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `venv`, in which the wheel is installed without extras."""
    folder = tmp_path_factory.mktemp("wheel")
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    pip = [str(folder / "venv/bin/python"), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt")]
    for command in ([*wheel, str(ROOT)], [sys.executable, "-m", "venv", str(folder / "venv")]):
        assert run(folder, *command).returncode == 0
    (built,) = folder.glob("*.whl")
    done = run(folder, *pip, str(built))  # pip that sees the checkout would find eoltag there already
    assert done.returncode == 0, done.stderr
    return folder


def test_commands_name_the_extra_that_they_lack_and_what_installs_it(installed: Path) -> None:
    program = str(installed / "venv/bin/eoltag")
    for name, command in COMMANDS.items():
        done = run(installed, program, name, "--help")
        if not command.libraries:
            assert done.returncode == 0, name
            continue
        assert (done.returncode, done.stdout) == (2, ""), name
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"error: eoltag {name} wants {command.libraries[0]}, which is not installed: ")
        assert line.endswith(f" -m pip install 'eoltag[{command.extra}]'")


def test_what_the_refusal_says_installs_spark_and_a_bundle_is_tagged(installed: Path) -> None:
    program = str(installed / "venv/bin/eoltag")
    advice = run(installed, program, "tag", "--help").stderr.partition("not installed: ")[2].strip()
    done = run(installed, "bash", "-c", advice)
    assert done.returncode == 0, done.stderr
    for number in range(3):
        save(installed / f"pictures/{number}.jpg", number, (40, 30))
    write_tiny_package(installed / "package", "ab", 1)
    (installed / "task.toml").write_text(TASK)
    with Loopback(installed / "pictures") as server:
        (installed / "list.txt").write_text("".join(f"{server.url(f'/files/{number}.jpg')}\n" for number in range(3)))
        given = ("--bundle", "list.txt", "--task", "task.toml", "--output", "out", "--allow-private-hosts")
        done = run(installed, program, "tag", *given)
        assert done.returncode == 0, done.stderr[-3000:]
        assert len(server.requests) == 3
    lines = (installed / "out/tsv/kind/list_finaltags.tsv").read_text().splitlines()
    assert len(lines) == 1 + 3
