"""A model package: a directory with a card, the Keras model and its OpenVINO export. Read, verify, pack."""

import hashlib
import json
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from reprlib import Repr
from typing import Final

from eoltag.errors import PackageError
from eoltag.model.attempts import CARD_FILE, find_package
from eoltag.model.card import (
    CARD_VERSION,
    FILES_OF,
    INT8_FILES,
    KERAS_FILE,
    OPENVINO_FILES,
    Card,
    EngineName,
    Part,
    PrecisionChoice,
    model_version,
)
from eoltag.settings import parse

__all__ = ["Card", "Package", "read_package"]

_PICKLES: Final = (".pkl", ".pickle", ".dill", ".joblib", ".pt", ".pth", ".npy")
_SHORT: Final = Repr()


@dataclass(frozen=True, slots=True)
class Package:
    """A verified package on disk."""

    path: Path
    card: Card
    version: str
    """12 hex digits; see model_version."""
    origin: str = ""
    """Where `path` is a copy of; empty: it is none."""

    @property
    def place(self) -> str:
        """Where it lies, for people."""
        return self.origin or str(self.path)

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """Engines that can run the whole model, fastest first; none where there is a head alone."""
        return self.card.engines_for("whole")

    @property
    def fastest_engine(self) -> EngineName:
        """The first of them. Raises PackageError where there is a head alone."""
        if self.is_head_only:
            self.files_for("openvino")
        return self.engines[0]

    @property
    def has_base(self) -> bool:
        """Base and head are there beside the whole model, for every engine that runs that."""
        parts = [set(self.card.engines_for(part)) for part in ("base", "head")]
        return bool(self.card.base_version and self.engines) and all(set(self.engines) <= part for part in parts)

    @property
    def is_head_only(self) -> bool:
        """There is nothing but a head, for features of a base that lies elsewhere: it takes no pictures."""
        return not self.engines

    def files_for(
        self, engine: EngineName, precision: PrecisionChoice = "f32", part: Part = "whole"
    ) -> tuple[str, ...]:
        """The names of the files that `engine` may need to run that part at `precision`, the fall-back to f32 included.

        Base and head are there in f32 alone. Raises PackageError where the package lacks a file, or its card does not
        prove that precision.
        """
        names = FILES_OF[part][engine]
        missing = [name for name in names if name not in self.card.files]
        if missing and part == "whole" and self.is_head_only:
            raise PackageError(
                f"{self.path}: has a head alone, for stored features of the base '{self.card.base_version}'; "
                "wanted a package with a whole model, since pictures are to be scored"
            )
        if missing:
            raise PackageError(f"{self.path}: engine '{engine}' needs {', '.join(missing)}, which this package lacks")
        proven = self.card.precision.proven(engine) if part == "whole" else ("f32",)
        if precision not in ("auto", *proven):
            raise PackageError(
                f"{self.path}: the card does not prove engine '{engine}' at {precision} (proven: {', '.join(proven)}); "
                "`python -m train export` measures it, precision 'auto' takes what is proven"
            )
        return (*names, *INT8_FILES) if precision in ("auto", "int8") and "int8" in proven else names

    def pack(self, engine: EngineName, precision: PrecisionChoice = "f32", part: Part = "whole") -> bytes:
        """The card and what `engine` may need of that part at `precision`, as one zip for the broadcast.

        Raises PackageError, see files_for.
        """
        names = self.files_for(engine, precision, part)
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo(CARD_FILE), self.card.model_dump_json())
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), self._read(name))
        return buffer.getvalue()

    def _read(self, name: str) -> bytes:
        """A file's content, checked once more: it may have been replaced since the package was read."""
        try:
            content = (self.path / name).read_bytes()
        except OSError as problem:
            raise PackageError(f"{self.path / name}: cannot be read ({problem.strerror})") from problem
        _check_digest(self.path / name, self.card.files[name], hashlib.sha256(content).hexdigest())
        return content


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A package in memory, on a worker."""

    card: Card
    files: dict[str, bytes]


def unpack(packed: bytes) -> Unpacked:
    """The inverse of Package.pack."""
    with zipfile.ZipFile(BytesIO(packed)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    card = Card.model_validate(json.loads(files.pop(CARD_FILE)))
    return Unpacked(card, files)


def read_package(path: Path) -> Package:
    """The package at `path`, every file checked against its sha256. Raises PackageError.

    A folder of attempts means the chosen one. A package that is written to meanwhile is read once more: what it was
    before or what it is then, not a mixture.
    """
    path = find_package(path)
    while True:
        text = _card_text(path)
        try:
            return _read_package(path, text)
        except PackageError:
            if text == _card_text(path):
                raise


def _card_text(path: Path) -> str:
    card_path = path / CARD_FILE
    if not card_path.is_file():
        raise PackageError(f"{path}: not a model package (wanted a directory with {CARD_FILE})")
    try:
        return card_path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise PackageError(f"{card_path}: cannot be read ({problem})") from problem


def _read_package(path: Path, text: str) -> Package:
    card_path = path / CARD_FILE
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as problem:  # also numbers of thousands of digits, and deep nesting
        raise PackageError(f"{card_path}: cannot be read ({problem})") from problem
    if not isinstance(content, dict) or content.get("card_version") != CARD_VERSION:
        received = content.get("card_version") if isinstance(content, dict) else content
        raise PackageError(f"{card_path}: wanted card_version {CARD_VERSION}. Received: {_SHORT.repr(received)}")
    card = parse(Card, content, str(card_path), PackageError)
    try:
        card.model_dump(mode="json")  # as it travels to workers
    except ValueError as problem:
        raise PackageError(f"{card_path}: cannot be written again, being nested too deeply ({problem})") from problem
    _verify(path, card)
    return Package(path, card, model_version(card))


def write_card(path: Path, card: Card, unlisted: Collection[str] = ()) -> Package:
    """Write card.json with the sha256 of every file that lies in the package directory now, and read it back.

    unlisted: files that may change after this; leftovers that end in .tmp are never listed.
    """
    names = sorted(str(file.relative_to(path).as_posix()) for file in path.rglob("*") if file.is_file())
    files = {
        name: _sha256(path / name)
        for name in names
        if name != CARD_FILE and name not in unlisted and not name.endswith(".tmp")
    }
    complete = card.model_copy(update={"files": files})
    staged = path / f"{CARD_FILE}.tmp"
    staged.write_text(json.dumps(complete.model_dump(mode="json"), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    staged.replace(path / CARD_FILE)
    return read_package(path)


def write_beside(package: Package, card: Card, name: str, text: str) -> Package:
    """A new card and a new text for one file that no engine reads. Whenever it is cut short, the package can be read.

    A card that knows nothing of the file lies there while the file changes.
    """
    write_card(package.path, card, unlisted=(name,))
    staged = package.path / f"{name}.tmp"
    staged.write_text(text, encoding="utf-8")
    staged.replace(package.path / name)
    return write_card(package.path, card)


def _verify(path: Path, card: Card) -> None:
    if not card.engines_for("whole") and not card.base_version:
        raise PackageError(f"{path}: holds neither {KERAS_FILE} nor {OPENVINO_FILES[0]}")
    if card.precision.int8 and not all(name in card.files for name in INT8_FILES):
        raise PackageError(f"{path}: the card says that int8 is proven, but {INT8_FILES[0]} is not among its files")
    if card.base_version:
        _verify_parts(path, card)
    for name, wanted in card.files.items():
        file = path / name
        if name.lower().endswith(_PICKLES):
            raise PackageError(f"{file}: pickled files are refused, since loading one runs its code")
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise PackageError(f"{path}: card lists {name!r}, which lies outside the package")
        if not file.is_file():
            raise PackageError(f"{file}: missing, though the card lists it")
        _check_digest(file, wanted, _sha256(file))


def _verify_parts(path: Path, card: Card) -> None:
    """Whoever runs the whole model runs its base and head as well; without a whole one there is a head at least."""
    whole = card.engines_for("whole")
    parts: tuple[Part, ...] = ("base", "head")
    lacking = [FILES_OF[part][engine][0] for part in parts for engine in whole if engine not in card.engines_for(part)]
    if not whole and not card.engines_for("head"):
        lacking = [FILES_OF["head"]["openvino"][0]]
    if lacking:
        raise PackageError(
            f"{path}: the card names base '{card.base_version}', and {lacking[0]} is not among its files"
        )


def _check_digest(file: Path, wanted: str, came: str) -> None:
    if came != wanted:
        raise PackageError(f"{file}: changed since the card was written (wanted sha256 {wanted}, came {came})")


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as problem:
        raise PackageError(f"{file}: cannot be read ({problem.strerror})") from problem
