"""Species that do not exist."""

from typing import Final

from train.samples.brush import Rng, pick

_STARTS: Final = "Ab Ac Bra Ca Cory Den Dra Er Eu Gal Hel Lep Lin Mel Myr Phal Pol Quer Ran Sal Sten Tri Vi Xan Zy"
_MIDDLES: Final = "a an co di e lo ma mi no o pho ri ro sti ta the ti to"
_ENDS: Final = "ca cia dia dra ella ium lis lum mys na nus ops phora ptera ra rus sia thes tis tum us"
_EPITHETS: Final = "alba alpina minor major rubra sylvatica vulgaris palustris lutea nigra parva repens montana"


def genus(rng: Rng) -> str:
    """A made-up genus."""
    return pick(rng, _STARTS.split()) + pick(rng, _MIDDLES.split()) + pick(rng, _ENDS.split())


def binomial(rng: Rng) -> str:
    """A made-up species name."""
    return f"{genus(rng)} {pick(rng, _EPITHETS.split())}"
