"""How far the tags and confidences of a run lie from those of the last run over the same bundles."""

import json
from collections.abc import Collection, Mapping

from eoltag.publish.drift import stability_index
from eoltag.spark.tables.output import Output

Shares = Mapping[str, Mapping[str, int]]
"""Task -> group -> images."""


def drift_since(
    output: Output, bundles: Collection[str], tags: Shares, confidences: Shares
) -> dict[str, dict[str, float]]:
    """Task -> population stability index of `confidence` and of `tags`; no task that the run before did not have."""
    before = _run_before(output, bundles)
    if before is None:
        return {}
    old_tags, old_confidences = before
    return {
        task: {
            "confidence": _index(old_confidences[task], confidences[task]),
            "tags": _index(old_tags[task], tags[task]),
        }
        for task in tags
        if task in old_tags and task in old_confidences
    }


def _index(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    return round(stability_index(dict(before.items()), dict(now.items())), 4)


def _run_before(output: Output, bundles: Collection[str]) -> tuple[Shares, Shares] | None:
    """Tags and confidences of the latest other run over these bundles."""
    names = [name for name in output.files.names(output.path("runs")) if name < f"{output.run_id}.json"]
    for name in reversed(names):
        try:
            summary = json.loads(output.files.read_text(output.path("runs", name)))["summary"]
            if set(summary["bundles"]) == set(bundles):
                return summary["tags"], summary["confidences"]
        except (ValueError, KeyError, TypeError):  # cut short by a kill, or the run of another job
            continue
    return None
