"""Lists of images, in every form they come in, as rows.

A bundle is a file in any of the known formats (formats.registry), as it is, gzipped or zipped; or a folder of part
files, as Spark writes it. What a file holds is told by its content, not by its name. Rows are streamed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from eoltag.bundle.formats.columns import ABSENT, listed, place_of
from eoltag.bundle.formats.content import Content, Tally
from eoltag.bundle.formats.registry import recognise
from eoltag.bundle.formats.text import find_sources, short
from eoltag.bundle.names import bundle_name
from eoltag.errors import BundleError, NoListError
from eoltag.records import ImageRef

__all__ = ["Bundle", "open_bundles"]

_SUCCESS: Final = "_SUCCESS"
"""What Spark writes last beside its part files, unless told otherwise."""
PART_START: Final = "part-"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One list of images. Holds no rows and no open file: plain values that can be pickled, and read many times."""

    name: str
    """Names the files made from it."""
    origin: str
    """The bundle as the user typed it: a path or URL."""
    format: str
    """The name of its format in the registry."""
    notes: tuple[str, ...]
    """Sentences for the user on what was decided and may surprise; without the origin."""
    parts: tuple[Content, ...]
    """One; of a folder of part files several, which follow each other."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that every row gives, as the file spells them, the URL's first; empty for a plain list."""
        return self.parts[0].used

    def has_column(self, name: str) -> bool:
        """Some part has a column of that name, in any case of letters."""
        return any(place_of(name, part.columns) != ABSENT for part in self.parts)

    @property
    def listed_columns(self) -> str:
        """All columns, for a message."""
        names = self.all_columns
        return f"the columns {listed(names)}" if names else "no columns, only URLs"

    @property
    def all_columns(self) -> list[str]:
        """The names of all columns, as the file spells them; none for a plain list."""
        return list(dict.fromkeys(name for part in self.parts for name in part.columns))

    def rows(self, tally: Tally | None = None, further: Sequence[str] = ()) -> Iterator[ImageRef]:
        """Every row from the first on, read from the file anew.

        tally: counts the blank lines and comments that were skipped so far; complete once the rows are. further: names
        of further columns, in any case of letters; NULL where the bundle lacks one.
        Raises BundleError where the file has changed or gone since it was opened.
        """
        tally = Tally() if tally is None else tally
        if len(self.parts) == 1:
            yield from self.parts[0].rows(further, tally)
            return
        rows = (image for part in self.parts for image in part.rows(further, tally))
        yield from (image._replace(bundle_row=row) for row, image in enumerate(rows, 1))


def open_bundles(path: Path, origin: str, url_column: str | None = None) -> list[Bundle]:
    """The bundles in a local file: one, or one for each list in a zip, in the zip's order. Of a folder of parts: one.

    origin: what the user typed; it is named in messages, and names the bundle unless a zip holds several. url_column:
    the column of tables that holds the URLs; None: the first known one.
    It is read through once (CSV and JSON lines twice), so that what is broken stops a run before it starts.
    Raises BundleError.
    """
    if is_part_folder(path):
        return [_joined(part_files(path), origin, url_column)]
    sources, left_out = find_sources(path, origin)
    bundles = []
    for source in sources:
        try:
            found, content = recognise(source, url_column)
        except NoListError as problem:  # a README or meta.xml beside the lists
            if len(sources) == 1:
                raise
            left_out.append(f"member {short(source.member)} was left out: {str(problem).partition(': ')[2]}")
            continue
        notes: tuple[str, ...] = content.notes
        if source.member:
            notes = tuple(f"member {short(source.member)}: {note}" for note in notes)
        name = bundle_name(source.member if len(sources) > 1 else origin)
        bundles.append(_with_rows(Bundle(name, origin, found, (*left_out, *notes), (content,)), source.label))
        left_out = []
    if not bundles:
        raise NoListError(f"{origin}: wanted a zip with a list of image URLs in it; {left_out[0]}")
    if left_out:
        bundles[-1] = replace(bundles[-1], notes=(*bundles[-1].notes, *left_out))
    return bundles


def is_part_folder(path: Path) -> bool:
    """The directory holds one table in several files, as Spark writes it."""
    if not path.is_dir():
        return False
    parts = part_files(path)
    return bool(parts) and ((path / _SUCCESS).exists() or all(part.name.startswith(PART_START) for part in parts))


def part_files(folder: Path) -> list[Path]:
    """The files of a directory in the order of their names, without those that Spark and file systems hide."""
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] not in "._")


def _joined(files: list[Path], origin: str, url_column: str | None) -> Bundle:
    """One bundle of part files; empty ones are passed over."""
    found: dict[str, list[Content]] = {}
    for file in files:
        if file.stat().st_size:
            for source in find_sources(file, f"{origin.rstrip('/')}/{file.name}")[0]:
                name, content = recognise(source, url_column)
                found.setdefault(name, []).append(content)
    if len(found) != 1:
        came = " and ".join(found) or "empty files only"
        raise BundleError(f"{origin}: wanted a folder of part files in one format; came {came}")
    [(name, parts)] = found.items()
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return _with_rows(Bundle(bundle_name(origin), origin, name, notes, tuple(parts)), origin)


def _with_rows(bundle: Bundle, label: str) -> Bundle:
    """The bundle, if it has any row."""
    if next(bundle.rows(), None) is None:
        raise BundleError(f"{label}: wanted rows below the header; came none")
    return bundle
