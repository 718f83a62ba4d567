"""The smallest PySpark program that does what a job must: python -m benchmarks.bare_spark OUT.

Two rows through a Python worker, written as Parquet. Nothing of eoltag is imported, and every setting is Spark's own;
only the workers' Python is named, since Spark would take the first on PATH.
"""

import os
import sys
from collections.abc import Iterator

import pandas as pd
from pyspark.sql import SparkSession


def unchanged(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """What comes in."""
    yield from batches


def main(out: str) -> None:
    """Start Spark, send two rows through Python, write them, stop."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = SparkSession.builder.master("local[*]").getOrCreate()
    session.range(2).mapInPandas(unchanged, "id long").write.parquet(out)
    session.stop()


if __name__ == "__main__":
    main(sys.argv[1])
