"""Thresholds chosen again from judgements of what is published, with the guarantee of `train thresholds`.

The audited images are a random draw of the very rows that the promise speaks of. So it holds for these, whatever share
a label had where the model was trained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from eoltag.audit.certificate import Judged
from eoltag.audit.risk_control import RiskCurve, risk_curve

PERSON: Final = "person"
"""The rule of tags that people gave: no confidence decides them."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a threshold is to keep."""

    max_error: float
    """Share of images with the tag that do not show it, at most."""
    confidence: float
    """How sure that is."""


def thresholds_again(judged: Sequence[Judged], missing: str, promise: Promise) -> dict[str, Any]:
    """For the certificate: for each tag the lowest confidence from which it keeps a promise, or why there is none.

    judged: the audited images of a task; one with several tags counts for each, with the confidence of that tag.
    missing: the tag that claims nothing. Only confidences from which the tag is published already can be found: what is
    below was never audited under it.
    """
    curves = _curves(judged, missing, promise)
    return {
        "max_error": promise.max_error,
        "confidence": promise.confidence,
        "tags": {tag: _document(curve, promise) for tag, curve in curves.items()},
    }


def _curves(judged: Sequence[Judged], missing: str, promise: Promise) -> Mapping[str, RiskCurve]:
    known = [
        (claim, not one.shows(claim.tag))
        for one in judged
        for claim in one.claims
        if claim.tag != missing and claim.rule != PERSON and claim.confidence is not None
    ]
    found = {}
    for tag in sorted({claim.tag for claim, _ in known}):
        mine = [(claim.confidence, is_wrong) for claim, is_wrong in known if claim.tag == tag]
        scores = np.array([confidence for confidence, _ in mine], np.float64)
        wrong = np.array([is_wrong for _, is_wrong in mine], np.bool_)
        found[tag] = risk_curve(tag, "probability", scores, wrong, promise.max_error, promise.confidence)
    return found


def _document(curve: RiskCurve, promise: Promise) -> dict[str, Any]:
    chosen = curve.chosen
    if chosen is None:
        return {"threshold": None, "audited": curve.given, "reason": curve.reason(promise.max_error)}
    return {"audited": curve.given, "reason": None, **chosen.document()}
