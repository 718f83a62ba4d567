"""Staging: the files that --bundle names become local Parquet files of rows, streamed, so that memory stays small."""

import glob
import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from eoltag.bundle.formats.content import Tally
from eoltag.bundle.formats.text import FOR_PICTURES, HEAD_BYTES, binary_kind, short
from eoltag.bundle.lists import Bundle, is_part_folder, open_bundles
from eoltag.bundle.names import bundle_name, expand_ranges, sibling_of
from eoltag.bundle.taking import EVERYTHING, Taking
from eoltag.errors import BundleError, did_you_mean
from eoltag.fetch.download import download
from eoltag.fetch.urls import is_usable, without_userinfo
from eoltag.records import ImageRef
from eoltag.settings import FetchSettings

ROWS: Final = pa.schema(
    [
        pa.field("eolMediaURL", pa.string()),
        pa.field("identifier", pa.string()),
        pa.field("dataObjectVersionID", pa.string()),
        pa.field("ancestry", pa.string()),
        pa.field("bundle_row", pa.int64(), nullable=False),
        pa.field("is_usable", pa.bool_(), nullable=False),
    ]
)
"""Of the staged files; the folder names the bundle. is_usable: the row holds an http or https URL."""

PART: Final = "part-0.parquet"
"""The one file of a staged bundle."""

MOST_HOSTS: Final = 50
"""A list of more hosts than this is hardly held up by the rate of one."""

_CHUNK_ROWS: Final = 20_000
_HOST: Final = re.compile(r"\s*[A-Za-z]+://(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]*)")


@dataclass(slots=True)
class Staged:
    """The staged rows of a run, and what was counted on the way."""

    folder: Path
    """Holds a file for every bundle (schema ROWS), in the order of its rows."""
    bundles: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    """Bundle -> sha256 of its file."""
    rows: int = 0
    bad_rows: int = 0
    """Rows without a usable URL."""
    hosts: set[str] = field(default_factory=set)
    """The hosts of the URLs, in lower case, without port; MOST_HOSTS and one at most."""
    skipped_lines: int = 0
    notes: list[str] = field(default_factory=list)
    further: list[str] = field(default_factory=list)
    """Further columns of the files, after those of ROWS."""

    def path(self, bundle: str) -> Path:
        """The file of a bundle."""
        return self.folder / f"bundle={bundle}" / PART


def is_remote(origin: str) -> bool:
    """A file system that only Spark can read: s3a://, hdfs://, ...; not http(s), file or a plain path."""
    return "://" in origin and urlsplit(origin).scheme not in ("http", "https", "file")


def local_files(
    arguments: list[str],
    folder: Path,
    settings: FetchSettings,
    fetch_remote: Callable[[str, Path], list[tuple[str, Path]]] | None,
) -> list[tuple[str, Path]]:
    """(what the user named, local file) of every bundle file, downloaded into `folder` where it is not local.

    fetch_remote: copies whatever a remote path or glob names into a folder; None refuses remote paths.
    Raises BundleError.
    """
    found: dict[str, Path] = {}
    for origin in (item for argument in arguments for item in expand_ranges(argument)):
        if is_remote(origin):
            if fetch_remote is None:
                raise BundleError(f"{origin}: this kind of address is read by Spark only")
            found |= dict(fetch_remote(origin, folder))
        elif urlsplit(origin).scheme in ("http", "https"):
            if origin != (clean := without_userinfo(origin)):
                raise BundleError(f"{clean}: wanted a URL without user name and password; came one with them")
            target = folder / f"download-{len(found)}"
            download(origin, target, settings)
            found[origin] = target
        else:
            found |= {str(path): path for path in _local(origin.removeprefix("file://"))}
    return list(found.items())


def stage(
    files: list[tuple[str, Path]],
    folder: Path,
    taking: Taking = EVERYTHING,
    further: Sequence[str] = (),
    optional: Collection[str] = frozenset(),
) -> Staged:
    """Write every row of all bundles to Parquet files in a new folder. Raises BundleError, also where there is no row.

    further: columns to keep beside those of ROWS; a bundle may lack one, but not all of them, except of those that are
    `optional` (in lower case).
    """
    staged = Staged(folder, further=list({name.lower(): name for name in reversed(further)}.values())[::-1])
    bundles = _named([bundle for origin, path in files for bundle in open_bundles(path, origin, taking.url_column)])
    staged.notes += [note for name in staged.further if (note := _missing(name, bundles, optional))]
    for name, bundle in bundles:
        if taking.limit is not None and staged.rows >= taking.limit:
            break
        staged.bundles.append(name)
        staged.notes += [f"{bundle.origin}: {note}" for note in bundle.notes]
        _stage_bundle(staged, name, bundle, taking)
    if not staged.rows:
        raise BundleError(f"wanted rows from {taking.first_row:,} on; came bundles that have fewer each")
    return staged


def _stage_bundle(staged: Staged, name: str, bundle: Bundle, taking: Taking) -> None:
    path, tally = staged.path(name), Tally()
    path.parent.mkdir(parents=True)
    schema = pa.schema([*ROWS, *[pa.field(column, pa.string()) for column in staged.further]])
    left = None if taking.limit is None else taking.limit - staged.rows
    rows = islice(map(without_passwords, taking.of(bundle.rows(tally, staged.further))), left)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while chunk := list(islice(rows, _CHUNK_ROWS)):
            table = _table(chunk, schema)
            writer.write_table(table)
            staged.rows += len(chunk)
            staged.bad_rows += len(chunk) - pc.sum(table["is_usable"]).as_py()
            _add_hosts(staged.hosts, chunk)
    if taking.limit is None or staged.rows < taking.limit:
        staged.skipped_lines += tally.skipped
    with path.open("rb") as file:
        staged.digests[name] = hashlib.file_digest(file, "sha256").hexdigest()


def for_the_record(arguments: list[str]) -> list[str]:
    """What --bundle named, as it may be written down: an address of an object store may hold a key."""
    return [without_userinfo(argument) for argument in arguments]


def without_passwords(row: ImageRef) -> ImageRef:
    """The row as it is worked on and written: no user name and no password stands in its URL and its identifier."""
    if "@" not in (row.url or "") and "@" not in (row.identifier or ""):
        return row
    url, identifier = (None if text is None else without_userinfo(text) for text in (row.url, row.identifier))
    return row._replace(url=url, identifier=identifier)


def _local(text: str) -> list[Path]:
    """The files and folders of part files that a path, directory or glob names, sorted."""
    path = Path(text)
    if is_part_folder(path):
        return [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        if not files:
            raise BundleError(f"{text}: {_why_empty(path)}")
        return files
    if path.exists():
        return [path]
    found = map(Path, glob.glob(text))  # noqa: PTH207  text may be absolute
    files = sorted(match for match in found if match.is_file() or is_part_folder(match))
    if not files:
        raise BundleError(f"{text}: no such bundle (wanted a file, directory, glob or URL)")
    return files


def _why_empty(folder: Path) -> str:
    """What is said of a directory without files."""
    wanted = "wanted bundle files in it"
    below = next((path for path in folder.rglob("*") if path.is_file() and path.name[0] != "."), None)
    if below is None:
        return f"an empty directory; {wanted}"
    with below.open("rb") as stream:
        if (binary_kind(stream.read(HEAD_BYTES)) or "").endswith(" image"):
            return f"{wanted}; came folders of pictures; {FOR_PICTURES}"
    return f"{wanted}; came only folders, such as {below.parent}; name those that hold lists"


def _named(bundles: list[Bundle]) -> list[tuple[str, Bundle]]:
    """A name for each bundle, its own unless two share it: then the folder's name goes in front, then a number."""
    taken: dict[str, Bundle] = {}
    for bundle in bundles:
        name, number = bundle.name, 1
        if name in taken:
            name = f"{bundle_name(str(Path(bundle.origin).parent))}_{bundle.name}"
        while name in taken:
            number += 1
            name = f"{bundle.name}_{number}"
        taken[name] = bundle
    return list(taken.items())


def _missing(column: str, bundles: list[tuple[str, Bundle]], optional: Collection[str]) -> str | None:
    """A note on the bundles that lack a column; a download list takes it from its breakdown. Raises BundleError."""
    having = {name for name, bundle in bundles if bundle.has_column(column)}
    if not having and column.lower() not in optional:
        fullest = max((bundle for _, bundle in bundles), key=lambda bundle: len(bundle.columns))
        among = f", nor has any other of the {len(bundles)} bundles" if len(bundles) > 1 else ""
        raise BundleError(
            f"{fullest.origin}: wanted the column {short(column)}, which --keep or a task's bundle_columns name; "
            f"came {fullest.listed_columns}{among}{did_you_mean(column, fullest.all_columns)}"
        )
    lacking = [bundle.origin for name, bundle in bundles if name not in having and sibling_of(name) not in having]
    if not lacking:
        return None
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return f"no column {short(column)} in {lacking[0]}{more}: its value is NULL there"


def _add_hosts(hosts: set[str], rows: list[ImageRef]) -> None:
    for row in rows:
        if len(hosts) > MOST_HOSTS:
            return
        if row.url and (found := _HOST.match(row.url)):
            hosts.add(found.group(1).lower())


def _table(rows: list[ImageRef], schema: pa.Schema) -> pa.Table:
    further = schema.names[len(ROWS) :]
    return pa.table(
        {
            "eolMediaURL": [row.url for row in rows],
            "identifier": [row.identifier for row in rows],
            "dataObjectVersionID": [row.data_object_version_id for row in rows],
            "ancestry": [row.ancestry for row in rows],
            "bundle_row": [row.bundle_row for row in rows],
            "is_usable": [is_usable(row.url) for row in rows],
            **{name: [row.further[place] for row in rows] for place, name in enumerate(further)},
        },
        schema=schema,
    )
