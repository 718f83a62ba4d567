"""What each column of the tables means, in words for people. The reference pages are made from it."""

from typing import Final

from eoltag.image.features import FEATURES

_ROW: Final = {
    "eolMediaURL": "the URL as the bundle has it",
    "identifier": "EOL's identifier of the image; null where the bundle has none",
    "dataObjectVersionID": "EOL's version of the image; null where the bundle has none",
    "ancestry": "EOL's taxa above the image, joined by `|`; null where the bundle has none",
}

PREDICTION_MEANINGS: Final[dict[str, str]] = {
    **_ROW,
    "bundle": "the bundle that named the image first",
    "bundle_row": "its row there, from 1",
    "task": "the task; a partition of the table",
    "model": "the model's name in the task file",
    "model_version": "12 hex digits that stand for everything that decides a score; a partition of the table",
    "engine": "runtime and precision that scored it, such as `openvino-f32`; null where the image failed",
    "outcome": "what became of the image; see Outcomes",
    "detail": "why it failed, in words; or the smaller copy that it was read from",
    "http_status": "the last HTTP status; null where there was no answer",
    "attempts": "requests that this run made for it; 0 for a bad URL",
    "label": "the label with the highest score; null where the image failed, like all that follows about scores",
    "confidence": "the probability of that label: softmax of the logits over the temperature of the card",
    "logit": "the raw score of that label, before softmax and temperature; EOL's published thresholds are of this kind",
    "scores": "the probability of every label",
    "width": "width of the upright image, in pixels",
    "height": "height of the upright image, in pixels",
    "color_mode": "colour mode of the file: RGB, L (grey), CMYK, P (palette), ...",
    "bytes": "size of the file",
    "content_sha256": "sha256 of the file; equal for equal files",
    "perceptual_hash": "64-bit difference hash in hex; near-duplicates differ in few bits",
    **{
        name: f"{feature.meaning}, {feature.low:g} to {feature.high:g}; null where the task does not ask for it"
        for name, feature in FEATURES.items()
    },
    "fetched_at": "when the image was fetched, UTC",
    "run_id": "the run that wrote the row, as in `runs/`",
}

TAG_MEANINGS: Final[dict[str, str]] = {
    **_ROW,
    "bundle": "the name of the bundle",
    "bundle_row": "the row in it, from 1",
    "task": "the task; a partition of the table",
    "outcome": "outcome of the latest prediction; null where there is none yet; with several models the first that is "
    "not ok. A transient failure never takes the place of an earlier answer",
    "detail": "why the image failed, in words",
    "http_status": "the last HTTP status",
    "tag": "the tag; the task's `missing` where no rule held; null where the image failed",
    "rule": "the rule that gave the tag; null where none held",
    "label": "best label of the first model",
    "confidence": "its probability",
    "logit": "its raw score",
    "model_version": "version of the first model",
    "models": "`label`, `confidence`, `logit` and `model_version` of every model of the task, by its name",
    "fetched_at": "when the image was fetched, UTC",
}
