"""What each column of the tables means, in words for people. The reference pages are made from it."""

from typing import Final

from eoltag.image.features import FEATURES

_ROW: Final = {
    "eolMediaURL": "the URL as the bundle has it",
    "identifier": "EOL's identifier of the image; null where the bundle has none",
    "dataObjectVersionID": "EOL's version of the image; null where the bundle has none",
    "ancestry": "EOL's taxa above the image, joined by `|`; null where the bundle has none",
}
_RUN: Final = {"run_id": "the run that wrote the row, as in `runs/`"}
_CONTENT: Final = {"content_sha256": "sha256 of the image file: the picture that the row is about"}
_VERSION: Final = "12 hex digits that stand for everything that decides a score"

_PICTURE: Final = {
    "outcome": "what became of the image; see Outcomes",
    "detail": "why it failed, in words",
    "http_status": "the last HTTP status, 304 where the server still had the known version; null where none answered",
    "attempts": "requests that this run made for it; 0 for a bad URL",
    "width": "width of the upright image, in pixels",
    "height": "height of the upright image, in pixels",
    "color_mode": "colour mode of the file: RGB, L (grey), CMYK, P (palette), ...",
    "bytes": "size of the file",
    "content_sha256": "sha256 of the file, by which all other tables know the picture; null where there were no bytes",
    "perceptual_hash": "64-bit difference hash in hex; near-duplicates differ in few bits",
    "rendition": "the URL of the smaller copy that was read in place of the image; null where the image was read",
}

IMAGE_MEANINGS: Final[dict[str, str]] = {
    "eolMediaURL": _ROW["eolMediaURL"],
    "dataObjectVersionID": "EOL's version of the image that was asked for; null where the bundle has none",
    **_PICTURE,
    "etag": "the header ETag of the answer, which later requests name",
    "last_modified": "the header Last-Modified of the answer, likewise",
    "asked_at": "when the answer came, UTC",
    **_RUN,
}

SCORE_MEANINGS: Final[dict[str, str]] = {
    **_CONTENT,
    "model_version": f"{_VERSION}; a partition of the table",
    "engine": "the runtime that scored it, such as `openvino`",
    "precision": "the arithmetic that it used: `f32`, `bf16` or `int8`",
    "source": "what was scored: `fetch` (the image as its server sent it), `pixels` (a kept copy) or `features`",
    "scores": "every raw number that the model gave, in the order of the labels in `models/VERSION.json`",
    "scored_at": "when it was scored, UTC",
    **_RUN,
}

MEASURE_MEANINGS: Final[dict[str, str]] = {
    **_CONTENT,
    "name": "the image feature, as tasks name it; a partition of the table",
    "value": "its value: "
    + "; ".join(f"`{name}`: {one.meaning}, {one.low:g} to {one.high:g}" for name, one in FEATURES.items()),
    **_RUN,
}

FEATURE_MEANINGS: Final[dict[str, str]] = {
    **_CONTENT,
    "base_version": "the base that gave the features, which model packages share; a partition of the table",
    "vector": "the features as float16, little-endian, one after the other",
    "source": "what they were computed of: `fetch` (the image as its server sent it) or `pixels` (a copy); or `import`",
    **_RUN,
    "computed_at": "when they were computed, UTC",
}

PIXEL_MEANINGS: Final[dict[str, str]] = {
    **_CONTENT,
    "side_px": "the shorter side of the copy, in pixels",
    "image": "the copy as a JPEG or WebP file",
    "source_width": "width of the upright image that it was made of, in pixels",
    "source_height": "height of the upright image that it was made of, in pixels",
    **_RUN,
    "kept_at": "when it was kept, UTC",
}

BUNDLE_MEANINGS: Final[dict[str, str]] = {
    **_ROW,
    "bundle": "the name of the bundle; a partition of the table",
    "bundle_row": "the row in it, from 1",
    "is_usable": "whether the row has an http or https URL; null where a sample or the rows of a breakdown were kept",
}

PREDICTION_MEANINGS: Final[dict[str, str]] = {
    "eolMediaURL": _ROW["eolMediaURL"],
    "dataObjectVersionID": IMAGE_MEANINGS["dataObjectVersionID"],
    "model_version": f"{_VERSION}; null where the image failed, like all that follows about scores",
    "engine": "runtime and precision that scored it, such as `openvino-f32`",
    "source": SCORE_MEANINGS["source"],
    "label": "the label with the highest score",
    "confidence": "the probability of that label, as the output kind and the temperature of the model's card give it",
    "logit": "the raw score of that label; EOL's published thresholds are of this kind",
    "scores": "the probability of every label",
    "logits": "the raw score of every label",
    **_PICTURE,
    **{
        name: f"{feature.meaning}, {feature.low:g} to {feature.high:g}; a column where some image was measured"
        for name, feature in FEATURES.items()
    },
    "fetched_at": "when the answer of the server came, UTC",
    "run_id": "the run that got that answer, as in `runs/`",
}

TAG_MEANINGS: Final[dict[str, str]] = {
    **_ROW,
    "bundle": "the name of the bundle",
    "bundle_row": "the row in it, from 1",
    "task": "the task; a partition of the table",
    "outcome": "outcome of the current answer of the server; null where an answer or a score is still to come. "
    "A transient failure never takes the place of an image that was read",
    "detail": "why the image failed, in words",
    "http_status": "the last HTTP status",
    "tag": "the tag; the task's `missing` where no rule held; null where the image failed. With `multiple = true` "
    "several joined by `|`, which the further column `tags` holds as a list, and `confidences` how sure each of them "
    "is: the score of the label that its rule asks for, else `confidence`",
    "rule": "the rule that gave the tag, or several joined by `|`; null where none held",
    "label": "best label of the first model",
    "confidence": "its probability",
    "logit": "its raw score",
    "model_version": "version of the first model",
    "models": "`label`, `confidence`, `logit` and `model_version` of every model of the task, by its name",
    "fetched_at": "when the answer of the server came, UTC",
}
