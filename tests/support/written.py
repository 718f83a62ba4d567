"""A small output directory as this version writes it, kept in the repository for later versions to read.

    python -m tests.support.written

makes tests/spark/tables/written/<schema version> again; only a new schema version asks for that.
"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from eoltag.settings import FetchSettings, ReuseSettings, Settings
from eoltag.spark.jobs.tag import tag_bundles
from eoltag.spark.requests import TagRequest
from eoltag.spark.runtime.command import run_command
from eoltag.spark.tables.schemas import SCHEMA_VERSION
from jobs.publish_tags import main as publish_main
from tests.support.loopback import Loopback
from tests.support.paths import ROOT
from tests.support.pictures import save
from tests.support.tiny_package import write_tiny_based_package

WRITTEN: Final = ROOT / "tests/spark/tables/written"
IMAGES: Final = 4
TASK: Final = """
name = "kind"
models.main.package = "model"
[[rules]]
name = "sure"
when = "confidence > 0.6"
tag_sql = "label"
"""


def write(folder: Path) -> Path:
    """Tag four pictures and an address without one, keep all that can be kept, publish; returns the output."""
    write_tiny_based_package(folder / "model", ("map", "photo"), seed=1)
    (folder / "kind.toml").write_text(TASK)
    for number in range(IMAGES):
        save(folder / f"files/{number}.jpg", number, (40, 30))
    fetch, reuse = FetchSettings(allow_private_hosts=True, attempts=1), ReuseSettings(features=True, pixels=32)
    with Loopback(folder / "files") as server:
        rows = [f"{server.url(f'/files/{number}.jpg')}\tEOL-{number}" for number in range(IMAGES + 1)]
        (folder / "list.txt").write_text("\n".join(["eolMediaURL\tidentifier", *rows]) + "\n")
        settings = Settings(fetch=fetch, reuse=reuse)
        tag_bundles(TagRequest(["list.txt"], ["kind.toml"], "out", settings, folder, is_quiet=True))
    assert run_command(lambda: publish_main(arguments=["out", "--task", "kind.toml"])) == 0
    return folder / "out"


def main() -> None:
    """Make the fixture of the present schema version."""
    target = WRITTEN / str(SCHEMA_VERSION)
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        made = write(Path(folder))
        shutil.rmtree(target, ignore_errors=True)
        left = shutil.ignore_patterns("report", "thumbnails", ".*")
        shutil.copytree(made, target, ignore=left)


if __name__ == "__main__":
    main()
