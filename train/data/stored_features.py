"""Stored features of an output directory, joined with labels: a training set without a picture.

The columns read here are those of the tables `features`, `images` and `bundles` as docs/reference/tables.md has them.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from numpy.typing import NDArray

from eoltag.errors import DataError
from train.cli import log
from train.data.dataset import LEAST_IMAGES, Dataset, Example, check_answers
from train.data.label_table import LabelledName, LabelTable, merged
from train.records import LabelledImage

FLAT_HASHES: Final = frozenset({"0" * 16, "f" * 16})
"""Perceptual hashes of pictures without contrast, which are like each other in nothing else."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The lines of the table whose image has stored features, and how many have none."""

    lines: dict[str, list[LabelledName]]
    """Content -> the lines that name it."""
    vectors: dict[str, bytes]
    """Content -> its features, little-endian float16."""
    missing: int


def stored_bases(output: Path) -> tuple[str, ...]:
    """The bases whose features an output directory holds. Raises DataError where it is none."""
    if not output.is_dir():
        raise DataError(f"{output}: wanted an output directory of eoltag on this machine. Received: no such folder")
    folders = (output / "features").glob("base_version=*")
    return tuple(sorted(folder.name.partition("=")[2] for folder in folders if folder.is_dir()))


def check_base(output: Path, base: str, meaning: str) -> None:
    """Raises DataError where the output directory holds no features of that base. meaning: of the base, for people."""
    known = stored_bases(output)
    if base not in known:
        raise DataError(
            f"{output / 'features'}: wanted features of base {base} ({meaning}). Found: {', '.join(known) or 'none'}"
        )


def read_stored_dataset(output: Path, base: str, table: LabelTable, length: int = 0) -> Dataset:
    """The labelled images whose features of that base are stored, each content once; the others are counted and said.

    length: of a feature vector; 0 takes what comes first. Raises DataError where none is stored, one is of another
    length or holds what is no finite number, one content has two labels, or a label has too few images.
    """
    found = _joined(output, base, table)
    total = len({row.name for row in table.rows})
    said = f"{found.missing:,} of {total:,} labelled images have no stored features"
    if not found.lines:
        raise DataError(f"{table.path}: {said} of base {base} in {output}; wanted some that have")
    if found.missing:
        log(f"{table.path}: {said}")
    contents = sorted(found.lines, key=lambda content: (found.lines[content][0].label, content))
    vectors = _decoded([found.vectors[content] for content in contents], contents, output, length)
    hashes = perceptual_hashes(output, contents)
    examples = tuple(_example(table, content, found.lines[content], hashes.get(content)) for content in contents)
    dataset = Dataset(table.path, table.labels, examples, np.empty((0, 0, 0, 3), np.uint8), (), vectors)
    if examples[0].image.present or examples[0].image.absent:
        check_answers(dataset)
        return dataset
    counted = Counter(example.image.label for example in examples)
    for label in table.labels:
        if counted[label] < LEAST_IMAGES:
            raise DataError(
                f"{table.path}: label '{label}': wanted {LEAST_IMAGES} different images or more with stored features. "
                f"Received: {counted[label]}"
            )
    return dataset


def _joined(output: Path, base: str, table: LabelTable) -> _Found:
    by_name: defaultdict[str, list[LabelledName]] = defaultdict(list)
    for row in table.rows:
        by_name[row.name].append(row)
    contents = _contents(output, table, list(by_name))
    wanted = {content for found in contents.values() for content in found}
    rows = _select(output / "features" / f"base_version={base}", ("content_sha256", "vector"), "content_sha256", wanted)
    vectors = dict(zip(rows["content_sha256"].to_pylist(), rows["vector"].to_pylist(), strict=True))
    lines: defaultdict[str, list[LabelledName]] = defaultdict(list)
    for name, found in contents.items():
        for content in found & vectors.keys():
            lines[content] += by_name[name]
    missing = sum(1 for name in by_name if not contents.get(name, set()) & vectors.keys())
    return _Found(dict(lines), vectors, missing)


def _contents(output: Path, table: LabelTable, names: Sequence[str]) -> dict[str, set[str]]:
    """Name -> the contents that it stands for: one for a URL, perhaps more for an identifier."""
    if table.key == "content_sha256":
        return {name: {name} for name in names}
    if table.key == "eolMediaURL":
        return {url: {content} for url, content in _latest_contents(output, names).items()}
    rows = _select(output / "bundles", ("identifier", "eolMediaURL"), "identifier", names)
    pairs = list(zip(rows["identifier"].to_pylist(), rows["eolMediaURL"].to_pylist(), strict=True))
    latest = _latest_contents(output, {url for _, url in pairs if url is not None})
    found: defaultdict[str, set[str]] = defaultdict(set)
    for identifier, url in pairs:
        if url in latest:
            found[identifier].add(latest[url])
    return dict(found)


def _latest_contents(output: Path, urls: Collection[str]) -> dict[str, str]:
    """URL -> the content that it last gave; a failure since then takes nothing away."""
    columns = ("eolMediaURL", "content_sha256", "outcome", "asked_at")
    rows = _select(output / "images", columns, "eolMediaURL", urls)
    good = rows.filter((ds.field("outcome") == "ok") & ds.field("content_sha256").is_valid()).sort_by("asked_at")
    return dict(zip(good["eolMediaURL"].to_pylist(), good["content_sha256"].to_pylist(), strict=True))


def perceptual_hashes(output: Path, contents: Sequence[str]) -> dict[str, str]:
    """Content -> its perceptual hash, where the table of images knows it and it says something."""
    if not (output / "images").is_dir():  # features that were imported may have no images
        return {}
    rows = _select(output / "images", ("content_sha256", "perceptual_hash"), "content_sha256", contents)
    pairs = zip(rows["content_sha256"].to_pylist(), rows["perceptual_hash"].to_pylist(), strict=True)
    return {content: looks for content, looks in pairs if looks is not None and looks not in FLAT_HASHES}


def _select(folder: Path, columns: Sequence[str], key: str, values: Collection[str]) -> pa.Table:
    """Those columns of a table's rows whose `key` is among the values. Raises DataError."""
    try:
        table = ds.dataset(folder, format="parquet")
        missing = [column for column in columns if column not in table.schema.names]
        if missing:
            raise DataError(f"{folder}: wanted a table with the columns {', '.join(columns)}; {missing[0]} is missing")
        return table.to_table(columns=list(columns), filter=ds.field(key).isin(pa.array(list(values), pa.string())))
    except (OSError, pa.ArrowInvalid) as problem:
        raise DataError(f"{folder}: wanted a table in Parquet ({str(problem).splitlines()[0]})") from problem


def _decoded(stored: Sequence[bytes], contents: Sequence[str], output: Path, length: int) -> NDArray[np.float16]:
    """(N, D). contents: of each, for messages."""
    size = 2 * length or len(stored[0])
    for content, vector in zip(contents, stored, strict=True):
        if len(vector) != size or size % 2 or not size:
            raise DataError(
                f"{output / 'features'}: wanted {size // 2:,} numbers in float16 ({size:,} bytes) for each image. "
                f"Received: {len(vector):,} bytes for content {content}"
            )
    vectors = np.frombuffer(b"".join(stored), "<f2").reshape(len(stored), -1)
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        raise DataError(
            f"{output / 'features'}: wanted finite numbers. Received: others in the features of {len(wrong):,} images, "
            f"such as content {contents[wrong[0]]}"
        )
    return vectors


def _example(table: LabelTable, content: str, lines: Sequence[LabelledName], looks: str | None) -> Example:
    """Raises DataError where the lines disagree."""
    first = lines[0]
    if first.present or first.absent:
        one = merged(table.path, lines, f"content {content}")
        several = LabelledImage(
            Path(content), one.name, one.label, one.split, None, one.present, one.absent, one.is_judged, one.group
        )
        return Example(several, content, None, looks)
    for other in lines[1:]:
        if (other.label, other.split) != (first.label, first.split):
            raise DataError(
                f"{table.path}: lines {first.line} and {other.line} say {_said(first)} and {_said(other)} of the same "
                f"picture (content {content})"
            )
    is_judged, group = any(line.is_judged for line in lines), first.group
    image = LabelledImage(Path(content), first.name, first.label, first.split, is_judged=is_judged, group=group)
    return Example(image, content, None, looks)


def _said(row: LabelledName) -> str:
    return f"'{row.label}'" + (f" in {row.split}" if row.split else "")
