"""The tables of the Darwin Core Data Package from tags: media, their assertions, and the protocols behind them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from eoltag import __version__
from eoltag.decide.task import Task
from eoltag.publish.darwin_core import COLUMNS, error_of
from eoltag.publish.manifest import PublishedTask
from eoltag.records import Outcome
from eoltag.spark.decide.judgements import PERSON
from eoltag.spark.tables.answers import with_answers
from eoltag.spark.tables.facts import IMAGES, read_facts
from eoltag.spark.tables.output import Output
from eoltag.spark.tables.tags import one_tag_a_row, read_tags

_BY_MACHINE: Final = f"eoltag {__version__}"


def darwin_core_tables(
    output: Output, tasks: Sequence[Task], published: Mapping[str, PublishedTask]
) -> dict[str, DataFrame]:
    """Name -> table, with the columns that are written."""
    parts = [assertions(read_tags(output, task.name), task, published[task.name]) for task in tasks]
    union = parts[0]
    for part in parts[1:]:
        union = union.unionByName(part)
    return {
        "media": _media(output, tasks).select(*COLUMNS["media"]),
        "media-assertion": union.select(*COLUMNS["media-assertion"]),
        "protocol": _protocols(output, [_protocol(task, published[task.name]) for task in tasks]),
    }


def protocol_key(task: str, published: PublishedTask) -> str:
    """The key of the way in which a task's tags came about: its models and rules; the same for the same ones."""
    rules = hashlib.sha256(json.dumps([published.content["missing"], published.conditions]).encode()).hexdigest()
    return f"{task}/{'+'.join(published.models.values())}/{rules[:8]}"


def _media(output: Output, tasks: Sequence[Task]) -> DataFrame:
    """Every image that was read, once, under its URL."""
    read = [
        read_tags(output, task.name)
        .where(F.col("outcome") == Outcome.OK.value)
        .select("eolMediaURL", "identifier", "dataObjectVersionID")
        for task in tasks
    ]
    rows = read[0]
    for part in read[1:]:
        rows = rows.unionByName(part)
    listed = rows.groupBy("eolMediaURL").agg(
        F.min("identifier").alias("identifier"), F.lit(None).cast("string").alias("dataObjectVersionID")
    )
    images = read_facts(output, IMAGES)
    names = {name: name for name in ("width", "height", "content_sha256")}
    known = with_answers(listed, images, ["eolMediaURL"], names) if images is not None else listed
    return known.select(
        F.col("eolMediaURL").alias("media_pk"),
        F.col("eolMediaURL").alias("mediaID"),
        F.lit("StillImage").alias("mediaType"),
        F.col("eolMediaURL").alias("accessURI"),
        F.col("identifier").alias("providerManagedID"),
        F.col("width").alias("pixelXDimension"),
        F.col("height").alias("pixelYDimension"),
        F.when(F.col("content_sha256").isNotNull(), "SHA-256").alias("hashFunction"),
        F.col("content_sha256").alias("hashValue"),
    )


def assertions(tags: DataFrame, task: Task, published: PublishedTask) -> DataFrame:
    """Every tag of every image once; none for an image that no rule tagged."""
    single = one_tag_a_row(tags, task)
    said = single.where((F.col("outcome") == Outcome.OK.value) & (F.col("tag") != task.file.missing))
    once = said.groupBy("eolMediaURL", "tag").agg(F.min("rule").alias("rule"), F.max("confidence").alias("confidence"))
    terms = {tag: task.file.publish.term_of(tag) for tag in published.tags}
    kind = task.file.publish.assertion_type or task.name
    key, is_person = protocol_key(task.name, published), F.coalesce(F.col("rule") == PERSON, F.lit(False))
    return once.select(
        F.concat(F.lit("urn:sha256:"), F.sha2(F.concat_ws("\n", F.lit(key), "eolMediaURL", "tag"), 256)).alias(
            "assertionID"
        ),
        F.col("eolMediaURL").alias("media_fk"),
        F.lit(task.name).alias("verbatimAssertionType"),
        _of_tag({tag: term.assertion_type or kind for tag, term in terms.items()}).alias("assertionType"),
        _of_tag({tag: term.assertion_type_iri for tag, term in terms.items()}).alias("assertionTypeIRI"),
        _of_tag({tag: term.assertion_type_iri.rpartition("/")[0] for tag, term in terms.items()}).alias(
            "assertionTypeSource"
        ),
        F.lit(_date_of(published.decided_by)).alias("assertionMadeDate"),
        _of_tag({tag: term.value for tag, term in terms.items()}).alias("assertionValue"),
        _of_tag({tag: term.value_iri for tag, term in terms.items()}).alias("assertionValueIRI"),
        _of_tag({tag: term.source for tag, term in terms.items()}).alias("assertionValueSource"),
        _of_tag({tag: error_of(published.certificate, tag) for tag in terms}).alias("assertionError"),
        F.when(is_person, "a person").otherwise(_BY_MACHINE).alias("assertionBy"),
        F.lit(_models(task, published)).alias("assertionProtocols"),
        F.lit(key).alias("assertionProtocol_fk"),
        F.concat_ws(
            "; ",
            F.when(is_person, "HumanObservation").otherwise("MachineObservation"),
            F.concat(F.lit("rule "), F.coalesce("rule", F.lit("(none)"))),
            F.concat(F.lit("confidence "), F.format_string("%.4f", F.col("confidence").cast("double"))),
        ).alias("assertionRemarks"),
    )


def _of_tag(values: Mapping[str, str]) -> Column:
    """The value that belongs to the tag of a row; NULL for an empty one."""
    given = {tag: value for tag, value in values.items() if value}
    if not given:
        return F.lit(None).cast("string")
    return F.create_map(*[F.lit(part) for pair in given.items() for part in pair])[F.col("tag")]


def _protocols(output: Output, rows: Sequence[Mapping[str, str]]) -> DataFrame:
    """The rows as JSON in the plan, since rows made in Python would need a Python worker to read them."""
    columns = ", ".join(f"{name}: string" for name in COLUMNS["protocol"])
    cells = F.inline(F.from_json(F.lit(json.dumps(list(rows))), f"array<struct<{columns}>>"))
    return output.session.range(1).select(cells)


def _protocol(task: Task, published: PublishedTask) -> dict[str, str]:
    """How the tags of a task came about."""
    rules = "; ".join(f"{name}: {condition}" for name, condition in published.conditions.items())
    which = "each that holds gives its tag" if task.file.multiple else "the first that holds wins"
    described = [task.file.description, f"{_models(task, published)}. Rules, {which}: {rules}"]
    return {
        "protocol_pk": protocol_key(task.name, published),
        "protocolID": f"urn:eoltag:{protocol_key(task.name, published)}",
        "protocolType": "classification of images by machine",
        "protocolName": f"eoltag task {task.name}",
        "protocolDescription": " ".join(filter(None, described)),
        "protocolRemarks": f"eoltag {__version__}; decided by run {published.decided_by}",
    }


def _models(task: Task, published: PublishedTask) -> str:
    names = {name: package.card.name for name, package in task.packages.items()}
    listed = [f"{names.get(name, name)} (version {version})" for name, version in published.models.items()]
    return f"task {task.name} with {', '.join(listed)}"


def _date_of(run_id: str) -> str:
    """The day on which a run began: 20260101T000000.000Z-0a -> 2026-01-01."""
    return f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}"
