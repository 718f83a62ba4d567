"""The answers of the service as types: OpenAPI shows them."""

from pydantic import BaseModel, ConfigDict, Field


class Prediction(BaseModel):
    """One label of the model."""

    label: str
    probability: float = Field(ge=0, le=1)


class Answer(BaseModel):
    """To a request with one image."""

    predictions: list[Prediction] = Field(description="by falling probability")
    success: bool = True


class ImageResult(BaseModel):
    """One image of several: predictions, or the reason why there are none."""

    model_config = ConfigDict(json_schema_extra={"required": ["file", "success"]})

    file: str = Field(description="its name, without folders")
    success: bool
    predictions: list[Prediction] | None = None
    reason: str | None = None
    error: str | None = None


class Answers(BaseModel):
    """To a request with several images: one result for each, in the order of the request."""

    results: list[ImageResult]
    success: bool = Field(description="every image was classified")


class Problem(BaseModel):
    """Why there is no answer."""

    success: bool = False
    reason: str = Field(description="one word, for programs")
    error: str = Field(description="one line, for people")


class Health(BaseModel):
    """What is served, and whether it works."""

    ready: bool
    name: str
    version: str = Field(description="of the model: 12 hex digits")
    engine: str
    labels: list[str] = Field(description="in the order of the model's scores")
    max_images: int
    max_bytes: int
    eoltag: str
