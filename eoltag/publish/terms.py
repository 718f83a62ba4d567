"""Controlled values of Audiovisual Core for tags: `acsubtype:Map`, `acpart:p0012`, or any IRI.

Source: the subtype and subject part vocabularies of Audiovisual Core (TDWG, https://ac.tdwg.org), read in July 2026.
"""

from dataclasses import dataclass
from typing import Final

from eoltag.errors import did_you_mean

_RS: Final = "http://rs.tdwg.org"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A controlled vocabulary: what its values say of an image, and which there are."""

    prefix: str
    assertion_type: str
    """What an assertion with one of its values is about, in words."""
    assertion_type_iri: str
    values: dict[str, str]
    """Local name of a value -> its label."""

    @property
    def source(self) -> str:
        """The IRI of the vocabulary."""
        return f"{_RS}/{self.prefix}/values/"


VOCABULARIES: Final = {
    one.prefix: one
    for one in (
        Vocabulary(
            "acsubtype",
            "subtype",
            f"{_RS}/ac/terms/subtype",
            {
                "Photograph": "Photograph", "Map": "Map", "Illustration": "Illustration", "Drawing": "Drawing",
                "Diagram": "Diagram", "ScannedText": "Scanned text", "IdentificationKey": "Identification key",
            },
        ),
        Vocabulary(
            "acpart",
            "subject part",
            f"{_RS}/ac/terms/subjectPart",
            {
                "p0001": "entire organism", "p0003": "twig", "p0004": "stem", "p0005": "leaf",
                "p0007": "inflorescence", "p0008": "fruit", "p0009": "seed", "p0012": "flower", "p0032": "bud",
            },
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Term:
    """What a tag means in a vocabulary that others know. Empty texts where there is none."""

    value: str
    value_iri: str = ""
    source: str = ""
    assertion_type: str = ""
    assertion_type_iri: str = ""


def read_term(tag: str, written: str) -> Term:
    """The term of a tag: written as PREFIX:VALUE of a known vocabulary, or as an IRI. Raises ValueError."""
    if written.startswith(("http://", "https://")):
        return Term(tag, written)
    prefix, _, name = written.partition(":")
    vocabulary = VOCABULARIES.get(prefix)
    if vocabulary is None or not name:
        known = ", ".join(f"{one}:NAME" for one in VOCABULARIES)
        raise ValueError(f"terms: '{tag}' wants {known} or an IRI (http...). Received: {written!r}")
    by_label = {label.lower(): value for value, label in vocabulary.values.items()}
    value = name if name in vocabulary.values else by_label.get(name.lower().replace("_", " "))
    if value is None:
        known = ", ".join(f"{value} ({label})" for value, label in vocabulary.values.items())
        near = did_you_mean(name, [*vocabulary.values, *by_label])
        raise ValueError(f"terms: {prefix} has no value {name!r} (for '{tag}'); known: {known}{near}")
    return Term(
        vocabulary.values[value],
        f"{vocabulary.source}{value}",
        vocabulary.source,
        vocabulary.assertion_type,
        vocabulary.assertion_type_iri,
    )
