"""tag_images and classify_images: one struct column more for a DataFrame, and nothing else touched."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from eoltag.decide.task import ModelEntry, Task, TaskFile, bundle_columns, read_task
from eoltag.errors import DataError, SettingsError, TaskError
from eoltag.model.package import Package, read_package
from eoltag.pipeline.models import Models
from eoltag.pipeline.partition import Job
from eoltag.settings import ReuseSettings, Settings, parse, read_settings
from eoltag.spark.decide.checking import check_task, reason_of
from eoltag.spark.decide.rules import tag_found, worker_columns
from eoltag.spark.frames.cluster import Cluster, cluster_of
from eoltag.spark.frames.column import ColumnWorker
from eoltag.spark.predict.workers import sources_of
from eoltag.spark.runtime.session import threads_per_task
from eoltag.spark.tables.schemas import IDENTITY, quoted

__all__ = ["classify_images", "tag_images"]

SettingsLike = Settings | Mapping[str, Any] | str | Path | None
"""Settings, the same as a mapping of sections, or a TOML file; None: the defaults."""

CLASSIFIED: Final = (
    "outcome", "detail", "http_status", "label", "confidence", "logit", "scores", "model_version", "content_sha256",
    "width", "height",
)  # fmt: skip
TAGGED: Final = (*CLASSIFIED[:3], "tag", "rule", *CLASSIFIED[3:])

_ROW: Final = "the row"
"""All columns of the caller as one, so that no rule can mean them."""
_FOUND: Final = "the answer"


def tag_images(
    df: DataFrame,
    task: Task | str | Path,
    url: str,
    settings: SettingsLike = None,
    *,
    name: str = "tagged",
    partitions: int | None = None,
) -> DataFrame:
    """`df` with one column more: a struct with what became of the image at each URL, its tag and its label.

    Every row stays once. An image that cannot be tagged has an `outcome` that says why, and no tag. Nothing is fetched
    before Spark computes the column, and each action computes it anew: write the result, or cache it.

    task: a name in conf/tasks, a task file, or a task that was read. url: the column. settings: see SettingsLike.
    name: of the new column. partitions: Spark tasks that fetch; None: as many as the session runs at a time. Raises
    UsageError.
    """
    read = task if isinstance(task, Task) else read_task(str(task), Path.cwd())
    return _with_answers(df, read, url, settings, name, partitions, TAGGED)


def classify_images(
    df: DataFrame,
    package: Package | str | Path,
    url: str,
    settings: SettingsLike = None,
    *,
    name: str = "classified",
    partitions: int | None = None,
) -> DataFrame:
    """`df` with one column more: a struct with what became of the image at each URL, and what a model says of it.

    As tag_images, without rules. package: a model package, or a folder of attempts. Raises UsageError.
    """
    model = package if isinstance(package, Package) else read_package(Path(package))
    file = TaskFile(name="classify", models={"model": ModelEntry(package=str(model.path))})
    task = Task(model.path, file, {"model": model})
    return _with_answers(df, task, url, settings, name, partitions, CLASSIFIED)


def _with_answers(
    df: DataFrame,
    task: Task,
    url: str,
    settings: SettingsLike,
    name: str,
    partitions: int | None,
    fields: Sequence[str],
) -> DataFrame:
    """`df` with the column `name`. Rows of one URL come together in one Spark task, which fetches it once."""
    _check_columns(df, task, url, name)
    check_task(df.sparkSession, task)
    cluster, address = cluster_of(df.sparkSession), F.col(url)
    tasks = _partitions(partitions, cluster)
    worker = _worker(task, _settings(settings), cluster, tasks)
    rows = df.repartition(tasks, address).select(
        F.struct("*").alias(_ROW),
        *_identity(df, address),
        *_bundle_columns(df, task),
        worker.column(address).alias(_FOUND),
    )
    found = rows.select(F.col(_ROW), *IDENTITY, *bundle_columns(task), f"{quoted(_FOUND)}.*")
    tagged = tag_found(found, task, _ROW)
    return tagged.select(f"{quoted(_ROW)}.*", F.struct(*fields).alias(name))


def _worker(task: Task, settings: Settings, cluster: Cluster, tasks: int) -> ColumnWorker:
    """What a partition is answered with."""
    packages = {package.version: package for package in task.packages.values()}
    sources = sources_of(list(packages.values()), settings, cluster.conf, cluster.send)
    models = Models(sources, (), settings.engine, threads_per_task(cluster.conf))
    return ColumnWorker(
        job=Job(models, settings, task.file.features),
        columns=worker_columns(task),
        keys=(*[package.version for package in task.packages.values()], *task.file.features),
        rate_share=cluster.rate_share(tasks),
        is_careful=not cluster.retries,
    )


def _settings(given: SettingsLike) -> Settings:
    """The settings; nothing is kept of a picture, since there is no output. Raises SettingsError."""
    if given is None or isinstance(given, str | Path):
        read = read_settings(None if given is None else Path(given))
    else:
        read = given if isinstance(given, Settings) else parse(Settings, dict(given), "settings")
    return read.model_copy(update={"reuse": ReuseSettings()})


def _partitions(given: int | None, cluster: Cluster) -> int:
    if given is None:
        return cluster.slots
    if given < 1:
        raise SettingsError(f"partitions: a whole number from 1 was wanted. Received: {given!r}")
    return given


def _check_columns(df: DataFrame, task: Task, url: str, name: str) -> None:
    """Raises DataError where the URLs are no texts or the new column is there already, TaskError for bundle columns."""
    try:
        kind = df.select(F.col(url)).schema[0].dataType
    except AnalysisException as problem:
        raise DataError(
            f"url: a column of the DataFrame was wanted. Received: {url!r} ({reason_of(problem)})"
        ) from problem
    if not isinstance(kind, StringType):
        raise DataError(f"url: a column of texts was wanted. Received: {url!r}, of type {kind.simpleString()}")
    known = {column.lower() for column in df.columns}
    if name.lower() in known:
        raise DataError(f"name: the DataFrame has a column {name!r} already; give the new one another name")
    for column in bundle_columns(task).values():
        if column.lower() not in known:
            raise TaskError(f"{task.path}: bundle_columns: the DataFrame has no column {column!r}")


def _identity(df: DataFrame, url: Column) -> list[Column]:
    """What rules know of a row besides its image: columns of these names, where the DataFrame has them."""
    texts = [name for name, kind in IDENTITY.items() if kind == StringType()]
    known = {**{name: _text(df, name) for name in texts}, "eolMediaURL": url}
    return [known.get(name, F.lit(None)).cast(kind).alias(name) for name, kind in IDENTITY.items()]


def _bundle_columns(df: DataFrame, task: Task) -> list[Column]:
    return [_text(df, column).alias(name) for name, column in bundle_columns(task).items()]


def _text(df: DataFrame, name: str) -> Column:
    """The column of that name as text; NULL where there is none."""
    known = {column.lower(): column for column in df.columns}
    return (F.col(quoted(known[name.lower()])) if name.lower() in known else F.lit(None)).cast("string")
