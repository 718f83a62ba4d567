"""build/demo of `make demo` in small, and what the questions of docs/how-to/query-the-tables.md give on it."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from eoltag.model.record import ModelRecord
from eoltag.views.write import write_views

NOON: Final = datetime(2026, 1, 1, 12)
A, B, C, D = (f"https://images.example/{name}.jpg" for name in "abcd")
BAD: Final = "not-a-url"
VERSION: Final = "5a94b6d69cd1"

MEDIA: Final = (("EOL-1", "11", A), ("EOL-2", "12", B), ("EOL-3", "13", C), ("EOL-4", "14", D), ("EOL-5", "15", BAD))

LABELS: Final = ("map", "photo", "plant")
ANSWERED: Final = (
    (A, "ok", 200, "map", 0.9, NOON),
    (B, "server_error", 503, None, None, NOON),
    (B, "ok", 200, "photo", 0.4, NOON + timedelta(days=1)),
    (C, "gone", 404, None, None, NOON),
    (D, "ok", 200, "map", 0.8, NOON),
    (BAD, "bad_url", None, None, None, NOON),
)
"""URL, outcome, HTTP status, label, confidence, time."""

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
        (VERSION, A, "11", "ok", "map", 0.9),
        (VERSION, B, "12", "ok", "photo", 0.4),
        (None, C, "13", "gone", None, None),
        (VERSION, D, "14", "ok", "map", 0.8),
        (None, BAD, "15", "bad_url", None, None),
    ],
    [(B, "server_error", 503), (B, "ok", 200)],
)
"""What the page's questions give on this output, as their first columns."""


def write_demo(folder: Path) -> None:
    """build/demo of `make demo` in small: the bundle, and an output with tables in their real layout and the views."""
    demo = folder / "build" / "demo"
    demo.mkdir(parents=True)
    lines = ["identifier\tdataObjectVersionID\tmimeType\teolMediaURL\tancestry"]
    lines += [f"{identifier}\t{version}\timage/jpeg\t{url}\tLife|Plantae" for identifier, version, url in MEDIA]
    (demo / "bundle.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    output = demo / "output"
    _write(output / "images/part-0.parquet", [_image(*row) for row in ANSWERED])
    scores = [_score(url, label, confidence) for url, _, _, label, confidence, _ in ANSWERED if label and confidence]
    _write(output / f"scores/model_version={VERSION}/part-0.parquet", scores)
    record = ModelRecord(VERSION, "demo", LABELS, 1.0, "classes")
    (output / "models").mkdir()
    (output / f"models/{VERSION}.json").write_text(record.as_json(), encoding="utf-8")
    latest = {
        url: _tag(url, outcome, status, label, confidence) for url, outcome, status, label, confidence, _ in ANSWERED
    }
    _write(output / "tags/task=demo/part-0.parquet", [latest[url] for _, _, url in MEDIA])
    write_views(str(output))


def _image(
    url: str, outcome: str, status: int | None, label: str | None, confidence: float | None, at: datetime
) -> dict[str, Any]:
    version = next(version for _, version, media in MEDIA if media == url)
    none = dict.fromkeys(("detail", "etag", "last_modified", "width", "height", "color_mode", "bytes", "rendition"))
    return {
        **none,
        "perceptual_hash": None,
        "eolMediaURL": url,
        "dataObjectVersionID": version,
        "outcome": outcome,
        "http_status": status,
        "attempts": 1,
        "content_sha256": url if label and confidence else None,
        "asked_at": at.replace(tzinfo=UTC),
        "run_id": f"{at:%Y%m%dT%H%M%SZ}-0",
    }


def _score(url: str, label: str, confidence: float) -> dict[str, Any]:
    other = -math.log(confidence / (1 - confidence) * (len(LABELS) - 1))
    scores = [0.0 if name == label else other for name in LABELS]
    said = {"engine": "openvino", "precision": "f32", "source": "fetch", "scores": scores}
    return {"content_sha256": url, **said, "scored_at": NOON.replace(tzinfo=UTC), "run_id": "r1"}


def _tag(url: str, outcome: str, status: int | None, label: str | None, confidence: float | None) -> dict[str, Any]:
    row, (identifier, version, _) = next((n, media) for n, media in enumerate(MEDIA, 1) if media[2] == url)
    return {
        "eolMediaURL": url,
        "identifier": identifier,
        "dataObjectVersionID": version,
        "ancestry": "Life|Plantae",
        "bundle": "bundle",
        "bundle_row": row,
        "outcome": outcome,
        "http_status": status,
        "tag": TAGGED.get(url),
        "label": label,
        "confidence": confidence,
        "model_version": VERSION if label else None,
    }


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True)
    int32, int64, time = pa.int32(), pa.int64(), pa.timestamp("us", "UTC")
    types = {
        **dict.fromkeys(("http_status", "attempts", "width", "height"), int32),
        **dict.fromkeys(("bundle_row", "bytes"), int64),
        **dict.fromkeys(("asked_at", "scored_at"), time),
        "confidence": pa.float32(),
        "scores": pa.list_(pa.float32()),
    }
    schema = pa.schema([(name, types.get(name, pa.string())) for name in rows[0]])
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
