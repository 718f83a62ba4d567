"""The arguments of `prepare`, checked, to a finished set."""

import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from eoltag.bundle.names import expand_ranges
from eoltag.errors import DataError
from eoltag.fetch.download import download
from eoltag.settings import FetchSettings, read_settings
from train.data.splitting import parse_shares
from train.labels import read_labels
from train.prepare.assemble import Plan, prepare
from train.prepare.download import FOLDER, Downloads
from train.prepare.examine import Finish
from train.prepare.label_file import LabelFile, write_label_file
from train.prepare.output import check_output
from train.prepare.preview import Preview, draw_preview
from train.prepare.rating_lists import RatingLists, write_rating_lists
from train.prepare.report import Report
from train.prepare.sources.candidate import Offer, check_labels
from train.prepare.sources.folders import read_folder
from train.prepare.sources.judgements import parse_renames, read_judgements
from train.prepare.sources.lists import parse_classes, read_lists, read_null_folder
from train.prepare.sources.plantclef import read_plantclef
from train.prepare.sources.ratings import EOL_CAP, EXEMPLARS_URL, RATINGS_URL, TableFile, read_ratings
from train.prepare.sources.tfrecords import read_tfrecords
from train.similar.hamming import LARGEST_DISTANCE

MAX_SIDE_PX: Final = 8192
_DOWNLOADED: Final = ("ratings", "lists", "judgements")
_SOURCES: Final = ("source", "null_folder", "output", "also")
"""Options that name folders which must stay as they are."""
_CAPS: Final = {"ratings": EOL_CAP}
"""Kind -> its cap where none is given."""


def prepare_kind(options: Namespace) -> Report | Preview | RatingLists | LabelFile:
    """What `python -m train prepare` does. Raises UsageError."""
    if getattr(options, "lists", None) is not None:
        return _rating_lists(options)
    if getattr(options, "labels_out", None) is not None:
        return _label_file(options)
    if (options.out is None) == (options.preview is None):
        raise DataError("wanted either --out DIR, for the set, or --preview FILE, for a look at changed copies")
    plan = read_plan(options)
    if options.preview is not None:
        return _preview(options, plan)
    sources = [path for name in _SOURCES if (path := getattr(options, name, None)) is not None]
    check_output(options.out, sources, overwrite=options.overwrite)
    with tempfile.TemporaryDirectory(prefix="eoltag-prepare-") as folder:
        offer = _READ[options.kind](options, Path(folder))
        downloads = None
        if options.kind in _DOWNLOADED:
            downloads = Downloads(options.out / FOLDER, _fetch(options), retry_failed=options.retry_failed)
        return prepare(offer, plan, downloads)


def _preview(options: Namespace, plan: Plan) -> Preview:
    """Downloads no more than the sheet shows, and keeps none of it."""
    with tempfile.TemporaryDirectory(prefix="eoltag-preview-") as folder:
        work = Path(folder) / "work"
        work.mkdir()
        downloads = None
        if options.kind in _DOWNLOADED:
            downloads = Downloads(Path(folder) / FOLDER, _fetch(options), retry_failed=False)
        offer = _READ[options.kind](options, Path(folder) / "unpacked")
        return draw_preview(offer, plan, downloads, work, options.preview)


def read_plan(options: Namespace) -> Plan:
    """Raises DataError where a number is out of range."""
    _require("--seed", options.seed, 0, 2**32 - 1)
    _require("--min-side", options.min_side, 1, MAX_SIDE_PX)
    _require("--near-bits", options.near_bits, 0, LARGEST_DISTANCE)
    for name in ("cap", "count", "augment_to", "processes"):
        if getattr(options, name, None) is not None:
            _require(f"--{name.replace('_', '-')}", getattr(options, name), 1, 100_000_000)
    size = _size(options.size)
    return Plan(
        out=options.out or options.preview or options.labels_out,
        seed=options.seed,
        cap=getattr(options, "count", None) or options.cap or _CAPS.get(options.kind),
        finish=Finish(size, options.fit, options.format, options.min_side, options.allow_animated),
        shares=parse_shares(options.split) if options.split else None,
        near_bits=options.near_bits,
        augment_to=options.augment_to,
        augment_set=options.augment_set,
        is_quarantined=options.quarantine,
        processes=options.processes,
    )


def _size(text: str | None) -> tuple[int, int] | None:
    """Width and height of `224` or `320x240`."""
    if text is None:
        return None
    sides = text.lower().split("x")
    if not 1 <= len(sides) <= 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise DataError(f"--size: wanted pixels as 224 or 320x240. Received: {text!r}")
    width, height = int(sides[0]), int(sides[-1])
    for side in (width, height):
        _require("--size", side, 1, MAX_SIDE_PX)
    return width, height


def _require(name: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise DataError(f"{name}: wanted {least} to {most}. Received: {number}")


def _fetch(options: Namespace) -> FetchSettings:
    settings = read_settings(options.config).fetch
    return settings.model_copy(update={"allow_private_hosts": True}) if options.allow_private_hosts else settings


def _rating_lists(options: Namespace) -> RatingLists:
    """EOL's lists of rated images, without an image."""
    if options.out is not None or options.preview is not None:
        raise DataError("--lists writes lists alone; leave --out and --preview away")
    _require("--seed", options.seed, 0, 2**32 - 1)
    offer = _ratings(Namespace(**{**vars(options), "layout": "stars"}), options.lists)
    return RatingLists(options.lists, write_rating_lists(offer, options.cap or EOL_CAP, options.seed, options.lists))


def _plantclef(options: Namespace, _: Path) -> Offer:
    return read_plantclef(options.source, is_by_class=options.count is None)


def _ratings(options: Namespace, _: Path) -> Offer:
    with tempfile.TemporaryDirectory() as folder:
        settings = _fetch(options)
        ratings = _local(options.ratings or RATINGS_URL, Path(folder) / "ratings", settings)
        exemplars = None
        if not options.no_exemplars:
            exemplars = _local(options.exemplars or EXEMPLARS_URL, Path(folder) / "exemplars", settings)
        return read_ratings(ratings, exemplars, options.layout, as_eol=options.cap is None)


def _lists(options: Namespace, _: Path) -> Offer:
    classes = parse_classes(options.classes)
    check_labels({label for label, _ in classes})
    settings = _fetch(options)
    with tempfile.TemporaryDirectory() as folder:
        lists = [
            (label, origin, _local(origin, Path(folder) / str(number), settings).path)
            for number, (label, origin) in enumerate(
                (label, origin) for label, given in classes for origin in expand_ranges(given)
            )
        ]
        offer = read_lists(lists)
    if options.null_folder is None:
        return offer
    null = read_null_folder(options.null_folder, options.null_name)
    return Offer((*offer.candidates, *null.candidates), offer.notes)


def _tfrecords(options: Namespace, work: Path) -> Offer:
    """Its images lie below `work` for as long as that is there."""
    labels = read_labels(options.labels)
    check_labels(labels)
    return read_tfrecords(options.source, labels, work)


def _folder(options: Namespace, _: Path) -> Offer:
    for manifest in options.manifest:
        if not manifest.is_file():
            raise DataError(f"--manifest {manifest}: no such file; wanted a manifest.parquet")
    return read_folder(options.source, options.manifest)


def _judgements(options: Namespace, work: Path) -> Offer:
    """The judged images, and those of a folder beside them."""
    classes = parse_renames(options.rename)
    offer = read_judgements(
        options.output, options.task, classes, work, is_fetched=options.fetch, has_several=options.several
    )
    if options.also is None:
        return offer
    others = read_folder(options.also)
    return Offer((*offer.candidates, *others.candidates), (*offer.notes, *others.notes))


def _label_file(options: Namespace) -> LabelFile:
    if options.out is not None or options.preview is not None:
        raise DataError("--labels-out writes labels alone; leave --out and --preview away")
    plan = read_plan(options)
    classes = parse_renames(options.rename)
    return write_label_file(
        options.output, options.task, classes, options.also, options.labels_out, plan.shares, plan.seed, plan.near_bits,
        has_several=options.several,
    )  # fmt: skip


def _local(origin: str, target: Path, settings: FetchSettings) -> TableFile:
    """The file that a path or URL names. Raises BundleError or DataError."""
    if urlsplit(origin).scheme in ("http", "https"):
        download(origin, target, settings)
        return TableFile(target, origin)
    if not Path(origin).exists():
        raise DataError(f"{origin}: wanted a list of image URLs. Received: no such file")
    return TableFile(Path(origin), origin)


_READ: Final[dict[str, Callable[[Namespace, Path], Offer]]] = {
    "plantclef": _plantclef,
    "ratings": _ratings,
    "lists": _lists,
    "folder": _folder,
    "tfrecords": _tfrecords,
    "judgements": _judgements,
}
"""Kind -> what reads it; the second value is a folder for files that it unpacks."""
