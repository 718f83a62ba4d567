"""Hosts that are away for a while, and storms of refusals: no image is given up."""

from collections import Counter

from benchmarks.chaos.comparing import compare
from benchmarks.chaos.place import Place, ended, undisturbed
from benchmarks.chaos.told import Told
from tests.support.loopback import Loopback


def away(place: Place, server: Loopback, images: int, seconds: float) -> Told:
    """After a third of the images the host closes every connection without an answer, for so long."""
    server.outage = (len(server.requests) + images // 3, seconds)
    return _tagged(place, server, f"away: {seconds:.0f} s", "away")


def storm(place: Place, server: Loopback, images: int, seconds: float, share: float) -> Told:
    """After a third of the images so large a share of requests is answered by 429, for so long."""
    server.storm = (len(server.requests) + images // 3, seconds, share)
    return _tagged(place, server, f"429: {share:.0%}", "storm")


def _tagged(place: Place, server: Loopback, kind: str, output: str) -> Told:
    undisturbed(place, "fetching", place.tag("fetching", "one"))
    told, asked = Told(kind, blows=1), Counter(server.requests)
    try:
        ended(place, place.tag(output, "one"), told)
    finally:
        is_struck = server.is_struck
        server.outage = server.storm = None
    if not is_struck:
        told.wrongly("the run was over before the server failed")
    told.asked_again = sum(number - 1 for number in (Counter(server.requests) - asked).values())
    compare(place, "fetching", output, told)
    return told
