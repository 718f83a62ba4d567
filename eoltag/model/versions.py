"""Versions as short digests, and names that may stand beside them in the name of a partition."""

import hashlib
import re
from typing import Final

DIGITS: Final = 12
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}(-[0-9]{1,2}.*)?")


def version_of(text: str) -> str:
    """First 12 hex digits of the sha256 of `text`; of a digest of that where they would read as a number."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    while reads_as_number(digest[:DIGITS]):
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return digest[:DIGITS]


def reads_as_number(version: str) -> bool:
    """Readers guess the type of a partition such as model_version=...: 1234e5678901 would come back as infinity."""
    try:
        float(re.sub(r"(?<=[0-9.])[dDfF]$", "", version))
    except ValueError:
        return False
    return True


def is_base_name(name: str) -> bool:
    """Whether a base may be called so: short, plain, and neither a number nor a date to who guesses its type."""
    return _NAME.fullmatch(name) is not None and not reads_as_number(name) and _DATE.fullmatch(name) is None
