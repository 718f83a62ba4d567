"""Pictures that end, stop or hold their worker cost a row each, and every other row of the run is whole."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import quote

import duckdb
import pytest

from tests.support import deadly
from tests.support.loopback import Loopback
from tests.support.paths import ROOT

pytestmark = pytest.mark.spark

KINDS: Final = ("segfault", "kill", "hang", "stop")
TEN: Final = (*KINDS, *("segfault", "kill") * 3)
SOUND: Final = 40
RULE: Final = '[[rules]]\nname = "any"\nwhen = "confidence >= 0"\ntag = "x"\n'
SETTINGS: Final = "[decode]\ntimeout_s = 1.0\n[run]\nfirst_wave_images = 20\nfirst_task_images = 10\nwave_s = 2.0\n"


@pytest.fixture
def folder(tmp_path: Path, small_package: Path, sample_images: Path) -> Path:
    """A package, a task and sound pictures."""
    shutil.copytree(small_package, tmp_path / "model")
    (tmp_path / "kind.toml").write_text(f'name = "kind"\nmodels.main.package = "model"\n{RULE}')
    (tmp_path / "job.toml").write_text(SETTINGS)
    (tmp_path / "images").mkdir()
    sound = sorted(path for path in sample_images.rglob("*.jpg") if path.is_file())[:SOUND]
    assert len(sound) == SOUND
    for number, path in enumerate(sound):
        (tmp_path / f"images/{number:02}.jpg").write_bytes(path.read_bytes())
    return tmp_path


def submit(master: str) -> list[str]:
    """The command that a person types, with workers that deadly pictures end."""
    return [
        *(str(ROOT / "spark-submit.sh"), "--master", master),
        *("--conf", "spark.python.daemon.module=tests.support.deadly"),
        *("--conf", f"spark.executorEnv.PYTHONPATH={ROOT}"),
        *(str(ROOT / "jobs/tag_bundles.py"), "--bundle", "list.txt", "--task", "kind.toml", "--output", "out"),
        *("--config", "job.toml", "--allow-private-hosts", "--json"),
    ]


@pytest.mark.parametrize(
    ("master", "kinds"),
    [
        ("local[2,4]", KINDS),
        pytest.param("local[2,4]", TEN, marks=pytest.mark.slow),
        pytest.param("local[2]", TEN, marks=pytest.mark.slow),
    ],
)
def test_pictures_that_end_their_worker_cost_a_row_each_in_one_run(
    folder: Path, master: str, kinds: tuple[str, ...]
) -> None:
    bytes_of_one = (folder / "images/00.jpg").read_bytes()
    for number, kind in enumerate(kinds):
        (folder / f"images/deadly_{number}_{kind}.jpg").write_bytes(deadly.picture(bytes_of_one, kind))
    with Loopback(folder / "images") as server:
        names = sorted(path.name for path in (folder / "images").iterdir())
        (folder / "list.txt").write_text("\n".join(server.url(f"/files/{quote(name)}") for name in names) + "\n")
        done = subprocess.run(submit(master), cwd=folder, capture_output=True, text=True, timeout=280)
        asked = {name: sum(name in str(request) for request in server.requests) for name in names}
    assert done.stdout, done.stderr[-3000:]
    summary = json.loads(done.stdout)
    assert (summary["rows_in"], summary["ok"]) == (len(names), SOUND)
    assert summary["failed"] == {"undecodable": len(kinds)}
    rows = duckdb.sql(
        f"SELECT eolMediaURL, detail FROM '{folder}/out/images/*.parquet' WHERE outcome <> 'ok'"
    ).fetchall()
    causes = {url.rpartition("_")[2].removesuffix(".jpg"): detail for url, detail in rows}
    assert causes == {
        "segfault": "the worker died while reading it (SIGSEGV)",
        "kill": "the worker died while reading it (SIGKILL)",
        "hang": "reading it took more than 1 s",
        "stop": "reading it took more than 1 s",
    }
    assert max(asked.values()) <= 2
