"""The text inside a bundle file: plain, gzipped or zipped, in any encoding. Told apart by content, and streamed."""

import codecs
import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from reprlib import Repr
from typing import IO, Final, Literal, TextIO, cast

from eoltag.errors import BundleError

Packing = Literal["plain", "gzip", "zip"]
LineEnd = Literal["\n", "\r"]

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""Lines are held one at a time; EOL's longest hold a description of some kilobytes."""

_CHUNK: Final = 1024 * 1024
HEAD_BYTES: Final = 4096
"""What is looked at to tell what a file is."""
FOR_PICTURES: Final = "for pictures on this machine see python -m train classify PACKAGE FOLDER --output DIR"
_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ZIP_MARKS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_GZIP_MARK: Final = b"\x1f\x8b"
PARQUET_MARK: Final = b"PAR1"
_EXCEL: Final = "an Excel workbook; save its sheet as CSV (UTF-8)"
_BINARY_MARKS: Final = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": _EXCEL,
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"GIF87a": "a GIF image",
    b"GIF89a": "a GIF image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    PARQUET_MARK: "a Parquet file, which is read as it is, not inside an archive",
}
_ARCHIVE: Final = "an archive inside an archive, which must be unpacked first"
_COMPRESSIONS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)

_WORKBOOK: Final = "[Content_Types].xml"
"""Every file of Office holds it."""

_UNREADABLE: Final = (
    OSError,  # also gzip's BadGzipFile and bzip2's bad data
    EOFError,
    IndexError,  # a zip that has fewer members than when it was opened
    ValueError,  # also text that no longer has the encoding it had
    OverflowError,
    RuntimeError,  # also zipfile's NotImplementedError
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)
"""What the readers below raise on files that are broken, or changed while they are read."""

_MARKUP: Final = re.compile(r"\s*<[a-z!?/]", re.IGNORECASE)
_SLASHES: Final = re.compile(r"[/\\]")
"""Of names in a zip; some programs for Windows write theirs."""
_SEPARATOR: Final = re.compile(r"sep=.?", re.IGNORECASE)
_SHORT: Final = Repr()
_SHORT.maxstring = 80


@dataclass(frozen=True, slots=True)
class Source:
    """The place of a text: a file, or a member of a zip. Holds no open file, so it can be read again and again."""

    path: Path
    origin: str
    packing: Packing
    member: str = ""
    """Name of the member of a zip; empty for a file."""
    place: int = 0
    """Position of the member in the zip's directory, since names may repeat."""
    line_end: LineEnd = "\n"
    """What ends its lines: CR in files of old Macs, and of Excel there, which hold no LF."""

    @property
    def label(self) -> str:
        """The name of the text in messages."""
        return f"{self.origin}, member {short(self.member)}" if self.member else self.origin

    @contextmanager
    def opened(self) -> Iterator[IO[bytes]]:
        """The content, unpacked while it is read. Raises BundleError where it cannot be."""
        try:
            if self.packing == "gzip":
                with gzip.open(self.path, "rb") as unpacked:
                    yield cast(IO[bytes], unpacked)
            elif self.packing == "zip":
                with zipfile.ZipFile(self.path) as archive, archive.open(archive.infolist()[self.place]) as member:
                    yield member
            else:
                with self.path.open("rb") as plain:
                    yield plain
        except _UNREADABLE as problem:
            raise unreadable(self.label, problem) from problem

    @contextmanager
    def lines(self, encoding: str) -> Iterator[TextIO]:
        """The text line by line, ended by `line_end` alone: U+0085, U+2028 and their like stay inside their line."""
        errors = "strict" if encoding in _STRICT else _AS_WINDOWS_1252
        with (
            self.opened() as stream,
            io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline=self.line_end) as text,
        ):
            yield text


def find_sources(path: Path, origin: str) -> tuple[list[Source], list[str]]:
    """The texts that a file holds, and a note for each member of a zip that was left out. Raises BundleError."""
    try:
        if not path.is_file():
            came = "a directory" if path.is_dir() else "no such file"
            raise BundleError(f"{origin}: wanted a list of image URLs; came {came}")
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        if head.startswith(_ZIP_MARKS):
            with zipfile.ZipFile(path) as archive:
                if _WORKBOOK in archive.namelist():
                    raise BundleError(f"{origin}: wanted a list of image URLs; came {_EXCEL}")
            return _members(path, origin)
    except _UNREADABLE as problem:
        raise unreadable(origin, problem) from problem
    return [Source(path, origin, "gzip" if head.startswith(_GZIP_MARK) else "plain")], []


def find_line_end(head: bytes) -> LineEnd:
    """CR where the beginning of a file holds CR and no LF. A lone CR elsewhere belongs to the value it stands in."""
    return "\r" if b"\r" in head and b"\n" not in head else "\n"


def find_encoding(source: Source) -> tuple[str, str | None]:
    """The encoding of the text, and a note where it is neither UTF-8 nor UTF-16 throughout.

    Reads all of it once, so that broken archives and binary content are known before a run starts. Raises BundleError.
    """
    with source.opened() as stream:
        head = stream.read(_CHUNK)
        kind = binary_kind(head[:HEAD_BYTES]) if head else "an empty file"
        if kind:
            hint = f"; {FOR_PICTURES}" if kind.endswith(" image") else ""
            raise BundleError(f"{source.label}: wanted a list of image URLs; came {kind}{hint}")
        chunks = _checked(chain([head], iter(partial(stream.read, _CHUNK), b"")), source.label)
        if head.startswith(_UTF16_MARKS):
            _require_utf16(chunks, source.label)
            return "utf-16", None
        alien = _first_alien(chunks)
        for _ in chunks:  # an archive's checksum comes last
            pass
    note = f"{alien} is not UTF-8; such bytes are read as Windows-1252" if alien else None
    return "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8", note


def unreadable(label: str, problem: BaseException) -> BundleError:
    """The error for a file that broke off or cannot be opened, in one line."""
    reason = (problem.strerror if isinstance(problem, OSError) else None) or str(problem) or type(problem).__name__
    return BundleError(f"{label}: cannot be read ({' '.join(reason.split())})")


def short(text: str) -> str:
    """The text quoted, in one line, cut in the middle where it is long."""
    return _SHORT.repr(text)


def trimmed(text: str) -> str:
    """The text without blanks at its ends, and without what nobody sees: marks of byte order, spaces of no width."""
    return text.strip().strip(_INVISIBLE).strip()


def _as_windows_1252(problem: UnicodeError) -> tuple[str, int]:
    """Bytes that are not UTF-8, each as Windows-1252 has it; latin1 has the few that it leaves out."""
    assert isinstance(problem, UnicodeDecodeError)
    alien = problem.object[problem.start : problem.end]
    return "".join(_WINDOWS_1252[byte] for byte in alien), problem.end


_WINDOWS_1252: Final = [
    bytes([byte]).decode("cp1252" if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "latin1") for byte in range(256)
]
_AS_WINDOWS_1252: Final = "eoltag.windows-1252"
codecs.register_error(_AS_WINDOWS_1252, _as_windows_1252)
_STRICT: Final = ("utf-16",)
"""Encodings of which no byte can be told from its neighbours."""
_INVISIBLE: Final = "\ufeff\u200b\u200c\u200d\u2060"


def is_markup(line: str) -> bool:
    """The line begins as a web page or XML does."""
    return _MARKUP.match(line) is not None


def from_first_entry(lines: Iterable[str]) -> tuple[int, Iterator[str]]:
    """The number of blank lines and comments at the beginning, Excel's `sep=;` too, and all lines after them."""
    remaining = iter(lines)
    for before, line in enumerate(remaining):
        text = line.strip()
        if text and text[0] != "#" and not _SEPARATOR.fullmatch(text):
            return before, chain([line], remaining)
    return 0, iter(())


def _members(path: Path, origin: str) -> tuple[list[Source], list[str]]:
    """The lists in a zip. Hidden files are passed over; images, other binaries and empty files are noted."""
    sources: list[Source] = []
    notes: list[str] = []
    with zipfile.ZipFile(path) as archive:
        for place, info in enumerate(archive.infolist()):
            folders = [folder for folder in _SLASHES.split(info.filename) if folder not in ("", ".", "..")]
            if info.is_dir() or folders[:1] == ["__MACOSX"] or any(folder.startswith(".") for folder in folders):
                continue
            source = Source(path, origin, "zip", info.filename, place)
            if info.flag_bits & 0x1:
                raise BundleError(f"{source.label}: wanted a list of image URLs; came an encrypted file")
            if info.compress_type not in _COMPRESSIONS:
                raise BundleError(
                    f"{source.label}: wanted deflate or bzip2; came compression method {info.compress_type}"
                )
            with archive.open(info) as member:
                head = member.read(HEAD_BYTES)
            kind = binary_kind(head) if head else "an empty file"
            if kind is None or kind == _ARCHIVE:
                sources.append(source)
            else:
                notes.append(f"member {short(info.filename)} was left out, being {kind}")
    if not sources:
        came = f"; {notes[0]}" if notes else ""
        raise BundleError(f"{origin}: wanted a zip with a list of image URLs in it; came one without{came}")
    return sources, notes


def _checked(chunks: Iterable[bytes], label: str) -> Iterator[bytes]:
    """The chunks, checked on the way to be lines of text. Raises BundleError."""
    is_utf16 = False
    open_line = lines = 0
    for place, chunk in enumerate(chunks):
        is_utf16 = is_utf16 or (place == 0 and chunk.startswith(_UTF16_MARKS))
        if b"\0" in chunk and not is_utf16:
            raise BundleError(f"{label}: wanted a list of image URLs; came {_binary(chunk, lines)}")
        lines += chunk.count(b"\n")
        last_end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        open_line = open_line + len(chunk) if last_end < 0 else len(chunk) - last_end - 1
        if open_line > MAX_LINE_BYTES:
            raise BundleError(f"{label}: wanted lines of text; came one of over {MAX_LINE_BYTES:,} bytes")
        yield chunk


def _first_alien(chunks: Iterator[bytes]) -> str | None:
    """The first byte that is not UTF-8, if any, and its line."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines_before = 0
    for chunk in chain(chunks, [b""]):
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as problem:  # its object may begin with the last bytes of the chunk before
            line = lines_before + problem.object.count(b"\n", 0, problem.start) + 1
            return f"byte 0x{problem.object[problem.start]:02X} in line {line}"
        lines_before += chunk.count(b"\n")
    return None


def _require_utf16(chunks: Iterator[bytes], label: str) -> None:
    decoder = codecs.getincrementaldecoder("utf-16")()
    for chunk in chain(chunks, [b""]):
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as problem:
            raise BundleError(f"{label}: begins with the mark of UTF-16, but is not ({problem.reason})") from problem
        if "\0" in text:
            raise BundleError(f"{label}: wanted a list of image URLs; came binary content (it holds a NUL)")


def binary_kind(head: bytes) -> str | None:
    """The kind of content that begins with these bytes; None for text."""
    if head.startswith((*_ZIP_MARKS, _GZIP_MARK)):
        return _ARCHIVE
    for mark, kind in _BINARY_MARKS.items():
        if head.startswith(mark):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "a WEBP image"
    if b"\0" in head and not head.startswith(_UTF16_MARKS):
        return "an image" if head.startswith(b"BM") or head[4:8] == b"ftyp" else _binary(head, 0)
    return None


def _binary(chunk: bytes, lines_before: int) -> str:
    line = lines_before + chunk[: chunk.index(b"\0")].count(b"\n") + 1
    return f"binary content (it holds a NUL in line {line})"
