"""An output directory that is written without Spark, and its review served on loopback."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uvicorn
from PIL import Image

from eoltag.review.app import Review, make_app
from eoltag.review.queue import Item, Slice, known_tags, read_items

TOKEN = "a-token-of-tests"
HOSTILE = (
    "https://eol.org/<script>document.title='harmed'</script>.jpg",
    "javascript:document.title='harmed'",
    'https://eol.org/"><img src=x onerror=document.title=`harmed`>.jpg',
    "https://eol.org/\u202egpj.exe",
    "https://eol.org/a\nb.jpg",
)


def content_of(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()


Several = Sequence[tuple[str, float]]
"""The tags of an image, each with its confidence."""


def write_several(folder: Path, urls: Sequence[str], each: Sequence[Several]) -> None:
    """As write_output, of a task that gives an image several tags, with its note."""
    write_output(folder, urls, ["|".join(tag for tag, _ in one) or "none" for one in each])
    path = folder / "tags/task=kind/part-0.parquet"
    turns = [each[number % len(each)] for number in range(len(urls))]
    table = pq.read_table(path, partitioning=None)
    tags = pa.array([[tag for tag, _ in one] for one in turns], pa.list_(pa.string()))
    sure = pa.array([[confidence for _, confidence in one] for one in turns], pa.list_(pa.float32()))
    pq.write_table(table.append_column("tags", tags).append_column("confidences", sure), path)
    rules = [{"name": name, "tag": name} for name in ("flower", "fruit", "bud")]
    (folder / "decided").mkdir()
    content = {"multiple": True, "missing": "none", "rules": rules}
    (folder / "decided/kind.json").write_text(json.dumps({"task": {"content": content}}))


def write_output(folder: Path, urls: Sequence[str], tags: Sequence[str | None] = ("map", "photo")) -> None:
    """Tags, answers and small copies of pictures of so many images; the tags come in turn."""
    model = {"label": "map", "confidence": 0.6, "logit": 1.0, "model_version": "aaaaaaaaaaaa"}
    rows = [
        {
            "eolMediaURL": url, "bundle": "list", "bundle_row": number + 1,
            "ancestry": f"Life|Rosaceae|Rosa {number}<b>",
            "tag": tags[number % len(tags)], "rule": "sure", "outcome": "ok", "confidence": (number % 100) / 100,
            "models": [("main", model)],
        }
        for number, url in enumerate(urls)
    ]  # fmt: skip
    models = pa.map_(
        pa.string(),
        pa.struct(
            [
                ("label", pa.string()),
                ("confidence", pa.float32()),
                ("logit", pa.float32()),
                ("model_version", pa.string()),
            ]
        ),
    )
    schema = pa.schema(
        [("eolMediaURL", pa.string()), ("bundle", pa.string()), ("bundle_row", pa.int64()), ("ancestry", pa.string()),
         ("tag", pa.string()), ("rule", pa.string()), ("outcome", pa.string()), ("confidence", pa.float32()),
         ("models", models)]
    )  # fmt: skip
    file = BytesIO()
    Image.new("RGB", (64, 48), (30, 110, 60)).save(file, "JPEG")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    tables: dict[str, pa.Table] = {
        "tags/task=kind": pa.Table.from_pylist(rows, schema),
        "images": pa.table(
            {"eolMediaURL": list(urls), "content_sha256": [content_of(url) for url in urls],
             "outcome": ["ok"] * len(urls), "asked_at": [at] * len(urls), "color_mode": ["RGB"] * len(urls)}
        ),
        "pixels": pa.table(
            {"content_sha256": [content_of(url) for url in urls], "side_px": [64] * len(urls),
             "image": [file.getvalue()] * len(urls)}
        ),
    }  # fmt: skip
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        pq.write_table(table, folder / name / "part-0.parquet")


def review_of(output: Path, host: str, items: Sequence[Item] | None = None) -> Review:
    found = read_items(output, Slice()) if items is None else items
    return Review(output, found, known_tags(output, ()), missing_of(found), "uncertain", TOKEN, frozenset({host}))


def missing_of(items: Sequence[Item]) -> dict[str, str]:
    return {item.task: "none" for item in items if item.tags is not None}


@contextmanager
def served(output: Path, port: int = 0, items: Sequence[Item] | None = None) -> Iterator[str]:
    """The address of a review's page, token included. items: what is judged, all images if None."""
    listener = socket.create_server(("127.0.0.1", port))
    host = f"127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(make_app(review_of(output, host, items)), log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://{host}/?token={TOKEN}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Sixty images, five of them with addresses that mean harm."""
    write_output(tmp_path / "out", [*HOSTILE, *[f"https://eol.org/{number}.jpg" for number in range(55)]])
    return tmp_path / "out"
