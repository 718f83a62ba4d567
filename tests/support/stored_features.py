"""An output directory with stored features, as the Spark job leaves one, written without Spark."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

START = datetime(2026, 1, 1, tzinfo=UTC)


def content_of(name: object) -> str:
    """A sha256 that stands for a picture's bytes."""
    return hashlib.sha256(str(name).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """The directory, and rows to be put into its tables."""

    root: Path

    def add(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        """One more file of a table. table: such as bundles/bundle=a."""
        folder = self.root / table
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(rows)), folder / f"part-{len(list(folder.iterdir()))}.parquet")

    def add_features(self, base: str, contents: Sequence[str], vectors: NDArray[Any]) -> None:
        """Vectors (N, D) as float16."""
        stored = vectors.astype("<f2")
        self.add(
            f"features/base_version={base}",
            [
                {"content_sha256": content, "vector": row.tobytes(), "source": "fetch", "run_id": "r"}
                for content, row in zip(contents, stored, strict=True)
            ],
        )

    def add_images(self, contents: Sequence[str | None], *, first: int = 0, minutes: int = 0, **changes: Any) -> None:
        """An answer for each URL https://example.org/0.jpg, 1.jpg, ... from `first` on; content None: a failure."""
        rows = [
            {
                "eolMediaURL": url_of(number),
                "outcome": "ok" if content else "timeout",
                "content_sha256": content,
                "perceptual_hash": None if content is None else content[:16],
                "asked_at": START + timedelta(minutes=minutes),
                **changes,
            }
            for number, content in enumerate(contents, first)
        ]
        self.add("images", rows)


def url_of(number: int) -> str:
    """The URL of an image."""
    return f"https://example.org/{number}.jpg"
