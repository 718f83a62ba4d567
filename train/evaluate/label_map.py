"""Labels put together for an evaluation: five ratings as bad and good, say, by `1=bad,2=bad,3=,4=good,5=good`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from scipy.special import logsumexp

from eoltag.errors import DataError
from eoltag.records import Scores
from train.records import LabelledImage


@dataclass(frozen=True, slots=True)
class LabelMap:
    """Which of a model's labels count as which; a label without a name of its own is left out."""

    names: dict[str, str]
    """Every label of the model -> its name here; empty where it is left out."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names, in the order in which the model's labels first give them."""
        return tuple(dict.fromkeys(name for name in self.names.values() if name))

    @property
    def known(self) -> tuple[str, ...]:
        """What folders may be called: the model's labels, and the names."""
        return tuple(dict.fromkeys(chain(self.names, self.labels)))

    def image(self, image: LabelledImage) -> LabelledImage | None:
        """The image under its name; None where its label is left out."""
        name = self.names.get(image.label, image.label)
        if not name:
            return None
        return LabelledImage(image.path, image.shown, name, image.split, image.row)

    def logits(self, logits: Scores, temperature: float) -> Scores:
        """(N, names) from (N, C): the probability of a name is the sum of those of its labels."""
        given = np.array([self.labels.index(name) if name else -1 for name in self.names.values()])
        columns = [
            temperature * logsumexp(logits[:, given == at] / temperature, axis=1) for at in range(len(self.labels))
        ]
        merged: Scores = np.stack(columns, axis=1).astype(np.float32)
        return merged


def read_label_map(text: str | None, labels: Sequence[str]) -> LabelMap | None:
    """The map of LABEL=NAME,...; labels that it does not name keep their own. Raises DataError."""
    if text is None:
        return None
    names = {label: label for label in labels}
    for part in text.split(","):
        label, sign, name = (piece.strip() for piece in part.partition("="))
        if not sign or label not in names:
            raise DataError(
                f"--map: wanted LABEL=NAME, a label of the package ({', '.join(labels)}) in front. Received: {part!r}"
            )
        names[label] = name
    found = LabelMap(names)
    if len(found.labels) < 2:
        raise DataError(f"--map: two names or more are wanted. Received: {', '.join(found.labels) or 'none'}")
    return found
