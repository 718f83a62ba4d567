"""Tags as terms of vocabularies that others know."""

import pytest

from eoltag.errors import TaskError
from eoltag.publish.task_table import TaskPublish
from eoltag.publish.terms import Term, read_term
from eoltag.settings import parse


def test_a_controlled_value_is_named_by_its_code_or_its_label() -> None:
    flower = Term(
        "flower",
        "http://rs.tdwg.org/acpart/values/p0012",
        "http://rs.tdwg.org/acpart/values/",
        "subject part",
        "http://rs.tdwg.org/ac/terms/subjectPart",
    )
    assert read_term("blossom", "acpart:p0012") == flower
    assert read_term("blossom", "acpart:flower") == flower
    assert read_term("scan", "acsubtype:scanned_text").value_iri == "http://rs.tdwg.org/acsubtype/values/ScannedText"


def test_any_iri_stands_for_itself() -> None:
    assert read_term("sheet", "https://example.org/sheet") == Term("sheet", "https://example.org/sheet")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("acpart:flour", "did you mean 'flower'"),
        ("acsubtype:Herbarium", "known: Photograph (Photograph), Map (Map)"),
        ("flower", "acsubtype:NAME, acpart:NAME or an IRI"),
    ],
)
def test_an_unknown_value_is_refused_with_those_that_are_known(written: str, said: str) -> None:
    with pytest.raises(TaskError, match=r"^kind.toml: ") as refused:
        parse(TaskPublish, {"terms": {"flower": written}}, "kind.toml", TaskError)
    assert said in str(refused.value)


def test_a_tag_without_a_term_is_its_own_words() -> None:
    assert TaskPublish(terms={"map": "acsubtype:Map"}).term_of("herb") == Term("herb")


@pytest.mark.parametrize(
    "content",
    [
        {"agreement": {"models": ["a", "a"], "floor": 0.9}},
        {"agreement": {"models": ["a", "b", "c"], "floor": 0.9}},
        {"max_flip_rates": {"map": 1.5}},
    ],
)
def test_what_cannot_hold_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(TaskError, match=r"kind\.toml"):
        parse(TaskPublish, content, "kind.toml", TaskError)
