"""Licences by the short codes of Creative Commons, however a service writes them."""

import re
from typing import Final

from eoltag.errors import DataError

CODES: Final = ("cc0", "pdm", "by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd")
"""pdm: the public domain mark, and whatever a service calls public domain."""

_BY: Final = re.compile(r"(?:^|licenses/|cc-)(by(?:-nc)?(?:-(?:sa|nd))?)(?=$|/|-\d)")
_PUBLIC_DOMAIN: Final = frozenset({"pd", "pdm", "public-domain", "publicdomain", "cc-pd"})


def parse_licences(text: str) -> frozenset[str]:
    """Codes from a comma list as a user writes it: `cc0,by` or `CC0, CC-BY`. Raises DataError."""
    codes = set()
    for name in (name.strip() for name in text.split(",")):
        code = licence_code(name)
        if code is None:
            raise DataError(f"--licenses: unknown licence {name!r}; known: {', '.join(CODES)}")
        codes.add(code)
    return frozenset(codes)


def licence_code(text: str | None) -> str | None:
    """The code of a name or URL such as `CC BY-SA 4.0`, CC_BY_4_0, .../licenses/by-nc/4.0/; None where it is none."""
    name = re.sub(r"[\s_]+", "-", (text or "").strip().lower())
    if "publicdomain/zero" in name or re.match(r"cc-?(0|zero)(?![a-z])", name):
        return "cc0"
    if "publicdomain/mark" in name or "licenses/publicdomain" in name or name in _PUBLIC_DOMAIN:
        return "pdm"
    found = _BY.search(name)
    return found[1] if found else None
