"""How far the tags and confidences of a run lie from those of the last run over the same bundles."""

import json
from collections.abc import Collection, Mapping

from eoltag.publish.drift import stability_index, tags_index
from eoltag.spark.tables.output import Output

Shares = Mapping[str, Mapping[str, int]]
"""Task -> group -> images."""


def drift_since(
    output: Output, bundles: Collection[str], tags: Shares, confidences: Shares, images: Mapping[str, int]
) -> dict[str, dict[str, float]]:
    """Task -> population stability index of `confidence` and of `tags`; no task that the run before did not have.

    images: task that may give an image several tags -> images with a tag.
    """
    before = _run_before(output, bundles)
    if before is None:
        return {}
    old_tags, old_confidences, old_images = before
    return {
        task: {
            "confidence": round(stability_index(old_confidences[task], confidences[task]), 4),
            "tags": round(tags_index(old_tags[task], tags[task], both), 4),
        }
        for task in tags
        if task in old_tags and task in old_confidences and (task in images) == (task in old_images)
        for both in [(old_images[task], images[task]) if task in images else None]
    }


def _run_before(output: Output, bundles: Collection[str]) -> tuple[Shares, Shares, Mapping[str, int]] | None:
    """Tags, confidences and images of the latest other run over these bundles."""
    names = [name for name in output.files.names(output.path("runs")) if name < f"{output.run_id}.json"]
    for name in reversed(names):
        try:
            summary = json.loads(output.files.read_text(output.path("runs", name)))["summary"]
            if set(summary["bundles"]) == set(bundles):
                return summary["tags"], summary["confidences"], summary.get("images", {})
        except (ValueError, KeyError, TypeError):  # cut short by a kill, or the run of another job
            continue
    return None
