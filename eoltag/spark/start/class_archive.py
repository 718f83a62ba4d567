"""A run that loads the classes of a class-data-sharing archive: python -m eoltag.spark.start.class_archive.

Where Java is older than 19, spark-submit.sh runs it once with a JVM that archives the classes it loaded, so that later
starts need not look for, read and verify them one by one: a run of 20 images takes 20 CPU-seconds in place of 26. It is
the main job over few rows and then over many, which Spark works on with other classes; their addresses are refused
before any connection.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from pyspark import SparkContext

from eoltag.model.card import CardInput
from eoltag.model.package import Card, write_card
from eoltag.settings import Settings, parse
from eoltag.spark.jobs.tag import tag_bundles
from eoltag.spark.requests import TagRequest
from eoltag.spark.runtime.session import FEW_ROWS

REFUSED: Final = "http://10.0.0.1/{}.jpg"


def main() -> int:
    """Exit code 0 when the run is through and the JVM has ended, its archive written."""
    with tempfile.TemporaryDirectory(prefix="eoltag-class-archive-") as name:
        codes = [tag_bundles(_request(Path(name), rows)) for rows in (3, FEW_ROWS + 1)]
    _end_java()
    return int(max(codes))


def _request(folder: Path, rows: int) -> TagRequest:
    (folder / "bundle.txt").write_text("\n".join(REFUSED.format(number) for number in range(rows)) + "\n")
    package = folder / "package"
    for file in ("model.xml", "model.bin"):
        (package / "openvino" / file).parent.mkdir(parents=True, exist_ok=True)
        (package / "openvino" / file).write_text("never loaded: no image arrives")
    size = CardInput(height=8, width=8)
    write_card(package, Card(card_version=1, name="class_archive", labels=("a", "b"), input=size, files={}))
    rule = '[[rules]]\nname = "a"\nwhen = "label = \'a\' AND logit > 1.5"\ntag = "a"\n'
    task = folder / "class_archive.toml"
    task.write_text(f'name = "class_archive"\n[models.main]\npackage = {json.dumps(str(package))}\n{rule}')
    settings = parse(Settings, {"run": {"max_failure_rate": 1.0}}, "class archive")
    return TagRequest(
        bundles=[str(folder / "bundle.txt")],
        tasks=[str(task)],
        output=str(folder / "out"),
        settings=settings,
        root=folder,
        is_quiet=True,
    )


def _end_java() -> None:
    """The JVM ends, and dumps, when nobody holds its standard input any more."""
    context = SparkContext._active_spark_context
    gateway: Any = SparkContext._gateway
    if context is not None:
        context.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    sys.exit(main())
