"""The views as SQL: latest_images, predictions, tags, and one for each table of facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from eoltag.model.record import ModelRecord
from eoltag.records import TRANSIENT, Outcome
from eoltag.views.dialects import Dialect

FACTS: Final = {"images": 0, "scores": 1, "measures": 1, "features": 1, "pixels": 0, "bundles": 1}
"""Table -> folders between its own and its files."""

_IMAGE: Final = (
    "outcome", "detail", "http_status", "attempts", "width", "height", "color_mode", "bytes", "content_sha256",
    "perceptual_hash", "rendition",
)  # fmt: skip
_SAID: Final = {
    "model_version": "s.model_version",
    "engine": "concat(s.engine, '-', s.precision)",
    "source": "s.source",
}
_SAME: Final = "PARTITION BY eolMediaURL, dataObjectVersionID"

_COUNTED: Final = {
    "rows_in": "BIGINT",
    "ok": "BIGINT",
    "failed": "MAP<STRING, BIGINT>",
    "images_fetched": "BIGINT",
    "seconds": "DOUBLE",
    "images_per_s": "DOUBLE",
}
"""What the summary of a run says of it: name -> type."""
_DOCUMENT: Final = {
    **dict.fromkeys(("run_id", "job", "status", "started_at", "eoltag", "spark_master"), "STRING"),
    "tasks": "MAP<STRING, STRING>",
    "summary": f"STRUCT<{', '.join(f'{name}: {kind}' for name, kind in _COUNTED.items())}>",
}
"""What is read of runs/RUN_ID.json: key -> type."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What lies in an output directory."""

    root: str
    tables: frozenset[str]
    """Those of FACTS that have rows, and `tags`."""
    models: tuple[ModelRecord, ...]
    """Those that have scores."""
    measures: tuple[str, ...] = ()
    has_runs: bool = False


def views(contents: Contents, dialect: Dialect) -> str:
    """All views over an output directory, as statements that end in `;`."""
    parts = [
        dialect.file_view(name, f"{contents.root}/{name}", depth)
        for name, depth in FACTS.items()
        if name in contents.tables
    ]
    if "images" in contents.tables:
        parts += [
            dialect.view("latest_images", _latest_images()),
            dialect.view("predictions", _predictions(contents, dialect)),
        ]
    if "tags" in contents.tables:
        parts.append(dialect.file_view("tags", f"{contents.root}/tags", 1))
    if contents.has_runs:
        parts += [
            dialect.document_view("run_documents", f"{contents.root}/runs", _DOCUMENT),
            dialect.view("runs", _runs()),
        ]
    head = "-- Views over the tables of eoltag. Written anew by every run; also: python -m eoltag views OUTPUT\n"
    return head + "\n\n".join([*dialect.settings, *parts]) + "\n"


def _runs() -> str:
    """One row for each run that changed tags or looked whether it had to."""
    counted = ", ".join(f"summary.{name} AS {name}" for name in _COUNTED)
    return (
        "SELECT run_id, job, status, CAST(started_at AS TIMESTAMP) AS started_at, map_keys(tasks) AS tasks,\n"
        f"  {counted}, eoltag, spark_master FROM run_documents"
    )


def _latest_images() -> str:
    """The current answer for each image and version: the latest, but no transient failure in place of a read image."""
    transient = ", ".join(f"'{outcome}'" for outcome in sorted(TRANSIENT))
    settled = f"max(CASE WHEN outcome NOT IN ({transient}) THEN asked_at END) OVER ({_SAME})"
    return (
        "SELECT * FROM (\n"
        f"  SELECT *, row_number() OVER ({_SAME} ORDER BY\n"
        f"    CASE WHEN outcome = '{Outcome.OK}' AND asked_at = settled_at THEN 0 ELSE 1 END,\n"
        "    asked_at DESC, run_id DESC) AS age\n"
        f"  FROM (SELECT *, {settled} AS settled_at FROM images) AS answers\n"
        ") AS aged WHERE age = 1"
    )


def _predictions(contents: Contents, dialect: Dialect) -> str:
    """One flat row for each image and model that scored it, and one for each image that could not be read."""
    text, scores = ("STRING", "MAP<STRING, FLOAT>") if dialect.name == "spark" else ("VARCHAR", "MAP(VARCHAR, FLOAT)")
    kinds = {
        **dict.fromkeys(_SAID, text),
        "label": text,
        "confidence": "FLOAT",
        "logit": "FLOAT",
        "scores": scores,
        "logits": scores,
    }
    none = {name: f"CAST(NULL AS {kind})" for name, kind in kinds.items()}
    selects = [_select(none, contents.measures, f"outcome <> '{Outcome.OK}'", joined="")]
    joined = "\n  JOIN scores AS s ON s.content_sha256 = i.content_sha256"
    for record in contents.models:
        columns = {**_SAID, **dialect.verdict(record, "s.scores")}
        where = f"outcome = '{Outcome.OK}' AND s.model_version = {dialect.text(record.model_version)}"
        selects.append(_select(columns, contents.measures, where, joined))
    return "\nUNION ALL\n".join(selects)


def _select(columns: dict[str, str], measures: Sequence[str], where: str, joined: str) -> str:
    named = [f"{sql} AS {name}" for name, sql in columns.items()]
    image = [f"i.{name}" for name in _IMAGE]
    taken = [f"m{number}.value AS {name}" for number, name in enumerate(measures)]
    for number, name in enumerate(measures):
        on = f"m{number}.content_sha256 = i.content_sha256 AND m{number}.name = '{name}'"
        joined += f"\n  LEFT JOIN measures AS m{number} ON {on}"
    listed = ["i.eolMediaURL", "i.dataObjectVersionID", *named, *image, *taken, "i.asked_at AS fetched_at", "i.run_id"]
    return f"SELECT {', '.join(listed)}\n  FROM latest_images AS i{joined}\n  WHERE {where}"
