"""Rows that a Spark task finds out, one kind for each table of facts."""

from datetime import datetime
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eoltag.records import Scores

Places = NDArray[np.int64]

ScoreSource = Literal["fetch", "pixels", "features"]
"""What was scored: the image as its server sent it, a kept copy of it, or its kept features."""


class ImageRow(NamedTuple):
    """One answer of a server for one image."""

    outcome: str
    detail: str | None
    http_status: int | None
    attempts: int
    etag: str | None
    last_modified: str | None
    content_sha256: str | None
    bytes: int | None
    width: int | None
    height: int | None
    color_mode: str | None
    perceptual_hash: str | None
    rendition: str | None
    asked_at: datetime


class ScoreRow(NamedTuple):
    """What a model gave for one content."""

    content_sha256: str
    model_version: str
    engine: str
    precision: str
    source: ScoreSource
    scores: Scores
    """(C,) float32: every raw number, in the order of the card's labels."""
    scored_at: datetime


class ScoreBlock(NamedTuple):
    """What a model gave for many contents at once; the fields of ScoreRow, but for the contents."""

    places: Places
    """(N,) int64: which of the contents that were given."""
    model_version: str
    engine: str
    precision: str
    source: ScoreSource
    scores: Scores
    """(N, C) float32."""
    scored_at: datetime


class MeasureRow(NamedTuple):
    """One image feature of one content."""

    content_sha256: str
    name: str
    value: float


class VectorRow(NamedTuple):
    """The features that a base gave for one content."""

    content_sha256: str
    base_version: str
    vector: bytes
    """float16, little-endian."""
    source: ScoreSource
    """The picture that they were computed of: `fetch` or `pixels`."""


class PixelsRow(NamedTuple):
    """A small copy of one picture."""

    content_sha256: str
    side_px: int
    """Its shorter side."""
    image: bytes
    """JPEG or WebP."""
    source_width: int
    source_height: int


Row = ImageRow | ScoreRow | MeasureRow | VectorRow | PixelsRow


TABLE_OF: Final[dict[type[Row], str]] = {
    ImageRow: "images",
    ScoreRow: "scores",
    MeasureRow: "measures",
    VectorRow: "features",
    PixelsRow: "pixels",
}
"""Kind of row -> the table that it belongs to."""
