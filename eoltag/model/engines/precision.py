"""Which arithmetic a worker takes: what the card proves, and what this machine's processor has instructions for."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from eoltag.model.card import EngineName, PrecisionChoice, PrecisionName
from eoltag.model.package import Card

CPU_INFO: Final = Path("/proc/cpuinfo")
BF16_FLAGS: Final = frozenset({"avx512_bf16", "amx_bf16"})
"""Without one of these bfloat16 is imitated: slower than f32."""
AMX_BF16: Final = "amx_bf16"
INT8_FLAGS: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
"""Without one of these int8 sums may overflow 16 bits: other scores than at export, and little speed is won."""


def cpu_precisions(info: Path = CPU_INFO) -> frozenset[PrecisionName]:
    """The precisions that this processor computes natively; f32 alone where that cannot be told (not Linux, not x86).

    info: a file of the form of /proc/cpuinfo.
    """
    flags = _flags(info)
    found: set[PrecisionName] = {"f32"}
    if flags & BF16_FLAGS:
        found.add("bf16")
    if flags & INT8_FLAGS:
        found.add("int8")
    return frozenset(found)


def faster_precisions(info: Path = CPU_INFO) -> frozenset[PrecisionName]:
    """The precisions of cpu_precisions that are faster than f32: bf16 only with AMX.

    With AVX512_BF16 alone it was no faster for MobileNetV2 alpha 0.35 (2.7 ms of CPU an image either way) and slower
    for MobileNet alpha 0.75 (9.6 ms against 6.9), on a Xeon of 2023 whose AMX was hidden by its hypervisor.
    """
    native = cpu_precisions(info)
    return native if AMX_BF16 in _flags(info) else native - {"bf16"}


def choose_precision(
    card: Card, engine: EngineName, wanted: PrecisionChoice, offered: Collection[PrecisionName]
) -> PrecisionName:
    """The precision for a model on this machine: proven by its card, offered here, and wanted; else f32.

    offered: what the machine computes natively, and for `auto` only what is faster than f32 there.
    """
    for precision in card.precision.proven(engine):
        if precision in offered and wanted in ("auto", precision):
            return precision
    return "f32"


def _flags(info: Path) -> set[str]:
    """The x86 processor's abilities by the kernel's names; none where they cannot be told."""
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
