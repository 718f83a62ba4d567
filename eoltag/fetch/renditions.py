"""Smaller copies that a server keeps beside its images: `1.542.jpg` has `1.542.580x360.jpg` on EOL's."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_SIZED: Final = re.compile(r"\.\d+x\d+$")


def rendition_of(url: str, suffixes: Mapping[str, str]) -> str | None:
    """The URL of the smaller copy of an image; None where its host has none, or the URL names a smaller copy already.

    suffixes: host -> what stands before the file ending, such as `.580x360`.
    """
    if not suffixes:
        return None
    parts = urlsplit(url)
    suffix = suffixes.get(parts.hostname or "")
    folder, slash, name = parts.path.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if not suffix or not stem or not ending or _SIZED.search(stem):
        return None
    return urlunsplit(parts._replace(path=f"{folder}{slash}{stem}{suffix}{dot}{ending}"))
