"""What reading a model's stored scores takes, kept beside the tables whether or not the package is still there."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from eoltag.model.package import Card


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What the numbers of one model version mean. A version stands for all of this, so that a record never changes."""

    model_version: str
    name: str
    labels: tuple[str, ...]
    temperature: float
    output_kind: str
    base_version: str = ""

    @classmethod
    def of(cls, version: str, card: Card) -> "ModelRecord":
        """That of a package."""
        return cls(version, card.name, card.labels, card.temperature, card.output_kind, card.base_version)

    @classmethod
    def from_json(cls, text: str) -> "ModelRecord":
        """The inverse of as_json. Raises ValueError."""
        document: dict[str, Any] = json.loads(text)
        try:
            return cls(**{**document, "labels": tuple(document["labels"])})
        except (KeyError, TypeError) as problem:
            raise ValueError(f"not a model record ({problem})") from problem

    def as_json(self) -> str:
        """For a file."""
        return json.dumps(asdict(self), indent=2) + "\n"
