"""The files of a folder make way for others: after a kill between any two changes, the old or the new counts."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eoltag.local import files, swaps
from eoltag.local.swaps import Swap


class Killed(Exception):
    """The process has ended here."""


@dataclass
class Dying:
    """This machine's disk, until so many changes have been made. Moves are copies that are deleted afterwards."""

    allowed: int
    made: int = field(default=0)

    def _change(self) -> None:
        if self.made >= self.allowed:
            raise Killed
        self.made += 1

    def names(self, path: str) -> list[str]:
        """As Files.names."""
        return files.names(path)

    def read_text(self, path: str) -> str:
        """As Files.read_text."""
        return files.read_text(path)

    def write_text(self, path: str, text: str) -> None:
        """As Files.write_text."""
        self._change()
        files.write_text(path, text)

    def move(self, source: str, target: str) -> None:
        """As S3A moves a file."""
        self._change()
        files.upload(Path(source), target)
        self._change()
        files.delete(source)

    def delete(self, path: str) -> None:
        """As Files.delete."""
        self._change()
        files.delete(path)


OLD, NEW = {"part-1": "a", "part-2": "b", "part-3": "c"}, {"part-4": "abc", "part-5": ""}
_ALL = 1 + 2 * len(NEW) + len(OLD) + 1
"""Changes that a whole swap makes."""


def prepared(tmp_path: Path) -> Swap:
    """A table with old files, and new ones beside."""
    for folder, content in (("out/tags/task=T", OLD), ("out/_staging/run/tags", NEW)):
        for name, text in content.items():
            files.write_text(f"{tmp_path}/{folder}/{name}", text)
    return Swap("tags/task=T", [*OLD], [*NEW])


def counted(tmp_path: Path) -> dict[str, str]:
    """The files that count, as a reader finds them."""
    folder = tmp_path / "out/tags/task=T"
    names, store = files.names(str(folder)), Dying(0)
    for change in swaps.pending(store, f"{tmp_path}/out/_staging/swaps"):
        names = [name for name in names if name not in change.hidden(names)]
    return {name: files.read_text(f"{folder}/{name}") for name in names}


def swapped(tmp_path: Path, store: Dying, change: Swap) -> None:
    """The swap."""
    root = f"{tmp_path}/out"
    swaps.swap(store, root, f"{root}/_staging/swaps", f"{root}/_staging/run/tags", change)


@pytest.mark.parametrize("allowed", range(_ALL))
def test_a_kill_between_any_two_changes_leaves_the_old_or_the_new(tmp_path: Path, allowed: int) -> None:
    change = prepared(tmp_path)
    with pytest.raises(Killed):
        swapped(tmp_path, Dying(allowed), change)
    found = counted(tmp_path)
    is_new = allowed >= 1 + 2 * len(NEW) - 1  # the last of them is there
    assert found == (NEW if is_new else OLD)
    for kills in range(20):  # mending is killed as well, and mended
        try:
            swaps.mend(Dying(kills), f"{tmp_path}/out", f"{tmp_path}/out/_staging/swaps")
            break
        except Killed:
            assert counted(tmp_path) == found
    assert files.names(f"{tmp_path}/out/tags/task=T") == sorted(found)
    assert not files.names(f"{tmp_path}/out/_staging/swaps")


def test_a_swap_leaves_the_new_files_and_no_note(tmp_path: Path) -> None:
    store = Dying(_ALL)
    swapped(tmp_path, store, prepared(tmp_path))
    assert (counted(tmp_path), store.made) == (NEW, _ALL)
    assert not files.names(f"{tmp_path}/out/_staging/swaps")


def test_a_note_that_was_cut_short_says_nothing(tmp_path: Path) -> None:
    prepared(tmp_path)
    files.write_text(f"{tmp_path}/out/_staging/swaps/swap.json", '{"folder": "tags/ta')
    assert counted(tmp_path) == OLD
    swaps.mend(Dying(9), f"{tmp_path}/out", f"{tmp_path}/out/_staging/swaps")
    assert not files.names(f"{tmp_path}/out/_staging/swaps")
