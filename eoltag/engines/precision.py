"""Which arithmetic a worker takes: what the card proves, and what this machine's processor has instructions for."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from eoltag.package import Card, EngineName, PrecisionChoice, PrecisionName

CPU_INFO: Final = Path("/proc/cpuinfo")
BF16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16"})
"""Without one of these bfloat16 is imitated: slower than f32."""
INT8_FLAGS: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
"""Without one of these int8 sums may overflow 16 bits: other scores than at export, and little speed is won."""


def cpu_precisions(info: Path = CPU_INFO) -> frozenset[PrecisionName]:
    """What this machine's processor computes natively; f32 alone where that cannot be told (not Linux, not x86).

    info: a file of the form of /proc/cpuinfo.
    """
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset({"f32"})
    flags = next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
    found: set[PrecisionName] = {"f32"}
    if flags & BF16_FLAGS:
        found.add("bf16")
    if flags & INT8_FLAGS:
        found.add("int8")
    return frozenset(found)


def choose_precision(
    card: Card, engine: EngineName, wanted: PrecisionChoice, native: Collection[PrecisionName]
) -> PrecisionName:
    """The precision for a model on this machine: proven by its card, native here, and wanted; else f32.

    native: what the machine computes natively; see cpu_precisions.
    """
    for precision in card.precision.proven(engine):
        if precision in native and wanted in ("auto", precision):
            return precision
    return "f32"
