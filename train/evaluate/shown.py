"""Which labels an image shows, by a package whose labels are each yes or no by itself: for `classify` and `serve`."""

import numpy as np

from eoltag.model.card import Card
from eoltag.records import JOINER, Scores
from train.images.answers import NOTHING


def shown_labels(card: Card, logits: Scores) -> tuple[str, ...] | None:
    """The labels whose threshold an image reaches, in the model's order; None where it shows one of many.

    logits: of that image, (C,). A label without a threshold on the card is shown from a probability of 0.5 on.
    """
    if card.output_kind != "labels":
        return None
    is_logit = _is_on_logits(card)
    values = logits if is_logit else card.probabilities(logits[np.newaxis])[0]
    borders = [card.thresholds.get(label, 0.0 if is_logit else 0.5) for label in card.labels]
    return tuple(label for label, value, border in zip(card.labels, values, borders, strict=True) if value >= border)


def shown_from(card: Card) -> dict[str, float] | None:
    """Label -> the probability from which on it is shown; None where an image shows one of many."""
    if card.output_kind != "labels":
        return None
    borders = dict.fromkeys(card.labels, 0.5) | card.thresholds
    if not _is_on_logits(card):
        return borders
    logits = np.array([card.thresholds.get(label, 0.0) for label in card.labels], np.float32)
    return dict(zip(card.labels, card.probabilities(logits[np.newaxis])[0].tolist(), strict=True))


def joined(shown: tuple[str, ...]) -> str:
    """The labels as text."""
    return JOINER.join(shown) or NOTHING


def _is_on_logits(card: Card) -> bool:
    return bool(card.thresholds) and card.threshold_record.get("on") == "logit"
