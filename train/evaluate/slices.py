"""How good a model is on parts of the images: grey ones, long ones, small ones, those of a taxon."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from eoltag.bundle.lists import open_bundles
from eoltag.errors import DataError
from train.evaluate.metrics import accuracy, macro, per_class, wilson_interval
from train.evaluate.scoring import ScoredImage, ScoredSet
from train.records import LabelledImage, Split

LONG: Final = 2.0
"""Longer side over shorter, from which a picture counts as long."""
SQUARE: Final = 1.1
SMALL_PX, LARGE_PX = 250_000, 1_500_000
"""Pixels of the whole picture: 500 x 500, and what a web page shows across its width."""

Holds = Callable[[ScoredImage], bool]
Ancestries = dict[str, str]
"""Path of an image as shown -> its ancestry, names joined by |."""


def read_ancestries(breakdowns: Iterable[Path], images: Sequence[LabelledImage]) -> Ancestries:
    """The ancestry of each image that a breakdown knows.

    An image is known by the URL in its manifest, else by its file name without suffix, which may be the row's
    identifier, its dataObjectVersionID, or the last part of its URL. Raises BundleError, and DataError where no row
    has an ancestry.
    """
    by_name: dict[str, str] = {}
    for path in breakdowns:
        before = len(by_name)
        for bundle in open_bundles(path, str(path)):
            for row in bundle.rows():
                names = (row.url, row.identifier, row.data_object_version_id, _stem(row.url))
                by_name.update({name: row.ancestry for name in names if name and row.ancestry})
        if len(by_name) == before:
            raise DataError(f"{path}: wanted a breakdown with the column 'ancestry'. Received: no row with one")
    known = {image.shown: by_name.get(_source_url(image)) or by_name.get(image.path.stem) for image in images}
    return {shown: ancestry for shown, ancestry in known.items() if ancestry}


def _source_url(image: LabelledImage) -> str:
    return image.row.source_url or "" if image.row else ""


def slices(
    scored: ScoredSet | None, labels: Sequence[str], asked: Sequence[str], ancestries: Ancestries
) -> list[dict[str, Any]]:
    """Images, accuracy with its interval, macro F1 and recalls of each part that holds an image.

    asked: `ancestry=TAXON` or `path=TEXT`, which may also name no image. Raises DataError for another key, and where
    an ancestry is asked for but none is known; without images (None) that is all it does.
    """
    own = [(text, _holds(text, ancestries)) for text in asked]
    if scored is None:
        return []
    report = []
    for name, holds in (*own, *_STANDING.items()):
        at = [number for number, row in enumerate(scored.images) if holds(row)]
        if at or name in asked:
            report.append({"slice": name, **_measures(scored, at, labels)})
    return report


def _measures(scored: ScoredSet, at: list[int], labels: Sequence[str]) -> dict[str, Any]:
    if not at:
        return {"images": 0, "accuracy": None, "accuracy_interval": None, "macro_f1": None, "recall": {}}
    truth, predicted = scored.truth[at], scored.predicted[at]
    report = per_class(truth, predicted, labels)
    return {
        "images": len(at),
        "accuracy": accuracy(truth, predicted),
        "accuracy_interval": list(wilson_interval(int((truth == predicted).sum()), len(at))),
        "macro_f1": macro(report)["f1"],
        "recall": {label: row["recall"] for label, row in report.items() if row["support"]},
    }


def _holds(text: str, ancestries: Ancestries) -> Holds:
    key, sign, value = text.partition("=")
    key, value = key.strip(), value.strip()
    if not sign or not value or key not in ("ancestry", "path"):
        raise DataError(f"--slice: wanted ancestry=TAXON or path=TEXT. Received: {text!r}")
    if key == "path":
        return lambda row: value in row.image.shown
    if not ancestries:
        raise DataError(f"--slice {text}: no image has a known ancestry; wanted --breakdown FILE that lists the images")
    return lambda row: value.casefold() in ancestries.get(row.image.shown, "").casefold()


def _stem(url: str | None) -> str | None:
    return PurePosixPath(unquote(urlsplit(url).path)).stem if url else None


def _aspect(row: ScoredImage) -> float:
    return row.width / row.height


def _pixels(row: ScoredImage) -> int:
    return row.width * row.height


_STANDING: Final[dict[str, Holds]] = {
    "colour: grey": lambda row: row.is_grey,
    "colour: coloured": lambda row: not row.is_grey,
    "aspect: long and upright": lambda row: _aspect(row) <= 1 / LONG,
    "aspect: upright": lambda row: 1 / LONG < _aspect(row) < 1 / SQUARE,
    "aspect: square": lambda row: 1 / SQUARE <= _aspect(row) <= SQUARE,
    "aspect: wide": lambda row: SQUARE < _aspect(row) < LONG,
    "aspect: long and wide": lambda row: _aspect(row) >= LONG,
    "size: below 0.25 MP": lambda row: _pixels(row) < SMALL_PX,
    "size: 0.25 to 1.5 MP": lambda row: SMALL_PX <= _pixels(row) < LARGE_PX,
    "size: 1.5 MP and more": lambda row: _pixels(row) >= LARGE_PX,
    "part in training: trained on": lambda row: row.in_training is Split.TRAIN,
    "part in training: held back": lambda row: row.in_training is Split.VAL,
    "part in training: unknown to the model": lambda row: row.in_training is None,
}
