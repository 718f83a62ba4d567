"""Ten pictures in one bundle that end, hang or exhaust whoever decodes them: ten rows, and all others are whole."""

from typing import Final

from benchmarks.chaos.comparing import Row, compare, rows_of
from benchmarks.chaos.place import LIST, Place, ended, undisturbed
from benchmarks.chaos.told import Told
from eoltag.records import Outcome
from tests.support import deadly
from tests.support.bombs import BOMBS
from tests.support.loopback import Loopback
from tests.support.paths import ROOT

KINDS: Final = ("segfault", "kill", "hang", "stop", "segfault", "kill")
"""What they do to their decoder, by tests.support.deadly."""
_SHEETS: Final = {"scored-segfault": deadly.segfault, "scored-memory": deadly.exhaust}
"""These are decoded well."""
_BOMBS: Final = ("a PNG of one column", "a TIFF of 3,000,000 strips")
_CONF: Final = ("spark.python.daemon.module=tests.support.deadly", f"spark.executorEnv.PYTHONPATH={ROOT}")
_SECONDS: Final = 120.0
"""For each of them, at most."""


def killers(place: Place, server: Loopback, requests_per_s: float) -> Told:
    """One run over all pictures and ten more."""
    undisturbed(place, "fetching", place.tag("fetching", "one"))
    assert server.root is not None
    files = {f"{number}-{kind}": deadly.picture((server.root / "0.png").read_bytes(), kind)
             for number, kind in enumerate(KINDS)}  # fmt: skip
    files |= {name: deadly.sheet(kind) for name, kind in _SHEETS.items()}
    files |= {f"bomb-{number}": BOMBS[name]() for number, name in enumerate(_BOMBS)}
    for name, data in files.items():
        (server.root / f"killer-{name}").write_bytes(data)
    urls = [server.url(f"/files/killer-{name}") for name in files]
    (place.folder / "killers").mkdir()
    (place.folder / "killers" / LIST).write_text((place.folder / LIST).read_text() + "\n".join(urls) + "\n")
    place.write_settings("killers", requests_per_s, "[decode]\ntimeout_s = 1.0\n")
    told = Told("killers", blows=len(files))
    ended(place, place.tag("killers", "one", settings="killers", urls=f"killers/{LIST}", conf=_CONF), told)

    def is_killer(row: Row) -> bool:
        return any("/killer-" in str(value) for value in row)

    compare(place, "fetching", "killers", told, is_killer)
    found = [row for row in rows_of(place.output("killers"), "images") if is_killer(row)]
    outcomes = sorted(row[2] for row in found if row[2] != Outcome.OK)  # read, and then not to be scored
    wanted = sorted([*[str(Outcome.UNDECODABLE)] * (len(files) - 1), str(Outcome.TOO_MANY_PIXELS)])
    if outcomes != wanted:
        told.wrongly(f"outcomes {outcomes}")
    return told
