"""The best labels of a verdict, best first: what `classify` and `serve` answer with."""

from eoltag.model.score import Verdict


def ranked(verdict: Verdict, top: int | None = None) -> list[tuple[str, float]]:
    """(label, probability) by falling probability, at most `top`; equal ones in the model's order."""
    return sorted(verdict.scores.items(), key=lambda item: -item[1])[:top]


def predictions(verdict: Verdict, top: int | None = None) -> list[dict[str, str | float]]:
    """The same as JSON: [{"label": ..., "probability": ...}, ...]."""
    return [{"label": label, "probability": probability} for label, probability in ranked(verdict, top)]
