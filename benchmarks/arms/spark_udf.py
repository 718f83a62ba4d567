"""Arm C, the usual Spark recipe: a pandas UDF that fetches, and Spark's own `predict_batch_udf` with Keras.

Made as fast as its documentation allows: a pooled session with 32 threads per task, image bytes rather than pixels
between the two, Arrow batches cut down from 10,000 rows, workers that keep their model.
"""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from benchmarks.arms.command import BATCH, CONNECTIONS, CORES, parser, read_job

ROWS_PER_ARROW_BATCH: Final = 4 * BATCH
CONFIG: Final = {
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(ROWS_PER_ARROW_BATCH),
    "spark.python.worker.reuse": "true",
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
}


def main() -> None:
    """One job: fetch, predict, collect the labels."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    import pandas as pd
    from pyspark.ml.functions import predict_batch_udf
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.functions import pandas_udf
    from pyspark.sql.types import IntegerType

    job = read_job(parser(__doc__).parse_args(), "pyspark", "keras", "tensorflow-cpu", "requests", spark=CONFIG)
    package, side_px = job.package, job.side_px

    builder = SparkSession.builder.master(f"local[{CORES}]")
    for key, value in CONFIG.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")

    @pandas_udf("binary")  # type: ignore[call-overload, untyped-decorator]
    def fetch(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        yield from _fetched(batches)

    def make_predict() -> Callable[[Any], Any]:
        from benchmarks.arms.runtime import load, predict_pictures

        predict = load(package, "keras", threads=1)
        return lambda images: _as_numbers(predict_pictures(predict, list(images), side_px))

    classify = predict_batch_udf(make_predict, return_type=IntegerType(), batch_size=BATCH)
    with job.work():
        urls = session.createDataFrame(pd.DataFrame({"url": job.urls})).repartition(CORES)
        rows = urls.withColumn("label", classify(fetch("url"))).toPandas()
        job.write(
            (url, job.labels[at] if at >= 0 else None) for url, at in zip(rows["url"], rows["label"], strict=True)
        )
    session.stop()


def _fetched(batches: Iterator[Any]) -> Iterator[Any]:
    """Image bytes; None where there are none."""
    from concurrent.futures import ThreadPoolExecutor

    import pandas as pd
    import requests
    from requests.adapters import HTTPAdapter

    with requests.Session() as web, ThreadPoolExecutor(CONNECTIONS // CORES) as pool:
        web.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS))

        def get(url: str) -> bytes | None:
            try:
                answer = web.get(url, timeout=30)
            except requests.RequestException:
                return None
            return answer.content if answer.ok else None

        for urls in batches:
            yield pd.Series(list(pool.map(get, urls)), dtype=object)


def _as_numbers(found: list[int | None]) -> Any:
    import numpy as np

    return np.array([-1 if at is None else at for at in found], np.int32)


if __name__ == "__main__":
    main()
