"""PlantCLEF 2016: an XML file beside each JPEG says what the photo shows.

Format: `<Image><Content>Flower</Content><ObservationId>..</ObservationId><Author>..</Author>...</Image>`; the seven
contents become EOL's six classes. https://www.imageclef.org/lifeclef/2016/plant
"""

from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from eoltag.errors import DataError
from eoltag.records import Outcome
from train.images.files import visible_files
from train.prepare.sources.candidate import Candidate, Offer, Rejection

CLASSES: Final = {
    "Entire": "Entire",
    "Fruit": "Fruit",
    "Branch": "Branch",
    "Stem": "Stem",
    "Flower": "Flower",
    "LeafScan": "Leaf",
    "Leaf": "Leaf",
}
"""Content -> class, as EOL sorted them and spells them in its tags."""

NO_CLASS: Final = "unknown"
"""What the manifest calls the class of an image without one; such an image is never in the set."""

_SUFFIXES: Final = (".jpg", ".jpeg")


def read_plantclef(folder: Path, *, is_by_class: bool) -> Offer:
    """Every photo with its class; a photo whose XML is missing or says no class is offered as rejected.

    is_by_class: caps count by class, else over all. Raises DataError where no photo has a class.
    """
    files = visible_files(folder)
    photos = [path for path in files if path.suffix.lower() in _SUFFIXES]
    if not photos:
        raise DataError(f"{folder}: wanted JPEG files with an XML file beside each. Received: {len(files)} other files")
    sheets = {path.with_suffix(""): path for path in files if path.suffix.lower() == ".xml"}
    candidates = [_candidate(photo, sheets.pop(photo.with_suffix(""), None), folder, is_by_class) for photo in photos]
    candidates += [_orphan(sheet, folder) for sheet in sheets.values()]
    if all(candidate.rejected for candidate in candidates):
        first = min(candidates, key=lambda candidate: candidate.key)
        raise DataError(
            f"{folder / str(first.source_path)}: {first.detail}; no other of {len(photos)} photos is better"
        )
    return Offer(tuple(candidates))


def _candidate(photo: Path, sheet: Path | None, folder: Path, is_by_class: bool) -> Candidate:
    path = photo.relative_to(folder).as_posix()
    fields, problem = _read_sheet(sheet) if sheet else ({}, "wanted an XML file of the same name beside it, found none")
    content = fields.get("content", "")
    label = {name.lower(): label for name, label in CLASSES.items()}.get(content.lower())
    if label is None:
        problem = problem or f"{sheet.name if sheet else path}: {_wanted(content)}"
        return Candidate(NO_CLASS, NO_CLASS, photo, path, rejected=Rejection.NO_LABEL, detail=problem)
    observation = fields.get("observationid")
    return Candidate(
        label,
        label if is_by_class else "all",
        photo,
        path,
        page=f"plantclef:observation/{observation}" if observation else None,
        licence=fields.get("license") or fields.get("licence"),
        author=fields.get("author"),
    )


def _orphan(sheet: Path, folder: Path) -> Candidate:
    path = sheet.relative_to(folder).as_posix()
    return Candidate(
        NO_CLASS, NO_CLASS, None, path, rejected=Outcome.GONE, detail="wanted a JPEG of the same name beside it"
    )


def _read_sheet(sheet: Path) -> tuple[dict[str, str], str | None]:
    """The text of every element below the root, by name in lower case; what is wrong, if anything."""
    try:
        root = ElementTree.fromstring(sheet.read_bytes())
    except (ElementTree.ParseError, OSError, LookupError, ValueError) as problem:
        return {}, f"{sheet.name}: cannot be read as XML ({problem})"
    return {child.tag.lower(): child.text.strip() for child in root if child.text and child.text.strip()}, None


def _wanted(content: str) -> str:
    came = f"Received: {content!r}" if content else "There is none"
    return f"wanted a Content of {', '.join(CLASSES)}. {came}"
