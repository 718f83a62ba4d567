"""Arm D: Ray Data with its own downloader, and an actor for each core that decodes and predicts.

Ray's performance guide: stateful actors for models, batches, fractional CPUs for what waits for the network, blocks
small enough to overlap. `obstore` is installed, which Ray asks for to download asynchronously.
"""

import logging
import os
from pathlib import Path
from typing import Any, Final

from benchmarks.arms.command import BATCH, CORES, parser, read_job
from benchmarks.arms.runtime import ENGINES, Engine, load, predict_pictures

URLS_PER_BLOCK: Final = 128
DOWNLOAD_CPUS: Final = 0.25
ACTOR_CPUS: Final = 1
OWN_CPUS: Final = 2
"""Ray's CPUs are tickets, not cores. Its downloader holds one for planning and wants another for splitting; where
actors hold all the others, nothing ever starts (ray-project/ray#44687)."""


class Classifier:
    """Loads its model once per actor."""

    def __init__(self, package: Path, engine: Engine, side_px: int) -> None:
        self._predict = load(package, engine, threads=1)
        self._side_px = side_px

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """{url, bytes} to {url, label}; -1 where there is none."""
        found = predict_pictures(self._predict, list(batch["bytes"]), self._side_px)
        return {"url": batch["url"], "label": [-1 if at is None else at for at in found]}


def main() -> None:
    """One pipeline: download, classify, collect."""
    options = parser(__doc__)
    options.add_argument("--engine", choices=ENGINES, default="keras")
    arguments = options.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.data.expressions import download

    settings = {
        "urls_per_block": URLS_PER_BLOCK,
        "download_cpus": DOWNLOAD_CPUS,
        "actor_cpus": ACTOR_CPUS,
        "own_cpus": OWN_CPUS,
    }
    job = read_job(
        arguments, "ray", "obstore", "keras", "tensorflow-cpu", "openvino", engine=arguments.engine, **settings
    )
    ray.init(num_cpus=CORES + OWN_CPUS, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    with job.work():
        blocks = max(1, len(job.urls) // URLS_PER_BLOCK)
        rows = (
            ray.data.from_items([{"url": url} for url in job.urls], override_num_blocks=blocks)
            .with_column("bytes", download("url"), num_cpus=DOWNLOAD_CPUS)
            .map_batches(
                Classifier,
                fn_constructor_args=(job.package, arguments.engine, job.side_px),
                batch_size=BATCH,
                num_cpus=ACTOR_CPUS,
                compute=ray.data.ActorPoolStrategy(size=CORES),
            )
            .take_all()
        )
        job.write((row["url"], job.labels[row["label"]] if row["label"] >= 0 else None) for row in rows)
    ray.shutdown()


if __name__ == "__main__":
    main()
