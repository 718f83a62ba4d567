"""Judgements as they come: what a long-running service knows of them without reading all again and again."""

import threading
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from eoltag.judgements.record import FOLDER, Judgement, latest, lines_of

Held = Mapping[tuple[str, str], Judgement]
"""(task, content) -> the judgement that holds."""


class Follower:
    """The judgements of an output directory; only what was appended since is read. May be asked by several threads."""

    def __init__(self, output: Path) -> None:
        self._folder = output / FOLDER
        self._lock = threading.Lock()
        self._forget()

    def of(self, person: str) -> Held:
        """What one person says. Raises DataError."""
        with self._lock:
            self._read()
            return dict(self._held[person])

    def _forget(self) -> None:
        self._seen: dict[Path, int] = {}
        """File -> bytes that were read."""
        self._said: defaultdict[tuple[str, str, str], dict[str, Judgement]] = defaultdict(dict)
        """(task, content, person) -> ID -> judgement."""
        self._held: defaultdict[str, dict[tuple[str, str], Judgement]] = defaultdict(dict)
        """Person -> what holds."""

    def _read(self) -> None:
        sizes = {path: path.stat().st_size for path in sorted(self._folder.glob("*.jsonl"))}
        if any(sizes.get(path, 0) < seen for path, seen in self._seen.items()):  # replaced by hand
            self._forget()
        for path, size in sizes.items():
            if size > (start := self._seen.get(path, 0)):
                self._take(path, start)

    def _take(self, path: Path, start: int) -> None:
        with path.open("rb") as stream:
            stream.seek(start)
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]  # the rest is being written, or was cut short
        for number, one in enumerate(lines_of(str(path), whole)):
            said = self._said[*one.key, one.person]
            said.setdefault(one.id or f"{path}:{start}:{number}", one)
            held = latest(sorted(said.values(), key=lambda each: each.judged_at))
            self._held[one.person].pop(one.key, None)
            self._held[one.person] |= {key[:2]: each for key, each in held.items()}
        self._seen[path] = start + len(whole)
