"""Four people walk through from a fresh clone: every command of docs/tutorials/four-ways.md, as it stands there.

A test adds to a command only where the pictures come from and how small they are; no file that ships is changed.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.api_server import ApiServer
from tests.support.base_weights import base_weights
from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.pictures import save
from tests.support.readme import blocks, page, section
from tests.support.serving import BOUNDARY, form
from tests.train.prepare.test_ratings import EXEMPLAR_COLUMNS, RATING_COLUMNS, write_table
from train.settings import read_fit_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

LEFT_BEHIND = (".venv", ".git", "build", "models", "mine", "__pycache__", "artifacts", ".*_cache")
SIDE_PX = 80
SMALL = (f"image_size_px={SIDE_PX}", "epochs=1")


@dataclass
class Clone:
    """A fresh copy of the project, in which one person works."""

    folder: Path
    added: dict[str, list[str]] = field(default_factory=dict)
    """A word of a command -> what the test adds to it."""
    said: list[str] = field(default_factory=list)
    """stdout of each command."""

    def words(self, command: str) -> list[str]:
        """As a process is started with."""
        words = shlex.split(command)
        program = [sys.executable, *words[1:]] if words[0] == "python" else words
        return [*program, *next((more for name, more in self.added.items() if name in words), [])]

    def run(self, command: str) -> str:
        """stdout; a failure shows what was said."""
        done = subprocess.run(
            self.words(command), cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        self.said.append(done.stdout)
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """The clone's own code, and a home of its own for what is kept between runs."""
        own = {"PYTHONPATH": str(self.folder), "XDG_STATE_HOME": str(self.folder / "mine"), "TF_CPP_MIN_LOG_LEVEL": "3"}
        return {**os.environ, **own, "EOLTAG_NO_CLASS_ARCHIVE": "yes"}

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


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    """All files but what was made; they are the same afterwards."""
    folder = tmp_path / "clone"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / "mine").mkdir()
    made = Clone(folder)
    before = made.shipped()
    yield made
    assert made.shipped() == before


def way(title: str) -> list[str]:
    """The commands of one person."""
    (block,) = blocks("sh", section(title, page("tutorials/four-ways.md")))
    return block.splitlines()


def bundle(server: Loopback, names: list[str], header: str = "") -> str:
    """A list of URLs, or a breakdown as EOL writes it."""
    urls = [server.url(f"/files/{name}") for name in names]
    if not header:
        return "".join(f"{url}\n" for url in urls)
    rows = [f"EOL-media-{n}\t{n}\t{url}\tAnimalia|Aves" for n, url in enumerate(urls)]
    return "\n".join([header, *rows]) + "\n"


def test_somebody_looks_after_eols_image_lists(clone: Clone, tmp_path: Path) -> None:
    for number in range(24):
        save(tmp_path / "web" / f"{number}.jpg", number)
    with Loopback(tmp_path / "web") as server:
        rows = [
            {"overall_rating": "15"[n % 2], "obj_url": server.url(f"/files/{n}.jpg"), "obj_guid": str(n)}
            for n in range(24)
        ]
        write_table(tmp_path / "ratings.txt", RATING_COLUMNS, rows)
        write_table(tmp_path / "exemplars.txt", EXEMPLAR_COLUMNS, [{"object_url": server.url("/files/1.jpg")}])
        tables = ["--ratings", str(tmp_path / "ratings.txt"), "--exemplars", str(tmp_path / "exemplars.txt")]
        header = "identifier\tdataObjectVersionID\teolMediaURL\tancestry"
        text = bundle(server, [f"{n}.jpg" for n in range(6)], header)
        (clone.folder / "mine/images_for_Aves_breakdown_000001.txt").write_text(text)
        clone.added = {
            "prepare": [*tables, "--allow-private-hosts"],
            "fit": clone.with_base(ROOT / "conf/train/rating_18.toml"),
            "jobs/tag_bundles.py": ["--allow-private-hosts"],
        }
        for command in way("You look after EOL's image lists"):
            clone.run(command)
    lines = (clone.folder / "mine/output/tsv/rating/images_for_Aves_breakdown_000001_finaltags.tsv").read_text()
    columns = "eolMediaURL identifier dataObjectVersionID ancestry imclass confidence"
    assert lines.splitlines()[0].split("\t") == columns.split()
    assert len(lines.splitlines()) == 7
    assert (clone.folder / "mine/output/report/index.html").is_file()


def test_somebody_has_300_photos_and_knows_statistics(clone: Clone) -> None:
    title = "You have 300 photos and know your statistics"
    for at, label in enumerate(("flower", "fruit", "neither")):
        for number in range(15):
            save(clone.folder / "mine/photos" / label / f"{number}.jpg", 100 * at + number)
    save(clone.folder / "mine/new_photos/a.jpg", 999)
    (config,) = blocks("toml", section(title, page("tutorials/four-ways.md")))
    (clone.folder / "mine/train.toml").write_text(config)
    clone.added["fit"] = clone.with_base(clone.folder / "mine/train.toml")
    for command in way(title):
        clone.run(command)
    report = json.loads((clone.folder / "mine/report/evaluation.json").read_text())
    assert (report["images"]["evaluated"], report["images"]["in_training"]) == (9, 0)
    assert "no threshold" in clone.said[4]
    assert " more" in clone.said[4]
    assert "a.jpg" in clone.said[5]
    assert (clone.folder / "mine/served/1/saved_model.pb").is_file()


def test_somebody_runs_spark_clusters(clone: Clone) -> None:
    commands = way("You run Spark clusters")
    clone.added = {"sample-data": ["--max-side", "64"], "fit": ["--set", "epochs=2", "--set", "image_size_px=32"]}
    for command in commands[:2]:
        clone.run(command)
    pictures = clone.folder / "build/pictures"
    with Loopback(pictures) as server:
        names = [path.relative_to(pictures).as_posix() for path in sorted(pictures.rglob("*_0001.*"))]
        (clone.folder / "mine/list.txt").write_text(bundle(server, names))
        clone.added["jobs/tag_bundles.py"] = ["--allow-private-hosts"]
        first, second = (json.loads(clone.run(command)) for command in commands[2:4])
        asked = len(server.requests)
        for command in commands[4:]:
            clone.run(command)
        assert len(server.requests) == asked == len(names) == 5
    assert (first["images_fetched"], second["images_fetched"]) == (5, 0)
    assert (first["ok"], second["ok"]) == (5, 5)


@contextmanager
def serving(clone: Clone, command: str) -> Iterator[str]:
    """The address that `serve` prints, while it runs."""
    process = subprocess.Popen(
        clone.words(command), cwd=clone.folder, env=clone.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = next(match for line in process.stdout if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
        yield found.group()
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_somebody_is_a_biologist_and_writes_no_code(clone: Clone) -> None:
    title = "You are a biologist and write no code"
    (table,) = blocks("text", section(title, page("tutorials/four-ways.md")))
    (clone.folder / "mine/terms.csv").write_text(table.replace(",200,", ",12,"))
    *commands, last = way(title)
    with ApiServer(total=200) as server:
        clone.added["collect"] = ["--base-url", server.base, "--allow-private-hosts"]
        clone.added["fit"] = clone.with_base(ROOT / "conf/train/flowers5.toml")
        clone.added["serve"] = ["--port", "0"]
        for command in commands:
            clone.run(command)
    picture = next((clone.folder / "mine/found/train/daisy").iterdir())
    body, kind = form(("a.png", picture)), f"multipart/form-data; boundary={BOUNDARY}"
    with serving(clone, last) as address:
        assert b"drop" in urllib.request.urlopen(address).read().lower()
        request = urllib.request.Request(f"{address}/classify", body, {"Content-Type": kind})
        answer = json.loads(urllib.request.urlopen(request).read())
    assert answer["success"] is True
    assert {one["label"] for one in answer["predictions"]} == {"daisy", "rose"}
