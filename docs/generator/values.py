"""Outcomes, exit codes, errors and the columns of the tables, each with what it means."""

from collections.abc import Iterator, Mapping
from typing import Final

from pyspark.sql.types import DataType, StructField, StructType

from docs.generator import meanings
from docs.generator.docstrings import first_sentence, meaning
from docs.generator.markdown import code, plain, table
from eoltag.decide.functions import FAMILIES
from eoltag.errors import ExitCode, UsageError
from eoltag.records import TRANSIENT, Outcome
from eoltag.spark.runtime.command import INTERRUPTED, TERMINATED
from eoltag.spark.tables import schemas


def outcomes() -> str:
    """Every outcome, whether it is tried again, and what it means."""
    rows = [(code(outcome), _kind(outcome), plain(meaning(Outcome, outcome.name))) for outcome in Outcome]
    return table(("outcome", "kind", "meaning"), rows)


def exit_codes() -> str:
    """Every exit code and what it means."""
    rows = [(str(int(number)), plain(meaning(ExitCode, number.name))) for number in ExitCode]
    rows.append((str(INTERRUPTED), "Interrupted (Ctrl-C); what was committed stays."))
    rows.append((str(TERMINATED), "Ended by SIGTERM; what was committed stays."))
    return table(("code", "meaning"), rows)


def errors() -> str:
    """The kinds of mistakes that a command refuses with one line."""
    rows = [(code(kind.__name__), plain(first_sentence(kind))) for kind in UsageError.__subclasses__()]
    return table(("error", "meaning"), rows)


def functions() -> str:
    """The functions that an expression of a task file may use."""
    rows = [(family, ", ".join(map(code, sorted(names.split())))) for family, names in FAMILIES.items()]
    return table(("functions for", "names"), rows)


def _view_field(name: str) -> StructField:
    """A column of the view `predictions`; most come from a table as they are."""
    kinds = {**schemas.ANSWER, **schemas.SCORE, **schemas.PREDICTED, **schemas.MEASURED}
    return StructField(name, kinds[name] if name in kinds else schemas.IMAGES[name].dataType)


TABLES: Final[dict[str, tuple[StructType, Mapping[str, str]]]] = {
    "image": (schemas.IMAGES, meanings.IMAGE_MEANINGS),
    "score": (schemas.SCORES, meanings.SCORE_MEANINGS),
    "measure": (schemas.MEASURES, meanings.MEASURE_MEANINGS),
    "feature": (schemas.FEATURES, meanings.FEATURE_MEANINGS),
    "pixel": (schemas.PIXELS, meanings.PIXEL_MEANINGS),
    "bundle": (schemas.ROWS, meanings.BUNDLE_MEANINGS),
    "prediction": (
        StructType([_view_field(name) for name in meanings.PREDICTION_MEANINGS]),
        meanings.PREDICTION_MEANINGS,
    ),
    "tag": (schemas.TAGS, meanings.TAG_MEANINGS),
}
"""What a row is about -> the columns of its table or view, and what they mean."""


def columns(kind: str) -> str:
    """The columns of one of TABLES."""
    return table(("column", "type", "meaning"), _columns(*TABLES[kind]))


def _columns(schema: StructType, meanings: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for field in schema.fields:
        if field.name not in meanings:
            raise ValueError(f"column {field.name}: a meaning in docs/generator/meanings.py was wanted; came none")
        yield code(field.name), _type(field.dataType), plain(meanings[field.name])


def _kind(outcome: Outcome) -> str:
    if outcome is Outcome.OK:
        return "answer"
    return "transient" if outcome in TRANSIENT else "final"


def _type(kind: DataType) -> str:
    """As people say it: `long` for bigint, spaces after commas, and the fields of a struct left to the meaning."""
    head, has_struct, _ = kind.simpleString().replace("bigint", "long").partition("struct<")
    return (f"{head}struct>" if has_struct else head).replace(",", ", ")
