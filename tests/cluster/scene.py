"""Where the legs take place: pictures with planted faults, a package, a task, and the jobs as a shell starts them."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.tiny_package import write_tiny_based_package

IMAGES: Final = 2_000
FAULTS: Final = {
    1: "/status/404/{}.png",
    2: "/truncated/{}.png",
    3: "/flaky/500/1/{}.png",
    4: "/html/{}.png",
    5: "/flaky-cut/1/{}.png",
    6: "/status/410/{}.png",
}
"""Of each 50 URLs, those with these numbers are served so."""
_TASK: Final = """\
name = "kind"
models.main.package = "package"
[[rules]]
name = "sure"
when = "confidence >= {least}"
tag_sql = "label"
[[rules]]
name = "rest"
when = "true"
tag = "other"
"""
_SETTINGS: Final = """\
[fetch]
requests_per_s = {rate}
hosts = {{}}
backoff_base_s = 0.2
[run]
first_wave_images = 300
first_task_images = 60
wave_s = {wave_s}
lock_stale_s = {stale}
"""
PATIENCE_S: Final = 600.0
STALE_S: Final = 20.0
"""After so long without a sign of life a run of another machine counts as dead."""


@dataclass(frozen=True)
class Scene:
    """One place of a cluster: what jobs are started with, and where their bundle, package and output lie."""

    folder: Path
    """Holds pictures/, list.txt, task.toml, package/."""
    options: Sequence[str] = ("--master", "local[2,4]")
    """Of spark-submit.sh."""
    bundle: str = ""
    package: str = ""
    output: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()
    """What comes before the command, as `ip netns exec NAME`."""

    def at(self, place: str) -> "Scene":
        """The same with bundle, package and output below a path or address."""
        return replace(self, bundle=f"{place}/list.txt", package=f"{place}/package", output=f"{place}/out")

    def command(self, job: str, *words: str) -> list[str]:
        """A job as a shell gives it."""
        place = [self.output] if job in ("publish_tags", "verify_output") else ["--output", self.output]
        return [*self.prefix, str(ROOT / "spark-submit.sh"), *self.options, f"jobs/{job}.py", *place, *words]

    def tagging(self, *words: str) -> list[str]:
        """The main job."""
        given = ["--bundle", self.bundle, "--task", str(self.folder / "task.toml"), "--model", f"kind={self.package}"]
        settings = ["--config", str(self.folder / "job.toml"), "--quiet", "--json", "--allow-private-hosts"]
        return self.command("tag_bundles", *given, *settings, *words)

    def start(self, command: Sequence[str]) -> "subprocess.Popen[str]":
        """A command in a process group of its own."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, "EOLTAG_NO_CLASS_ARCHIVE": "yes", "SCENE": str(self.folder), **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, command: Sequence[str]) -> dict[str, Any]:
        """What a command says as JSON; it must end well."""
        job = self.start(command)
        try:
            out, err = job.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"hangs: {' '.join(command)}\n{job.communicate()}") from None
        assert job.returncode == 0, f"{' '.join(command)}\n{err[-4000:]}"
        found: dict[str, Any] = json.loads(out)
        return found

    def kill(self, wanted: Callable[[bytes, bytes], bool] = lambda _environment, _line: True) -> int:
        """SIGKILL to all processes that this scene has started and that are wanted; how many there were.

        wanted: by the environment and the command line of a process, as /proc has them.
        """
        mark, hit = f"SCENE={self.folder}".encode(), 0
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment, line = (path / "environ").read_bytes(), (path / "cmdline").read_bytes()
                if mark in environment.split(b"\0") and wanted(environment, line):
                    os.kill(int(path.name), signal.SIGKILL)
                    hit += 1
        return hit


def write_scene(
    folder: Path, server: Loopback, rate: float = 150.0, images: int = IMAGES, wave_s: float = 6.0
) -> Scene:
    """Pictures, a list of their URLs, a task and its package, all on this machine's disk; folder/pictures is served.

    wave_s: of the settings; short ones, so that a killed run has committed some.
    """
    (folder / "pictures").mkdir(exist_ok=True)
    generator = np.random.default_rng(1)
    for number in range(images):
        colour, grain = generator.integers(0, 200, 3), generator.integers(0, 55, (16, 16, 3))
        Image.fromarray((colour + grain).astype(np.uint8)).save(folder / "pictures" / f"{number}.png")
    urls = [server.url(FAULTS.get(number % 50, "/files/{}.png").format(number)) for number in range(images)]
    (folder / "list.txt").write_text("\n".join(urls) + "\n")
    write_tiny_based_package(folder / "package", ("a", "b", "c"), 1)
    (folder / "task.toml").write_text(_TASK.format(least=0.6))
    (folder / "changed.toml").write_text(_TASK.format(least=0.8))
    (folder / "job.toml").write_text(_SETTINGS.format(rate=rate, wave_s=wave_s, stale=STALE_S))
    return Scene(folder).at(str(folder))


def wait_for(what: str, is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Until it is so."""
    until = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < until, f"waited {patience_s:.0f} s in vain: {what}"
        time.sleep(0.1)


def all_jobs(scene: Scene) -> dict[str, Any]:
    """Plan, decide, report, diff and compact over a tagged output; what each of them says."""
    given, changed = ("--model", f"kind={scene.package}", "--json"), str(scene.folder / "changed.toml")
    plan = scene.run(scene.tagging("--dry-run"))
    decide = scene.run(scene.command("decide_tags", "--task", changed, *given))
    diff = scene.run(scene.command("diff_runs", "--task", changed, "--json"))
    report = scene.run(scene.command("report_tags", "--json"))
    compact = scene.run(scene.command("compact_tables", "--json"))
    return {"plan": plan, "decide": decide, "diff": diff, "report": report, "compact": compact}


def published(scene: Scene, task: str = "task.toml") -> str:
    """Publish the tags as they are; the version that is current then. task: the file that they were decided by."""
    given = ("--task", str(scene.folder / task), "--model", f"kind={scene.package}", "--license", "CC0-1.0")
    said = scene.run(scene.command("publish_tags", *given, "--max-flip-rate", "1", "--json"))
    return str(said["manifest"]["version"])


def go_back_and_verify(scene: Scene, first: str) -> None:
    """Publish what was decided anew, go back to the first publication, forward again; then nothing is wrong."""
    second = published(scene, "changed.toml")
    assert second != first
    assert scene.run(scene.command("publish_tags", "--undo", "--json"))["current"] == first
    assert published(scene, "changed.toml") == second
    listed = scene.run(scene.command("publish_tags", "--list", "--json"))
    assert listed["current"] == second
    assert {one["version"] for one in listed["publications"]} == {first, second}
    assert scene.run(scene.command("verify_output", "--bundle", scene.bundle, "--json"))["findings"] == []


_COLUMNS: Final = {
    "images": ("eolMediaURL", "dataObjectVersionID", "outcome", "content_sha256"),
    "scores": ("content_sha256", "model_version", "scores"),
    "tags": ("task", "bundle", "bundle_row", "eolMediaURL", "outcome", "tag", "rule", "label", "confidence"),
}
"""Table -> columns that do not depend on when and where they were found."""


def rows(output: Path, name: str, renamed: Mapping[str, str]) -> "Counter[tuple[Any, ...]]":
    """The rows of a table of a local output, each with how often it stands there. renamed: see assert_same."""
    found = pq.read_table(output / name, partitioning="hive").select(list(_COLUMNS[name])).to_pylist()
    return Counter(tuple(_renamed(str(value), renamed) for value in row.values()) for row in found)


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for name, other in names.items():
        text = text.replace(name, other)
    return text


def assert_same(mine: Path, right: Path, renamed: Mapping[str, str] = MappingProxyType({})) -> None:
    """The tables and TSV files of two local outputs agree, and nothing is left of a run.

    An image that two runs have asked for has two answers; they must agree. renamed: texts in `mine`, and what stands in
    their place in `right`.
    """
    for name in _COLUMNS:
        found, wanted = rows(mine, name, renamed), rows(right, name, {})
        if name == "images":
            found, wanted = Counter({*found}), Counter({*wanted})
        assert found == wanted, (name, len(found), len(wanted), list((found - wanted).items())[:3])
    for path in sorted((right / "tsv").rglob("*.tsv")):
        assert _renamed((mine / path.relative_to(right)).read_text(), renamed) == path.read_text(), path.name
    assert (mine / "report/index.html").stat().st_size > 10_000
    left = [str(path) for path in mine.rglob("*") if "_staging" in path.parts or path.name.endswith(".tmp")]
    assert not left, left[:5]
