"""Vectors that somebody else computed become stored features of a base, of which heads are trained and predicted."""

import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.errors import DataError, ExitCode, UsageError
from eoltag.model.versions import is_base_name
from eoltag.records import Outcome
from eoltag.spark.requests import ImportRequest
from eoltag.spark.runtime.command import show
from eoltag.spark.runtime.session import open_session, prepare_for
from eoltag.spark.tables.answers import latest_contents
from eoltag.spark.tables.facts import FEATURES, IMAGES, append_facts, has_facts, read_facts
from eoltag.spark.tables.lock import locked
from eoltag.spark.tables.output import Output, open_output
from eoltag.spark.tables.schemas import rows_schema
from eoltag.vectors.read import StagedVectors, stage_vectors

SOURCE: Final = "import"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the vectors of an import."""

    base: str
    length: int
    vectors: int
    """In the files."""
    new: int
    """Stored now."""
    known: int
    """Whose content had features of this base already."""
    images: int
    """Addresses that nobody has fetched: each is known by its vector alone from now on."""
    unknown: int
    """Identifiers that no bundle of the output has."""

    def as_text(self) -> str:
        """For people."""
        said = [f"base {self.base}: {self.vectors:,} vectors of {self.length} numbers, {self.new:,} of them new"]
        said += [f"  {self.known:,} images had features of this base already"] if self.known else []
        said += [f"  {self.images:,} images were never fetched, and are known by their vector"] if self.images else []
        said += [f"  {self.unknown:,} identifiers are in no bundle that was tagged here"] if self.unknown else []
        return "\n".join(said)


def import_features(request: ImportRequest) -> ExitCode:
    """Store the vectors of the requested files. Raises UsageError, and then nothing changed."""
    if not is_base_name(request.base):
        raise UsageError(
            "--base: wanted up to 64 letters, digits and _ . -, neither a number nor a date. "
            f"Received: {request.base!r}"
        )
    with TemporaryDirectory(prefix="eoltag-", ignore_cleanup_errors=True) as folder:
        staged = stage_vectors(request.vectors, Path(folder) / "vectors.parquet", request.column)
        _log.info("%s vectors read", f"{staged.rows:,}")
        output = open_output(open_session("eoltag import"), request.output)
        prepare_for(output.session, staged.rows)
        _check_length(output, request.base, staged)
        with locked(output):
            done = _store(output, request.base, staged)
    document = {name: getattr(done, name) for name in Imported.__slots__}
    show({"output": output.root, **document}, done.as_text(), as_json=request.as_json)
    return ExitCode.DONE


def _check_length(output: Output, base: str, staged: StagedVectors) -> None:
    """Vectors of one base are of one length. Raises DataError."""
    if not has_facts(output, FEATURES, base):
        return
    known = read_facts(output, FEATURES)
    first = None if known is None else known.where(F.col("base_version") == base).select(F.length("vector")).first()
    if first is not None and first[0] != 2 * staged.length:
        raise DataError(
            f"{output.root}: features of base '{base}' have {first[0] // 2} numbers. "
            f"Received: vectors of {staged.length}"
        )


def _store(output: Output, base: str, staged: StagedVectors) -> Imported:
    target = f"{output.staging}/vectors"
    output.files.upload(staged.path, f"{target}/part-0.parquet")
    vectors = output.session.read.parquet(target)
    _refuse_doubled(vectors, staged)
    placed = output.stage("placed", _with_contents(output, vectors.dropDuplicates(["key"]), staged))
    unfetched = placed.where("is_new_image")
    images = unfetched.count()
    before = _stored(output, base)
    features = placed.where("content_sha256 IS NOT NULL").dropDuplicates(["content_sha256"])
    wanted = features.count()
    append_facts(output, FEATURES, _as_features(features, base, output.run_id), wanted)
    if images:
        append_facts(output, IMAGES, _as_images(unfetched, base, output.run_id), images)
    new = _stored(output, base) - before
    unknown = placed.where("content_sha256 IS NULL").count() if staged.key == "identifier" else 0
    return Imported(base, staged.length, staged.rows, new, wanted - new, images, unknown)


def _stored(output: Output, base: str) -> int:
    features = read_facts(output, FEATURES)
    return 0 if features is None else features.where(F.col("base_version") == base).count()


def _refuse_doubled(vectors: DataFrame, staged: StagedVectors) -> None:
    """A key may stand there several times, but not with different vectors. Raises DataError."""
    doubled = vectors.groupBy("key").agg(F.count_distinct(F.xxhash64("vector")).alias("n")).where("n > 1").first()
    if doubled is not None:
        raise DataError(f"{staged.key} {doubled['key']}: wanted one vector. Received: {doubled['n']} different ones")


def _with_contents(output: Output, vectors: DataFrame, staged: StagedVectors) -> DataFrame:
    """key, eolMediaURL, content_sha256, is_new_image and vector; content NULL for an identifier that nobody knows.

    The content of an address that was never fetched is the hash of the address, until it is fetched.
    """
    if staged.key == "content_sha256":
        same = vectors.withColumn("content_sha256", F.lower("key"))
        return same.withColumns({"eolMediaURL": F.lit(None).cast("string"), "is_new_image": F.lit(False)})
    addressed = vectors.withColumn("eolMediaURL", F.col("key"))
    if staged.key == "identifier":
        known = output.session.read.schema(rows_schema(())).parquet(output.path("bundles"))
        urls = known.groupBy("identifier").agg(F.min("eolMediaURL").alias("eolMediaURL"))
        addressed = vectors.join(urls, on=F.col("key") == F.col("identifier"), how="left").drop("identifier")
    of_address = F.sha2(F.concat(F.lit("address "), "eolMediaURL"), 256)
    table = read_facts(output, IMAGES)
    if table is None:
        return addressed.withColumns({"content_sha256": of_address, "is_new_image": F.col("eolMediaURL").isNotNull()})
    contents = latest_contents(table).select(
        F.col("eolMediaURL").alias("k_url"), F.col("content_sha256").alias("k_content")
    )
    found = addressed.join(contents, on=F.col("eolMediaURL") == F.col("k_url"), how="left")
    is_new = F.col("eolMediaURL").isNotNull() & F.col("k_content").isNull()
    return found.withColumns({"content_sha256": F.coalesce("k_content", of_address), "is_new_image": is_new}).drop(
        "k_url", "k_content"
    )


def _as_features(rows: DataFrame, base: str, run_id: str) -> DataFrame:
    given = {"base_version": base, "source": SOURCE, "run_id": run_id}
    named = rows.withColumns({name: F.lit(value) for name, value in given.items()})
    return named.withColumn("computed_at", F.current_timestamp()).select(*FEATURES.schema.fieldNames())


def _as_images(rows: DataFrame, base: str, run_id: str) -> DataFrame:
    given: dict[str, Any] = {
        "outcome": str(Outcome.OK), "detail": f"known by its vector of base {base}, never fetched", "attempts": 0,
        "run_id": run_id,
    }  # fmt: skip
    known = rows.withColumns({name: F.lit(value) for name, value in given.items()})
    known = known.withColumn("asked_at", F.current_timestamp())
    columns = [
        F.col(field.name) if field.name in known.columns else F.lit(None).cast(field.dataType).alias(field.name)
        for field in IMAGES.schema.fields
    ]
    return known.select(*columns)
