"""build/demo of `make demo` in small, and what the README's questions give on it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

NOON: Final = datetime(2026, 1, 1, 12)
A, B, C, D = (f"https://images.example/{name}.jpg" for name in "abcd")
BAD: Final = "not-a-url"
VERSION: Final = "5a94b6d69cd1"

MEDIA: Final = (("EOL-1", "11", A), ("EOL-2", "12", B), ("EOL-3", "13", C), ("EOL-4", "14", D), ("EOL-5", "15", BAD))

PREDICTED: Final = (
    (A, "ok", "map", 0.9, NOON),
    (B, "server_error", None, None, NOON),
    (B, "ok", "photo", 0.4, NOON + timedelta(days=1)),
    (C, "gone", None, None, NOON),
    (D, "ok", "map", 0.8, NOON),
    (BAD, "bad_url", None, None, NOON),
)
"""URL, outcome, label, confidence, time."""

TAGGED: Final = {A: "map", B: "unsure", D: "map"}

ANSWERS: Final[tuple[list[tuple[Any, ...]], ...]] = (
    [("demo", "map", 2, 0.85), ("demo", "unsure", 1, 0.4)],
    [("bad_url", "", 1), ("gone", "images.example", 1)],
    [("demo", B, "photo", "unsure"), ("demo", D, "map", "map"), ("demo", A, "map", "map")],
    [
        ("EOL-1", "11", "image/jpeg", "map", "ok"),
        ("EOL-2", "12", "image/jpeg", "unsure", "ok"),
        ("EOL-3", "13", "image/jpeg", None, "gone"),
        ("EOL-4", "14", "image/jpeg", "map", "ok"),
        ("EOL-5", "15", "image/jpeg", None, "bad_url"),
    ],
    [
        ("demo", "main", VERSION, A, "11", "ok"),
        ("demo", "main", VERSION, B, "12", "ok"),
        ("demo", "main", VERSION, C, "13", "gone"),
        ("demo", "main", VERSION, D, "14", "ok"),
        ("demo", "main", VERSION, BAD, "15", "bad_url"),
    ],
)
"""What the README's questions give on this output, as their first columns; the last answer sorted by EOL's id."""


def write_demo(folder: Path) -> None:
    """build/demo of `make demo` in small: the bundle, and an output with both tables in their real layout."""
    demo = folder / "build" / "demo"
    demo.mkdir(parents=True)
    lines = ["identifier\tdataObjectVersionID\tmimeType\teolMediaURL\tancestry"]
    lines += [f"{identifier}\t{version}\timage/jpeg\t{url}\tLife|Plantae" for identifier, version, url in MEDIA]
    (demo / "bundle.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    predictions = [_prediction(*row) for row in PREDICTED]
    _write(demo / f"output/predictions/task=demo/model_version={VERSION}/part-0.parquet", predictions)
    latest = {row["eolMediaURL"]: row for row in predictions}
    tags = [{**latest[url], "tag": TAGGED.get(url), "model_version": VERSION} for _, _, url in MEDIA]
    _write(demo / "output/tags/task=demo/part-0.parquet", tags)


def _prediction(url: str, outcome: str, label: str | None, confidence: float | None, at: datetime) -> dict[str, Any]:
    row, (identifier, version, _) = next((n, media) for n, media in enumerate(MEDIA, 1) if media[2] == url)
    return {
        "eolMediaURL": url,
        "identifier": identifier,
        "dataObjectVersionID": version,
        "ancestry": "Life|Plantae",
        "bundle": "bundle",
        "bundle_row": row,
        "model": "main",
        "outcome": outcome,
        "label": label,
        "confidence": confidence,
        "fetched_at": at.replace(tzinfo=UTC),
        "run_id": f"{at:%Y%m%dT%H%M%SZ}-0",
    }


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True)
    types = {"bundle_row": pa.int64(), "confidence": pa.float32(), "fetched_at": pa.timestamp("us", "UTC")}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in rows[0]])
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
