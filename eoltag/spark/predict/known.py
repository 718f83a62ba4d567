"""Contents that every model of a run has scored: told to workers, so that the same bytes are not scored again."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from eoltag.spark.predict.ladder import Wanted, names_by_content
from eoltag.spark.tables.output import Output

MOST: Final = 20_000_000
"""Contents that workers hold, 8 bytes each. Of more, those beyond may be scored twice and are stored once."""
_DIGITS: Final = 16
"""Hex digits of a hash that are looked at: two of a hundred million contents share them with a chance of 1 in 3,700."""


class ContentHashes:
    """A set of contents by the first 64 bits of their hashes."""

    def __init__(self, hashes: NDArray[np.uint64]) -> None:
        """hashes: ascending."""
        self._hashes = hashes

    def __contains__(self, content_sha256: object) -> bool:
        wanted = np.uint64(int(str(content_sha256)[:_DIGITS], 16))
        place = int(np.searchsorted(self._hashes, wanted))
        return place < len(self._hashes) and bool(self._hashes[place] == wanted)


def complete_contents(output: Output, wanted: Wanted) -> ContentHashes:
    """The contents that lack nothing that the run wants."""
    having = names_by_content(output, wanted)
    if having is None:
        return ContentHashes(np.empty(0, np.uint64))
    complete = having.where(F.size("having") == len(wanted.names)).limit(MOST)
    bits = complete.select(F.unhex(F.substring("s_content", 1, _DIGITS)).alias("bits")).toArrow()["bits"]
    raw = b"".join(value.as_py() for value in bits)
    return ContentHashes(np.sort(np.frombuffer(raw, ">u8").astype(np.uint64)))
