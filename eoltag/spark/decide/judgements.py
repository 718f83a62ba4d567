"""The judgements of people, judgements/*.jsonl: which tag they agree on for each content."""

import hashlib
import re
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from eoltag.records import JOINER
from eoltag.spark.tables.files import reader
from eoltag.spark.tables.output import Output

FOLDER: Final = "judgements"
PERSON: Final = "person"
"""The rule of a tag that people gave."""
_SCHEMA: Final = (
    "person string, task string, content_sha256 string, said_tag string, judged_at string, is_withdrawn boolean, "
    "id string"
)


def has_judgements(output: Output) -> bool:
    """Whether anybody has judged anything."""
    return any(name.endswith(".jsonl") for name in output.files.names(output.path(FOLDER)))


def read_judgements(output: Output) -> DataFrame | None:
    """task, content_sha256, said_tag: one row for each content on which those who were sure agree; None for no file.

    Of a person's judgements the last one counts that was not taken back, as in eoltag.judgements.record.
    """
    if not has_judgements(output):
        return None
    lines = reader(output.session).schema(_SCHEMA).json(output.path(FOLDER))
    unnamed = F.concat_ws("\n", "person", "task", "content_sha256", "judged_at", F.col("is_withdrawn").cast("string"))
    key = F.when(F.coalesce(F.length("id"), F.lit(0)) > 0, F.col("id")).otherwise(unnamed)
    once = lines.where("content_sha256 IS NOT NULL").withColumn("key", key).dropDuplicates(["key"])
    stack = (
        "aggregate(array_sort(collect_list(struct(judged_at, is_withdrawn, said_tag))), "
        "CAST(array() AS ARRAY<STRUCT<tag: STRING>>), (held, one) -> "
        "IF(coalesce(one.is_withdrawn, false), slice(held, 1, greatest(size(held) - 1, 0)), "
        "concat(held, array(named_struct('tag', one.said_tag)))))"
    )
    held = once.groupBy("task", "content_sha256", "person").agg(F.expr(stack).alias("held"))
    said = held.where("size(held) > 0").select(
        "task", "content_sha256", F.expr("element_at(held, -1).tag").alias("tag")
    )
    same = F.collect_set(F.array_sort(F.split("tag", re.escape(JOINER))))  # several tags, in whatever order
    sure = said.where("tag IS NOT NULL").groupBy("task", "content_sha256").agg(same.alias("same"), F.min("tag"))
    return sure.where("size(same) = 1").select("task", "content_sha256", F.col("min(tag)").alias("said_tag"))


def judgements_digest(output: Output) -> str:
    """Changes whenever a judgement is added; empty where there are none."""
    if not has_judgements(output):
        return ""
    names = [name for name in output.files.names(output.path(FOLDER)) if name.endswith(".jsonl")]
    sizes = [(name, output.files.size(output.path(FOLDER, name))[1]) for name in names]
    return hashlib.sha256(str(sizes).encode()).hexdigest()
