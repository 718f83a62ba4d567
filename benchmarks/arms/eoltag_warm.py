"""eoltag with its workers up and its model loaded: the job twice in one Spark application, the second time measured.

    ./spark-submit.sh benchmarks/arms/eoltag_warm.py --urls FILE --package DIR --out DIR [--engine E]

The first job tags other URLs of the same images. Of the second, work.json has
`work_s`: from the first image that a worker took up to the moment when the last file of images was complete, so
fetching, decoding, inference, the commit of each wave and whatever lies between two waves; and
`job_s`: all of it, with reading the bundle, planning, deciding and the TSV.
"""

import contextlib
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.arms.command import read_job, warm_s
from benchmarks.arms.eoltag_job import ROOT, engine_settings, eoltag_parser, write_inputs
from eoltag.settings import read_settings
from eoltag.spark.jobs.tag import tag_bundles
from eoltag.spark.requests import TagRequest

WARM_UP_IMAGES: Final = 500


def main() -> int:
    """Both jobs; the exit code of the second."""
    arguments = eoltag_parser(__doc__).parse_args()
    engine = engine_settings(arguments)
    job = read_job(arguments, "pyspark", "openvino", engine=engine, warm_up_images=WARM_UP_IMAGES)
    others = [f"{url}?warm-up" for url in job.urls[:WARM_UP_IMAGES]]
    warm_up = write_inputs(arguments.out / "warm-up" / "inputs", others, job.package, engine)
    measured = write_inputs(arguments.out / "inputs", job.urls, job.package, engine)
    with contextlib.redirect_stdout(sys.stderr):
        tag_bundles(_request(warm_up, warm_up.parent))
        started = time.monotonic()
        code = tag_bundles(_request(measured, arguments.out))
    job.write_work(work_s=warm_s(arguments.out), job_s=time.monotonic() - started)
    return code


def _request(inputs: Path, output: Path) -> TagRequest:
    settings = read_settings(inputs / "settings.toml")
    fetch = settings.fetch.model_copy(update={"allow_private_hosts": True})
    return TagRequest(
        bundles=[str(inputs / "bundle.txt")],
        tasks=[str(inputs / "bench.toml")],
        output=str(output),
        settings=settings.model_copy(update={"fetch": fetch}),
        root=ROOT,
        is_quiet=True,
        as_json=True,
    )


if __name__ == "__main__":
    sys.exit(main())
