"""The predictions table, predictions/task=T/model_version=V: facts, which are appended and never changed."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.spark.requests import IMAGES_PER_FILE
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.schemas import PREDICTIONS


def has_predictions(output: Output, task: str, version: str) -> bool:
    """Whether some image was predicted by this model for this task."""
    return output.files.exists(output.path("predictions", f"task={task}", f"model_version={version}"))


def read_predictions(output: Output) -> DataFrame | None:
    """The whole table; None before the first wave was committed."""
    if not output.files.names(output.path("predictions")):
        return None
    return output.session.read.schema(PREDICTIONS).parquet(output.path("predictions"))


def partitions(output: Output) -> list[tuple[str, str]]:
    """(task, model version) of each partition."""
    root, files = output.path("predictions"), output.files
    return [
        (task.removeprefix("task="), version.removeprefix("model_version="))
        for task in files.partitions(root)
        for version in files.partitions(f"{root}/{task}")
    ]


def read_partition(output: Output, task: str, version: str) -> DataFrame:
    """One partition, with the columns of any of its files."""
    path = output.path("predictions", f"task={task}", f"model_version={version}")
    return output.session.read.option("mergeSchema", "true").parquet(path)


def append_predictions(output: Output, rows: DataFrame, images: int) -> None:
    """Commit a wave: few files, sorted by URL, moved into their partitions when all are complete."""
    staged, files = f"{output.staging}/predictions", output.files
    keys = ["task", "model_version"]
    spread = F.pmod(F.xxhash64("eolMediaURL"), F.lit(1 + images // IMAGES_PER_FILE))
    (
        rows.repartition(*keys, spread)
        .sortWithinPartitions(*keys, "eolMediaURL")
        .write.mode("overwrite")
        .option("compression", "zstd")
        .partitionBy(*keys)
        .parquet(staged)
    )
    for task in files.partitions(staged):
        for version in files.partitions(f"{staged}/{task}"):
            for name in files.parts(f"{staged}/{task}/{version}"):
                files.move(f"{staged}/{task}/{version}/{name}", output.path("predictions", task, version, name))
    files.delete(staged)
