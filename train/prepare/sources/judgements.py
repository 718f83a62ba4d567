"""People's judgements of an output directory as labelled images: its kept copies of pictures, else their URLs."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.dataset as ds

from eoltag.errors import DataError
from eoltag.judgements.record import FOLDER, Agreed, agreed, read
from eoltag.judgements.task_tags import TaskTags, read_task_tags
from eoltag.records import JOINER
from train.prepare.sources.candidate import Candidate, Offer, Rejection

_NAMED: Final = 5
"""Disputed images that are named; the manifest has all."""
_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class JudgedImages:
    """What people say of the images of a task."""

    agreed: tuple[Agreed, ...]
    """Each with a tag; of several tags an image, each with one of which it is known whether it is there."""
    disputed: tuple[Agreed, ...]
    unsure: tuple[Agreed, ...]
    """Nobody who saw it could tell."""
    tags: TaskTags
    """What the task is like."""

    @property
    def has_several(self) -> bool:
        """The task may give an image several tags."""
        return self.tags.has_several

    def answers(self, one: Agreed, classes: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of several tags an image: the labels that it shows, and those that it is known not to show."""
        said = [[tag for tag in tags if tag != self.tags.missing] for tags in (one.present, one.absent)]
        present, absent = (tuple(classes.get(tag, tag) for tag in tags) for tags in said)
        return present, absent

    def notes(self, output: Path) -> tuple[str, ...]:
        """Sentences on what is left out."""
        found = []
        if self.disputed:
            named = "; ".join(f"{one.url} ({said(one)})" for one in self.disputed[:_NAMED])
            rest = f"; eoltag judgements {output} lists all" if len(self.disputed) > _NAMED else ""
            found.append(f"{len(self.disputed)} images are left out since people disagree on them: {named}{rest}")
        if self.unsure:
            found.append(f"{len(self.unsure)} images are left out since nobody was sure of them")
        partly = sum(bool(one.disputed) for one in self.agreed) if self.has_several else 0
        if partly:
            found.append(f"{partly} images have tags that people disagree on; these tags stay unknown")
        return tuple(found)


def judged_images(output: Path, task: str) -> JudgedImages:
    """The judgements of a task that hold. Raises DataError where there are none."""
    if not output.is_dir():
        raise DataError(f"{output}: wanted an output directory of eoltag on this machine. Received: no such folder")
    every = agreed(read(output))
    mine = [one for one in every if one.task == task]
    if not mine:
        tasks = ", ".join(sorted({one.task for one in every})) or "none"
        raise DataError(f"{output / FOLDER}: wanted judgements of task '{task}'. Received: those of {tasks}")
    tags = read_task_tags(output, task)
    known, rest = list[Agreed](), list[Agreed]()
    for one in mine:
        is_known = {*one.present, *one.absent} - {tags.missing} if tags.has_several else one.tag is not None
        (known if is_known else rest).append(one)
    return JudgedImages(
        tuple(known),
        tuple(one for one in rest if one.is_disputed),
        tuple(one for one in rest if not one.is_disputed),
        tags,
    )


def read_judgements(
    output: Path, task: str, classes: Mapping[str, str], work: Path, *, is_fetched: bool = False
) -> Offer:
    """Every judged image of a task; those that are disputed or unsure are offered as rejected. Raises DataError.

    classes: tag -> class, for tags whose class is called otherwise. work: an empty folder, where the kept copies lie
    for as long as it is there. is_fetched: takes the URLs though copies are kept.
    """
    found = judged_images(output, task)
    copies = {} if is_fetched else write_copies(output, {one.content_sha256 for one in found.agreed}, work)
    candidates = [_candidate(one, found, classes, copies.get(one.content_sha256)) for one in found.agreed]
    candidates += [_rejected(one, Rejection.DISPUTED, classes) for one in found.disputed]
    candidates += [_rejected(one, Rejection.NO_LABEL, classes) for one in found.unsure]
    return Offer(tuple(candidates), found.notes(output))


def parse_renames(arguments: Sequence[str]) -> dict[str, str]:
    """Tag -> class of each TAG=CLASS. Raises DataError."""
    classes = {}
    for argument in arguments:
        tag, sign, label = argument.partition("=")
        if not sign or not tag.strip() or not label.strip():
            raise DataError(f"--rename: wanted TAG=CLASS, as map=maps. Received: {argument!r}")
        classes[tag.strip()] = label.strip()
    return classes


def said(one: Agreed) -> str:
    """Who says what."""
    return ", ".join(f"{person}: {tag or 'unsure'}" for person, tag in sorted(one.said.items()))


def write_copies(output: Path, contents: Collection[str], folder: Path) -> dict[str, Path]:
    """Content -> a file with the largest copy that the output keeps of it; contents without one are left out."""
    pixels = output / "pixels"
    if not contents or not pixels.is_dir():
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    sides: dict[str, int] = {}
    for content, side, image in _kept(pixels, contents):
        if side > sides.get(content, -1):
            sides[content] = side
            (folder / content).write_bytes(image)
    return {content: folder / content for content in sides}


def _kept(pixels: Path, contents: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
    wanted = ds.field("content_sha256").isin(pa.array(sorted(contents), pa.string()))
    try:
        table = ds.dataset(pixels, format="parquet")
        batches = table.to_batches(columns=["content_sha256", "side_px", "image"], filter=wanted, batch_size=_BATCH)
        for batch in batches:
            yield from zip(*(batch.column(name).to_pylist() for name in range(3)), strict=True)
    except (OSError, pa.ArrowInvalid) as problem:
        raise DataError(f"{pixels}: wanted a table in Parquet ({str(problem).splitlines()[0]})") from problem


def _candidate(one: Agreed, of: JudgedImages, classes: Mapping[str, str], copy: Path | None) -> Candidate:
    people = "|".join(sorted(person for person, tag in one.said.items() if tag is not None))
    present, absent = of.answers(one, classes) if of.has_several else ((), ())
    tag = JOINER.join(present) or of.tags.missing if of.has_several else str(one.tag)
    return Candidate(
        classes.get(tag, tag), classes.get(tag, tag), copy, url=one.url, judged_by=people,
        content_sha256=one.content_sha256, is_copy=copy is not None, present=present, absent=absent,
    )  # fmt: skip


def _rejected(one: Agreed, reason: Rejection, classes: Mapping[str, str]) -> Candidate:
    tag = min((tag for tag in one.said.values() if tag is not None), default="unsure")
    return Candidate(
        classes.get(tag, tag), classes.get(tag, tag), url=one.url, content_sha256=one.content_sha256,
        rejected=reason, detail=said(one),
    )  # fmt: skip
