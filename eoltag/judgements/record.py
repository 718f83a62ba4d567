"""Judgements on disk: judgements/NAME.jsonl, a line each, only ever appended to."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from eoltag.errors import DataError
from eoltag.records import parted

FOLDER: Final = "judgements"
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one person said of one image."""

    person: str
    task: str
    url: str
    """The address that the image was shown under; the content is what is judged."""
    content_sha256: str
    shown_tag: str | None
    said_tag: str | None
    """The right tag as the person sees it; None where the person is unsure. Of a task with several tags an image all
    that it shows, joined by `|`, or the task's `missing`."""
    drawn: str
    """How the image came to be shown: `audit ID`, or an order such as `uncertain`."""
    models: dict[str, str] = field(default_factory=dict)
    """Name -> version of the models behind the tag."""
    judged_at: str = ""
    is_withdrawn: bool = False
    """The person has taken it back (undo); an earlier one holds again."""
    id: str = ""
    """A judgement that is sent twice, since nobody saw that it had arrived, is one judgement."""
    choices: list[str] = field(default_factory=list)
    """Of several tags an image: those that the person could choose from. One of them that is not said is absent, of
    others nothing is known. Empty where only the shown ones are known to have been looked for."""

    @property
    def key(self) -> tuple[str, str]:
        """What is judged: a content, for a task."""
        return self.task, self.content_sha256

    def denies(self, tag: str) -> bool:
        """Of several tags an image: the person has looked for this one, and not found it."""
        looked_for = self.choices or parted(self.shown_tag)
        return self.said_tag is not None and tag in looked_for and tag not in parted(self.said_tag)


def now() -> str:
    """The time for a judgement; texts sort by time."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def file_of(output: Path, person: str) -> Path:
    """The file that a person's judgements are appended to."""
    return output / FOLDER / f"{_UNSAFE.sub('_', person)[:64] or 'somebody'}.jsonl"


def append(output: Path, judgements: Iterable[Judgement]) -> None:
    """Add judgements, on disk when this returns. Lines of several processes do not mix. Raises OSError."""
    by_file: dict[Path, list[str]] = {}
    for one in judgements:
        by_file.setdefault(file_of(output, one.person), []).append(json.dumps(asdict(one), ensure_ascii=False))
    for path, lines in by_file.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, _after_a_cut(path) + "".join(f"{line}\n" for line in lines).encode())
            os.fsync(handle)
        finally:
            os.close(handle)


def _after_a_cut(path: Path) -> bytes:
    """A line end where the last line has none, since whoever wrote it was killed."""
    size = path.stat().st_size
    if not size:
        return b""
    with path.open("rb") as stream:
        stream.seek(size - 1)
        return b"" if stream.read(1) == b"\n" else b"\n"


def read(output: Path) -> list[Judgement]:
    """All judgements by time. A line that a kill has cut short counts as never written. Raises DataError."""
    return parse([(str(path), path.read_bytes()) for path in sorted((output / FOLDER).glob("*.jsonl"))])


def parse(files: Iterable[tuple[str, bytes]]) -> list[Judgement]:
    """All judgements by time. files: the name and the bytes of each. Raises DataError."""
    found = [one for name, data in files for one in lines_of(name, data)]
    by_id = {one.id or str(number): one for number, one in reversed([*enumerate(found)])}
    return sorted(by_id.values(), key=lambda one: one.judged_at)


def lines_of(name: str, data: bytes) -> Iterator[Judgement]:
    """The judgements in the bytes of a file; a line that a kill has cut short is passed over. Raises DataError."""
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            document: dict[str, Any] = json.loads(line)
        except ValueError:
            continue
        try:
            yield Judgement(**document)
        except TypeError as problem:
            raise DataError(f"{name}: line {number} is no judgement ({problem})") from problem


def latest(judgements: Iterable[Judgement]) -> dict[tuple[str, str, str], Judgement]:
    """(task, content, person) -> the judgement that holds: the last one that was not taken back."""
    stacks: dict[tuple[str, str, str], list[Judgement]] = {}
    for one in judgements:
        stack = stacks.setdefault((*one.key, one.person), [])
        if one.is_withdrawn:
            if stack:
                stack.pop()
        else:
            stack.append(one)
    return {key: stack[-1] for key, stack in stacks.items() if stack}


@dataclass(frozen=True, slots=True)
class Agreed:
    """What people say of one image, together."""

    task: str
    content_sha256: str
    url: str
    tag: str | None
    """None where they disagree, or where nobody was sure."""
    said: dict[str, str | None]
    """Person -> tag."""
    present: tuple[str, ...] = ()
    """Of several tags an image: those that somebody said and nobody denied."""
    absent: tuple[str, ...] = ()
    """Likewise: those that somebody denied and nobody said."""
    disputed: tuple[str, ...] = ()
    """Likewise: those that somebody said and somebody denied."""

    @property
    def is_disputed(self) -> bool:
        """Those who were sure do not say the same. The order of several tags says nothing."""
        return len({frozenset(parted(tag)) for tag in self.said.values() if tag is not None}) > 1


def agreed(judgements: Iterable[Judgement]) -> list[Agreed]:
    """Each judged image once. A disagreement is listed, and not decided."""
    groups: dict[tuple[str, str], list[Judgement]] = {}
    for one in latest(judgements).values():
        groups.setdefault(one.key, []).append(one)
    found = []
    for (task, content), group in sorted(groups.items()):
        said = {one.person: one.said_tag for one in group}
        image = Agreed(task, content, group[-1].url, None, said, *_by_tag(group))
        tag = None if image.is_disputed else min((tag for tag in said.values() if tag is not None), default=None)
        found.append(replace(image, tag=tag))
    return found


def _by_tag(group: Sequence[Judgement]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Tags that are present, absent, disputed, as the judgements of one image have them."""
    said = dict.fromkeys(tag for one in group for tag in parted(one.said_tag))
    seen = dict.fromkeys(tag for one in group for tag in (*one.choices, *parted(one.shown_tag)))
    denied = {tag for tag in (*said, *seen) if any(one.denies(tag) for one in group)}
    return (
        tuple(tag for tag in said if tag not in denied),
        tuple(tag for tag in seen if tag in denied and tag not in said),
        tuple(tag for tag in said if tag in denied),
    )
