"""The registry of output kinds: what the numbers of a network mean. The card of a package names its kind.

A new kind is a file in this folder and an entry here. Training, `classify`, `serve` and the Spark job all read logits
through it.
"""

from typing import Final

from eoltag.model.outputs.classes import CLASSES
from eoltag.model.outputs.kind import OutputKind, Verdict
from eoltag.model.outputs.labels import LABELS

__all__ = ["OUTPUTS", "OutputKind", "Verdict"]

OUTPUTS: Final[dict[str, OutputKind]] = {"classes": CLASSES, "labels": LABELS}
"""Name -> kind, as `output_kind` of a card says it."""
