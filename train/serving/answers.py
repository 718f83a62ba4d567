"""Responses of the service: their types, which OpenAPI shows, and how they are made from results."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from eoltag.errors import ImageError
from train.evaluate.classify import predictions
from train.serving.classifier import Classified, Result
from train.serving.refusals import IMAGE_STATUS, Refused, problem
from train.serving.uploads import Upload


class LabelProbability(BaseModel):
    """One label of the model with its probability."""

    label: str
    probability: float = Field(ge=0, le=1)
    shown: bool | None = Field(None, description="of a model of several labels: its threshold is reached")


class ClassifyResponse(BaseModel):
    """The response to a request with one image."""

    predictions: list[LabelProbability] = Field(description="by falling probability")
    labels: list[str] | None = Field(
        None, description="of a model of several labels: all that the image shows, perhaps none"
    )
    success: bool = True


class ImageResult(BaseModel):
    """One image of several: predictions, or the reason why there are none."""

    model_config = ConfigDict(json_schema_extra={"required": ["file", "success"]})

    file: str = Field(description="its name, without folders")
    success: bool
    predictions: list[LabelProbability] | None = None
    labels: list[str] | None = None
    reason: str | None = None
    error: str | None = None


class ClassifyManyResponse(BaseModel):
    """The response to a request with several images: one result for each, in the order of the request."""

    results: list[ImageResult]
    success: bool = Field(description="every image was classified")


class ErrorResponse(BaseModel):
    """The reason why a request was refused."""

    success: bool = False
    reason: str = Field(description="one word, for programs")
    error: str = Field(description="one line, for people")


class HealthResponse(BaseModel):
    """The model that is served, and whether the service is ready."""

    ready: bool
    name: str
    version: str = Field(description="of the model: 12 hex digits")
    engine: str
    labels: list[str] = Field(description="in the order of the model's scores")
    output: str = Field(description="classes: an image shows one of the labels; labels: several, or none")
    shown_from: dict[str, float] | None = Field(
        description="of several labels: the probability from which on each is shown; else null"
    )
    max_images: int
    max_bytes: int
    eoltag: str


def answer_one(result: Result, upload: Upload, top: int | None) -> tuple[str, Response]:
    """The response for one image. Raises Refused where it cannot be read."""
    if isinstance(result, ImageError):
        status = IMAGE_STATUS.get(result.outcome, HTTPStatus.UNPROCESSABLE_ENTITY)
        raise Refused(status, str(result.outcome), f"{upload.name}: {_why(result, upload)}")
    return "ok", JSONResponse({**_said(result, top), "success": True})


def answer_all(results: Sequence[Result], uploads: Sequence[Upload], top: int | None) -> tuple[str, Response]:
    """A result for each image; 422 where none could be read."""
    documents = [_document(result, upload, top) for result, upload in zip(results, uploads, strict=True)]
    failed = sum(not document["success"] for document in documents)
    answer: dict[str, Any] = {"results": documents, "success": not failed}
    if failed == len(documents):
        answer |= problem("no_image", f"none of the {failed} images could be read")
        return "no_image", JSONResponse(answer, HTTPStatus.UNPROCESSABLE_ENTITY)
    return "partial" if failed else "ok", JSONResponse(answer)


def _document(result: Result, upload: Upload, top: int | None) -> dict[str, Any]:
    if isinstance(result, ImageError):
        return {"file": upload.name, **problem(str(result.outcome), _why(result, upload))}
    return {"file": upload.name, "success": True, **_said(result, top)}


def _said(result: Classified, top: int | None) -> dict[str, Any]:
    """What the model says of an image."""
    found: dict[str, Any] = {"predictions": predictions(result.verdict, result.shown, top)}
    return found if result.shown is None else {**found, "labels": list(result.shown)}


def _why(problem: ImageError, upload: Upload) -> str:
    return problem.detail if upload.data else "the file is empty"
