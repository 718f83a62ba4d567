"""Swaps: the files of a folder make way for others where no folder is renamed in one step, as in object stores.

A note names the files that go and those that come. While one of those that come is missing, they do not count; as soon
as all are there, those that go do not count. So after a kill between any two requests the folder holds the old or the
new for whoever reads the notes, and nothing has to be renamed.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Protocol


class Notes(Protocol):
    """What reading notes asks of a file system."""

    def names(self, path: str) -> list[str]: ...
    def read_text(self, path: str) -> str: ...


class Store(Notes, Protocol):
    """What swaps ask of a file system."""

    def write_text(self, path: str, text: str) -> None: ...
    def move(self, source: str, target: str) -> None: ...
    def delete(self, path: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Swap:
    """One change of a folder."""

    folder: str
    """Below the root."""
    old: list[str]
    """Names of files there that go."""
    new: list[str]
    """Names of files that come; none of them is among the old ones."""

    def hidden(self, names: Collection[str]) -> set[str]:
        """Those among `names`, all that lie in the folder now, that do not count."""
        return {*names} & {*(self.old if {*self.new} <= {*names} else self.new)}


def swap(store: Store, root: str, notes: str, staged: str, change: Swap) -> None:
    """Bring the new files from the folder `staged`, then delete the old ones. Raises OSError.

    notes: the folder of notes; at most one swap is under way there.
    """
    note = f"{notes}/swap.json"
    store.write_text(note, json.dumps(asdict(change)) + "\n")
    for name in change.new:
        store.move(f"{staged}/{name}", f"{root}/{change.folder}/{name}")
    _delete(store, root, change.folder, change.old)
    store.delete(note)


def pending(store: Notes, notes: str) -> list[Swap]:
    """The swaps that are under way, or that a killed run has left. Raises OSError."""
    found = []
    for name in store.names(notes):
        try:
            found.append(Swap(**json.loads(store.read_text(f"{notes}/{name}"))))
        except (FileNotFoundError, ValueError, TypeError):  # ended meanwhile
            continue
    return found


def mend(store: Store, root: str, notes: str) -> None:
    """Delete the files that do not count, of all swaps that a killed run has left. Raises OSError."""
    for change in pending(store, notes):
        _delete(store, root, change.folder, change.hidden(store.names(f"{root}/{change.folder}")))
    for name in store.names(notes):
        store.delete(f"{notes}/{name}")


def _delete(store: Store, root: str, folder: str, names: Iterable[str]) -> None:
    for name in names:
        store.delete(f"{root}/{folder}/{name}")
