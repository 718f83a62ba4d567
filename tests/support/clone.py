"""A fresh copy of the project in which the commands of a page are run, as they stand there, by one shell.

A test adds to a command only where the pictures come from and how small they are; no file that ships is changed.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from tests.support.base_weights import base_weights
from tests.support.paths import ROOT
from tests.support.readme import blocks
from train.settings import read_fit_settings

LEFT_BEHIND: Final = (".venv", ".git", "build", "models", "mine", "__pycache__", "artifacts", ".*_cache")
SIDE_PX: Final = 80
SMALL: Final = (f"image_size_px={SIDE_PX}", "epochs=1")
_MARK: Final = "@@ the end of a command @@"


def commands(text: str) -> list[str]:
    """The commands of the shell blocks of a page or section, lines that go on joined."""
    lines = [line for block in blocks("sh", text) for line in re.sub(r"\\\n\s*", "", block).splitlines()]
    return [line for line in lines if line.strip() and not line.startswith("#")]


@dataclass
class Clone:
    """A fresh copy of the project, in which one person works."""

    folder: Path
    added: dict[str, list[str]] = field(default_factory=dict)
    """A word of a command -> what the test adds to it."""
    put: dict[str, str] = field(default_factory=dict)
    """A text of a command -> what the test puts in its place."""

    def line(self, command: str) -> str:
        """The command as the shell gets it."""
        words = shlex.split(command)
        more = shlex.join(next((more for name, more in self.added.items() if name in words), []))
        at = re.search(r" [|&>]", command)
        line = f"{command} {more}" if at is None else f"{command[: at.start()]} {more}{command[at.start() :]}"
        for text, other in self.put.items():
            line = line.replace(text, other)
        return line

    def walk(self, given: Sequence[str]) -> list[str]:
        """What each command prints on stdout; one that fails ends the walk, and shows what was said."""
        script = "\n".join(["set -euo pipefail", *(f"{self.line(one)}\necho '{_MARK}'" for one in given)])
        # Files, no pipes: what a command has left in the background would hold a pipe open.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            shell = subprocess.Popen(
                ["bash", "-c", script],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            try:
                shell.wait()
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(shell.pid, signal.SIGKILL)
            out.seek(0)
            err.seek(0)
            said = out.read().split(f"{_MARK}\n")
            assert shell.returncode == 0, f"{given[len(said) - 1]}\n{said[-1][-2000:]}\n{err.read()[-4000:]}"
        return said[:-1]

    def run(self, command: str) -> str:
        """What one command prints on stdout."""
        return self.walk([command])[0]

    @contextmanager
    def serving(self, command: str) -> Iterator[str]:
        """The address that a command prints, while it runs."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {self.line(command)}"], cwd=self.folder, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            found = next(match for line in process.stdout if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
            yield found.group()
        finally:
            process.terminate()
            process.communicate(timeout=60)

    @property
    def environment(self) -> dict[str, str]:
        """The clone's own code, its own `python`, and a home of its own for what is kept between runs."""
        own = {"PYTHONPATH": str(self.folder), "XDG_STATE_HOME": str(self.folder / "mine"), "TF_CPP_MIN_LOG_LEVEL": "3"}
        path = f"{self.folder}/.venv/bin:{os.environ['PATH']}"
        return {**os.environ, **own, "PATH": path, "EOLTAG_NO_CLASS_ARCHIVE": "yes"}

    def shipped(self) -> dict[str, str]:
        """Digest of every file that ships."""
        own = ("mine", "models", "build", ".venv")
        files = [path for path in self.folder.rglob("*") if path.relative_to(self.folder).parts[0] not in own]
        return {
            str(path): sha256(path.read_bytes()).hexdigest()
            for path in files
            if path.is_file() and "__pycache__" not in path.parts
        }

    def with_base(self, recipe: Path) -> list[str]:
        """What makes a recipe with a base quick: weights that nobody trained, small pictures, one epoch a phase."""
        settings = read_fit_settings(recipe)
        weights = base_weights(settings, SIDE_PX, self.folder / "mine" / "base.weights.h5")
        changes = [*SMALL, *["fine_tune_epochs=1"] * bool(settings.fine_tune_from)]
        changes += ["cached_views=1"] * bool(settings.cached_views)
        return ["--weights", str(weights), *(word for change in changes for word in ("--set", change))]


@contextmanager
def fresh_clone(folder: Path) -> Iterator[Clone]:
    """All files but what was made; they are the same afterwards."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "mine").mkdir()
    made = Clone(folder)
    before = made.shipped()
    yield made
    assert made.shipped() == before
