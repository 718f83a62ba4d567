"""What a report is made from, written by hand: an honest run, and a bundle that means harm."""

from collections import Counter
from dataclasses import replace
from io import BytesIO
from typing import Any, Final

from PIL import Image

from eoltag.records import Cut
from eoltag.report.content import Counted, Found, TaskFacts, Warranty, Written
from eoltag.report.top_k import sample_order

SCRIPT: Final = "<script>window.harmed = 1; fetch('http://192.0.2.1/x')</script>"
IMAGE: Final = "\"><img src=x onerror='window.harmed = 1'>"
QUOTES: Final = "a'b\"c`d</style></title><!--"
HOSTILE_URLS: Final = (
    "javascript:window.harmed=1//.jpg",
    "JaVaScRiPt:window.harmed=1",
    " data:text/html,<script>window.harmed=1</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "//evil.example/x.jpg",
    "http://eol.org@evil.example/x.jpg",
    'https://evil.example/" onmouseover="window.harmed=1',
    "https://evil.example/'><script>window.harmed=1</script>.jpg",
    f"https://evil.example/{'x' * 3_000}.jpg",
)


def jpeg(number: int) -> bytes:
    """A picture of one colour."""
    file = BytesIO()
    Image.new("RGB", (160, 100), (number * 37 % 256, number * 91 % 256, 90)).save(file, "JPEG")
    return file.getvalue()


def found(number: int, **more: Any) -> Found:
    """A row that was read, tagged `rose` where the model is sure."""
    url = f"https://content.eol.org/data/media/{number}.jpg"
    confidence = (number % 100) / 100
    row: dict[str, Any] = {
        "task": "flowers",
        "url": url,
        "identifier": f"EOL-media-{number}",
        "version": str(number),
        "ancestry": "Life|Plantae|Rosaceae|Rosa" if number % 2 else "Life|Plantae|Poaceae|Poa",
        "bundle": "images_for_Rosa",
        "bundle_row": number,
        "outcome": "ok",
        "detail": None,
        "http_status": 200,
        "tag": "rose" if confidence > 0.6 else "NA",
        "rule": "sure" if confidence > 0.6 else None,
        "label": "roses",
        "confidence": confidence,
        "logit": confidence * 10,
        "order": sample_order(url),
        **more,
    }
    return Found(**row)


def written(rows: list[Found], *, thumbnails: int = 0, **more: Any) -> Written:
    """A report's content with counts that agree with `rows`; the first `thumbnails` of them have a picture."""
    facts = TaskFacts(
        "flowers",
        "Is it a rose?",
        "NA",
        {"main": "0123456789ab"},
        [("sure", "label = 'roses' AND confidence > 0.6", "rose")],
        [Cut("sure", "main", "confidence", 0.6, ("roses",))],
    )
    pictures = {(row.task, row.url or ""): jpeg(number) for number, row in enumerate(rows[:thumbnails])}
    content: dict[str, Any] = {
        "output": "/data/eol",
        "runs": [run(rows)],
        "tasks": [facts],
        "counts": counts_of(rows),
        "found": rows,
        "thumbnails": pictures,
        "digest": "d1",
        **more,
    }
    return Written(**content)


CERTIFICATE: Final[dict[str, Any]] = {
    "task": "flowers", "publication": "20260101T000000Z", "models": {"main": "0123456789ab"}, "lapsed": None,
    "drawn": 60, "judged": 59, "right": 49, "drawn_at": "2026-01-01", "certified_at": "2026-01-02",
    "tags": {
        tag: {"rows": 1_000, "images": images, "precision": precision, "interval": interval, "more_to_halve": 90,
              "share": 0.3, "share_interval": [0.2, 0.4]}
        for tag, images, precision, interval in (
            ("rose", 39, 1.0, [0.9097, 1.0]), (SCRIPT, 20, 0.5, [0.272, 0.728]), ("NA", 0, None, [0.0, 1.0]),
        )
    },
    "shares_of_other_tags": {IMAGE: {"share": 0.1, "share_interval": [0.05, 0.15]}},
    "agreement": [{"models": ["main", QUOTES], "images": 1_000, "same": 900, "share": 0.9}],
    "slices": {
        name: [{"name": SCRIPT * 2, "images": 59, "right": 49, "precision": 49 / 59, "interval": [0.71, 0.92]}]
        for name in ("family", "host", "color_mode", "rule")
    },
    "thresholds": {
        "max_error": 0.05, "confidence": 0.95,
        "tags": {
            "rose": {"threshold": 0.8, "images": 39, "wrong": 0, "bound": 0.049, "coverage": 0.7, "reason": None},
            SCRIPT: {"threshold": None, "audited": 20, "reason": f"too few {IMAGE}"},
        },
    },
}  # fmt: skip
"""An audit whose names want to be code."""


def judged(content: Written, certificate: dict[str, Any] | None, **drift: float) -> Written:
    """The same with what people say of its task, and its drift since the run before."""
    warranty = Warranty(judged=1_200, right=1_000, wrong=150, disputed=50, people=2, certificate=certificate)
    latest = {**content.runs[0]["summary"], "drift": {"flowers": drift} if drift else {}}
    runs = [{**content.runs[0], "summary": latest}, *content.runs[1:]]
    return replace(content, tasks=[replace(content.tasks[0], warranty=warranty)], runs=runs)


def counts_of(rows: list[Found]) -> list[Counted]:
    """What Spark would count."""
    counts = []
    for row in rows:
        host = (row.url or "").partition("://")[2].partition("/")[0]
        counts.append(Counted("outcome", row.task, outcome=row.outcome, rows=1))
        counts.append(Counted("host", row.task, outcome=row.outcome, host=host, rows=1))
        counts.append(Counted("bundle", row.task, outcome=row.outcome, bundle=row.bundle, rows=1))
        counts.append(Counted("tag", row.task, outcome=row.outcome, tag=row.tag, rule=row.rule, rows=1))
        if row.confidence is not None and row.logit is not None:
            who = {"tag": row.tag, "model": "main", "label": row.label, "rows": 1}
            counts.append(Counted("confidence", row.task, bin=min(99, int(row.confidence * 100)), **who))
            counts.append(Counted("logit", row.task, bin=int(row.logit * 8), **who))
    sizes = Counter(counts)
    return [one._replace(rows=rows) for one, rows in sizes.items()]


def run(rows: list[Found]) -> dict[str, Any]:
    """runs/<run_id>.json."""
    failed = [row.outcome for row in rows if row.outcome != "ok"]
    return {
        "run_id": "20260101T000000.000Z-0a1b2c",
        "job": "tag_bundles",
        "started_at": "2026-01-01T00:00:00+00:00",
        "eoltag": "0.2.0",
        "python": "3.11.7",
        "packages": {"pyspark": "4.0.0"},
        "spark_master": "local[2]",
        "bundle_arguments": ["images_for_Rosa.txt"],
        "limit": None,
        "sample": 100,
        "seed": 3,
        "settings": {"fetch": {"contact": f"mailto:a@eol.org {SCRIPT}"}},
        "summary": {
            "rows_in": len(rows),
            "ok": len(rows) - len(failed),
            "failed": {name: failed.count(name) for name in failed},
            "images_fetched": len(rows),
            "images_per_s": 10.0,
            "seconds": 12.3,
            "bundles": ["images_for_Rosa"],
            "notes": ["2 blank or comment lines skipped"],
        },
    }


def hostile_rows() -> list[Found]:
    """Rows of a bundle whose every text wants to be code."""
    rows = []
    for number, url in enumerate(HOSTILE_URLS):
        texts = {"url": url, "order": sample_order(url), "identifier": SCRIPT, "bundle": IMAGE, "tag": QUOTES}
        long = {
            "ancestry": (IMAGE + SCRIPT + "|Rosa" * 400)[:2_000],
            "label": f"$\\frac{{1}}{{2}}$ {SCRIPT}",
            "rule": IMAGE,
        }
        rows.append(found(50 + number, **texts, **long))
        failure = {"outcome": "bad_url", "tag": None, "label": None, "confidence": None, "logit": None, "rule": None}
        rows.append(found(70 + number, **{**texts, **long, **failure, "detail": IMAGE}))
    return rows
