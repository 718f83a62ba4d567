"""Arm E: Daft downloads, decodes and resizes with its own expressions; a class UDF predicts.

Daft's guide: expressions rather than Python for download, decode and resize, a class that loads its model once, a batch
method, one process per core for it.
"""

import os
from pathlib import Path
from typing import Any

from benchmarks.arms.command import BATCH, CONNECTIONS, CORES, parser, read_job
from benchmarks.arms.runtime import ENGINES, Engine, load


def main() -> None:
    """One query: download, decode, resize, classify, collect."""
    options = parser(__doc__)
    options.add_argument("--engine", choices=ENGINES, default="keras")
    arguments = options.parse_args()
    os.environ["DAFT_ANALYTICS_ENABLED"] = "0"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["DAFT_PROGRESS_BAR"] = "0"
    import daft
    import numpy as np
    from daft.functions import decode_image, download, resize

    @daft.cls(max_concurrency=CORES, use_process=True)
    class Classifier:
        """Loads its model once per process."""

        def __init__(self, package: str, engine: Engine) -> None:
            self._predict = load(Path(package), engine, threads=1)

        @daft.method.batch(return_dtype=daft.DataType.int32(), batch_size=BATCH)  # type: ignore[untyped-decorator]
        def label(self, images: Any) -> Any:
            """-1 where there is no image."""
            pixels = images.to_pylist()
            there = [number for number, image in enumerate(pixels) if image is not None]
            found = np.full(len(pixels), -1, np.int32)
            if there:
                found[there] = self._predict(np.stack([pixels[number] for number in there])).argmax(axis=1)
            return found

    settings = {"max_connections": CONNECTIONS, "batch_size": BATCH, "processes": CORES}
    job = read_job(arguments, "daft", "keras", "tensorflow-cpu", "openvino", engine=arguments.engine, **settings)
    with job.work():
        image = decode_image(
            download(daft.col("url"), max_connections=CONNECTIONS, on_error="null"), on_error="null", mode="RGB"
        )
        rows = (
            daft.from_pydict({"url": job.urls})
            .into_batches(4 * BATCH)
            .with_column("image", resize(image, job.side_px, job.side_px))
            .with_column("label", Classifier(str(job.package), arguments.engine).label(daft.col("image")))
            .select("url", "label")
            .to_pydict()
        )
        pairs = zip(rows["url"], rows["label"], strict=True)
        job.write((url, job.labels[at] if at is not None and at >= 0 else None) for url, at in pairs)


if __name__ == "__main__":
    main()
