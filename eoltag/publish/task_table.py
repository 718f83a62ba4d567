"""The table `[publish]` of a task file: what its tags mean to others, and what a publication must fulfil."""

from pydantic import Field, field_validator, model_validator

from eoltag.publish.terms import Term, read_term
from eoltag.settings import Strict


class Agreement(Strict):
    """Two models of the task must agree on the images of the publication."""

    models: tuple[str, ...] = Field(strict=False)
    """Two of the task's models. The second one may be there for this alone: no rule has to name it."""
    floor: float = Field(ge=0, le=1, strict=False)
    """Share of the images that were read on which both give the same label, at least."""

    @field_validator("models")
    @classmethod
    def _are_two(cls, models: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(models)) != 2:
            raise ValueError(f"agreement: wanted two different models. Received: {list(models)}")
        return models


class TaskPublish(Strict):
    """How the tags of a task are published."""

    assertion_type: str = ""
    """What a tag says of an image, in words, for tags without a term that says it; the name of the task if empty."""
    terms: dict[str, str] = {}
    """Tag -> `acsubtype:NAME`, `acpart:NAME` (Audiovisual Core) or an IRI."""
    max_flip_rate: float | None = Field(None, ge=0, le=1, strict=False)
    """Share of the tagged images whose tag may differ from the current publication; `publish.max_flip_rate` of the
    settings if it is not given."""
    max_flip_rates: dict[str, float] = {}
    """The same for single tags: tag -> share."""
    agreement: Agreement | None = None
    max_drift: float | None = Field(None, gt=0, strict=False)
    """Population stability index of confidences, and of tags, against the run before and against the current
    publication, at most; 0.25 is commonly called a large change. Above it a run ends with exit code 4, nothing is
    published, and the certificate lapses."""
    certificate: bool = False
    """The task is published only with a certificate of its audit that holds for its present models."""

    @field_validator("terms")
    @classmethod
    def _are_terms(cls, terms: dict[str, str]) -> dict[str, str]:
        for tag, written in terms.items():
            read_term(tag, written)
        return terms

    @model_validator(mode="after")
    def _rates_are_shares(self) -> "TaskPublish":
        for tag, rate in self.max_flip_rates.items():
            if not 0 <= rate <= 1:
                raise ValueError(f"max_flip_rates: '{tag}' wants a share from 0 to 1. Received: {rate}")
        return self

    def term_of(self, tag: str) -> Term:
        """What a tag means to others: its own words where no term is given."""
        return read_term(tag, self.terms[tag]) if tag in self.terms else Term(tag)
