"""README.md of a model package: what it was trained on, how good it is, how to use it."""

import re
from collections.abc import Sequence
from typing import Final

from eoltag.model.package import Card
from train.package.data_table import DATA_FILE

CURVES_FILE: Final = "training_curves.png"
CONFUSION_FILE: Final = "confusion.png"
README_FILE: Final = "README.md"
_THRESHOLDS: Final = "## Thresholds"


def model_card(card: Card, trained_on: dict[str, int], validated_on: dict[str, int]) -> str:
    """Markdown."""
    has_several = card.output_kind == "labels"
    made_with = ", ".join(f"{name} {version}" for name, version in card.versions.items())
    parts = [
        f"# {card.name}",
        _introduction_of_labels(card) if has_several else _introduction(card, sum(validated_on.values())),
        "## Data",
        f"`{DATA_FILE}` lists every image by its sha256. Digest: `{card.data_digest}`.",
        *(_label_tables if has_several else _class_tables)(card, trained_on, validated_on),
        "## Training",
        _table(("setting", "value"), [(key, f"`{value}`") for key, value in card.hyperparameters.items()]),
        f"![loss and accuracy by epoch]({CURVES_FILE})",
        f"Made with {made_with}.",
        "## Use",
        _use(card),
    ]
    return "\n\n".join(parts) + "\n"


def _class_tables(card: Card, trained_on: dict[str, int], validated_on: dict[str, int]) -> list[str]:
    images = [_class_row(card, label, trained_on[label], validated_on[label]) for label in card.labels]
    confused = [
        (f"**{label}**", *map(str, row))
        for label, row in zip(card.labels, card.metrics["confusion_matrix"], strict=True)
    ]
    return [
        _table(("label", "trained on", "validated on", "precision", "recall", "F1"), images),
        "## Confusion matrix",
        "Validation images by true label (row) and predicted label (column).",
        _table(("", *card.labels), confused),
        f"![confusion matrix]({CONFUSION_FILE})",
        "## Calibration",
        _calibration(card),
    ]


def _label_tables(card: Card, trained_on: dict[str, int], validated_on: dict[str, int]) -> list[str]:
    rows, lines = [], []
    for label in card.labels:
        found, line = card.metrics["per_label"][label], card.metrics["calibration"]["per_label"][label]
        names = ("average_precision", "precision", "recall", "f1")
        shares = ("-" if found[name] is None else f"{found[name]:.3f}" for name in names)
        rows.append((label, str(trained_on[label]), str(validated_on[label]), str(found["known"]), *shares))
        numbers = (line[name] for name in ("slope", "offset", "error_before", "error_after"))
        lines.append((label, *(f"{number:.3f}" for number in numbers)))
    head = ("label", "trained on", "validated on", "of known", "average precision", "precision", "recall", "F1")
    return [
        "Images that show each label. Precision, recall and F1 are those at a probability of 0.5.",
        _table(head, rows),
        f"![probabilities of images with and without each label]({CONFUSION_FILE})",
        "## Calibration",
        "The head gives slope x logit + offset of what it had learned (Platt scaling), fitted to the validation "
        "images; 1 and 0 where no line does better on images that it was not fitted to. Expected calibration error of "
        "each label before and with it:",
        _table(("label", "slope", "offset", "error before", "error with it"), lines),
    ]


def _introduction_of_labels(card: Card) -> str:
    metrics = card.metrics
    area = metrics["mean_average_precision"]
    return (
        f"A classifier with {len(card.labels)} labels, each yes or no by itself, made by `python -m train fit` on "
        f"{card.created_at}.\n"
        f"It takes {_taken(card)} and gives a raw score (logit) of each label: above 0 is yes.\n\n"
        f"**Mean average precision {'-' if area is None else f'{area:.3f}'}**, and {metrics['val_accuracy']:.3f} of "
        "the known answers right, on images that it was not trained on, from the same source as its training images: "
        f"expect less on others.{_refit(card)}{_base(card)}"
    )


def _introduction(card: Card, validated_on: int) -> str:
    metrics = card.metrics
    return (
        f"An image classifier with {len(card.labels)} labels, made by `python -m train fit` on {card.created_at}.\n"
        f"It takes {_taken(card)} and gives raw scores (logits).\n\n"
        f"**Validation accuracy {metrics['val_accuracy']:.3f}** on {validated_on} images that it was not trained on "
        f"(loss {metrics['val_loss']:.3f}), from the same source as its training images: expect less on others."
        f"{_refit(card)}{_base(card)}"
    )


def _taken(card: Card) -> str:
    """What the model takes."""
    if not card.engines_for("whole"):
        return f"stored features of the base `{card.base_version}` ({card.feature_length:,} numbers an image)"
    return f"{card.input.height} x {card.input.width} RGB (fit: {card.input.fit})"


def _use(card: Card) -> str:
    if not card.engines_for("whole"):
        return "Name it in a task of an output directory that holds such features: it takes no pictures."
    return "    python -m train classify THIS_FOLDER image.jpg"


def _refit(card: Card) -> str:
    """What a refit changes in what was just said; nothing where there was none."""
    if not card.hyperparameters.get("refit"):
        return ""
    return (
        "\n\n**Refit**: all figures here, and the calibration, are those of the training that had not seen the "
        "validation images. The model in this package then learned once more, for as many epochs, from these images "
        "too. How good it is itself, `evaluate` on other images says."
    )


def _base(card: Card) -> str:
    """A paragraph on the base that lies apart; nothing where none does."""
    if not card.base_version or not card.engines_for("whole"):
        return ""
    return (
        f"\n\nBase `{card.base_version}` and head lie apart as well: a forward pass of the base, or its features where "
        f"they are stored ({card.feature_length:,} numbers an image), serves every package that names this base."
    )


def with_thresholds(text: str, card: Card) -> str:
    """A package's README.md with the thresholds of its card, in place of those that it told of before.

    The section goes before `Use`, or to the end where there is no such heading.
    """
    text = re.sub(rf"^{_THRESHOLDS}$.*?(?=^## |\Z)", "", text, flags=re.MULTILINE | re.DOTALL)
    before, heading, after = text.partition("\n## Use\n")
    return before.rstrip("\n") + "\n\n" + "\n".join(_thresholds(card)) + "\n" + heading + after


def _thresholds(card: Card) -> list[str]:
    record = card.threshold_record
    chosen, unmet = record["chosen"], record["unmet"]
    rows = [
        (
            label,
            f"{point['threshold']:.4g}",
            f"{100 * point['coverage']:.1f} %",
            str(point["wrong"]),
            str(point["images"]),
        )
        for label, point in chosen.items()
    ]
    lines = [
        _THRESHOLDS,
        "",
        f"Of the images that score at least this {record['on']} for their label, a share of {record['max_error']:g} "
        f"or less is wrong, with {100 * record['confidence_level']:g} % confidence for each label by itself. Chosen on "
        f"{record['images']} images on {record['chosen_at']}; task files call them `${{threshold.LABEL}}`.",
        "",
        _table(("label", "threshold", "accepts", "wrong", "of"), rows),
    ]
    if record["in_training"]:
        lines += ["", f"**{record['in_training']} of these images were in training: the thresholds are too low.**"]
    if unmet:
        lines += ["", *(f"- {label}: no threshold, {reason}" for label, reason in unmet.items())]
    return lines


def _calibration(card: Card) -> str:
    found = card.metrics["calibration"]
    return (
        f"Scores are divided by the temperature {card.temperature:.3f} before the softmax; it was fitted to the "
        f"validation images. Expected calibration error {found['error_before']:.3f} without it, "
        f"{found['error_after']:.3f} with it."
    )


def _class_row(card: Card, label: str, trained_on: int, validated_on: int) -> tuple[str, ...]:
    scores = card.metrics["per_class"][label]
    shares = (f"{scores[name]:.3f}" for name in ("precision", "recall", "f1"))
    return (label, str(trained_on), str(validated_on), *shares)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
