"""Names of bundles: ranges such as {01..31} spelled out, names after files, download lists and their breakdowns."""

import hashlib
import re
from itertools import product
from math import prod
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote

from eoltag.bundle.formats.text import short
from eoltag.errors import BundleError

MAX_EXPANDED: Final = 100_000

_RANGE: Final = re.compile(r"\{([0-9]+)\.\.([0-9]+)\}")
_MAX_DIGITS: Final = 18
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SUFFIXES: Final = ((".gz", ".zip"), (".txt", ".tsv", ".csv", ".parquet", ".jsonl", ".ndjson", ".json"))
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]")
_MAX_NAME: Final = 200
"""Leaves room for a suffix in the 255 bytes that file systems allow."""


def expand_ranges(text: str) -> list[str]:
    """`x_{01..31}` as 31 texts, zeros kept as the shell keeps them; several ranges multiply, the last varies fastest.

    Raises BundleError for a range that runs backwards, or more than MAX_EXPANDED texts.
    """
    literals = _RANGE.split(text)[::3]
    ranges = [_numbers(found, text) for found in _RANGE.finditer(text)]
    count = prod(len(numbers) for numbers, _ in ranges)
    if count > MAX_EXPANDED:
        raise BundleError(f"{text}: wanted at most {MAX_EXPANDED:,} names; came ranges for {count:,}")
    spelled = [[f"{number:0{width}d}" for number in numbers] for numbers, width in ranges]
    return [
        literals[0] + "".join(part for pair in zip(combination, literals[1:], strict=True) for part in pair)
        for combination in product(*spelled)
    ]


def bundle_name(origin: str) -> str:
    """The last part of a path or URL, safe as a file name; without .gz or .zip, and then without .txt or its like.

    A name that has to be changed ends in a digest of what it was, so that two names are never made one.
    """
    path = origin
    if scheme := _SCHEME.match(origin):
        path = unquote(re.split(r"[?#]", origin[scheme.end() :], maxsplit=1)[0])
    name = path.rstrip("/").rpartition("/")[2]
    for suffixes in _SUFFIXES:
        for suffix in suffixes:
            if name.lower().endswith(suffix):
                name = name[: -len(suffix)]
                break
    name = normalize("NFC", name)
    safe = _NOT_IN_NAMES.sub("_", name)
    if safe != name or len(safe) > _MAX_NAME or not safe.strip("."):
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        safe = f"{safe.strip('._')[:_MAX_NAME] or 'bundle'}-{digest[:8]}"
    return safe


def sibling_of(name: str) -> str | None:
    """The breakdown with the same rows in the same order, for the name of a download list; else None."""
    sibling = name.replace("_breakdown_download_", "_breakdown_")
    return sibling if sibling != name else None


def _numbers(found: re.Match[str], text: str) -> tuple[range, int]:
    """The numbers of one {first..last}, and the digits they are padded to."""
    first, last = found.groups()
    if max(len(first), len(last)) > _MAX_DIGITS:
        raise BundleError(f"{short(text)}: wanted a range of numbers of up to {_MAX_DIGITS} digits")
    if int(first) > int(last):
        raise BundleError(f"{text}: wanted a range that runs upwards; came {found.group()}")
    is_padded = any(end.startswith("0") and len(end) > 1 for end in (first, last))
    return range(int(first), int(last) + 1), max(len(first), len(last)) if is_padded else 0
