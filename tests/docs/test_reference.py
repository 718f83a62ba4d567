"""The reference is what the code says: generated tables are up to date, and every name of the public API exists."""

import importlib
from pathlib import Path
from typing import Final

import pytest
from pydantic import Field
from pyspark.sql.types import DoubleType, StructField, StructType

from docs.generator import values
from docs.generator.__main__ import ROOT, main, pages
from docs.generator.docstrings import meaning
from docs.generator.markdown import filled, plain, prose, table, used_parts
from docs.generator.parts import PARTS
from docs.generator.settings import settings_table
from eoltag.settings import Strict
from tests.support.readme import PAGES, code, page, section, spans, tables

PUBLIC: Final = [
    (code(module), name)
    for (module, names, _) in tables(section("Python", page("reference/public-api.md")))[0]
    for name in spans(names)
]


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_says_what_the_code_says(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert filled(text, PARTS, path.name) == text, "out of date: run `make reference`"


def test_every_part_that_can_be_made_stands_on_one_page() -> None:
    used = [part for text in PAGES.values() for part in used_parts(text)]
    assert sorted(used) == sorted(PARTS)


def test_a_check_writes_nothing_and_names_the_page_that_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = tmp_path / "docs" / "outcomes.md"
    stale.parent.mkdir()
    stale.write_text("# Mine\n\n<!-- generated: outcomes -->\nold\n<!-- end of generated -->\n\nBelow.\n")
    monkeypatch.setattr("docs.generator.__main__.ROOT", tmp_path)
    assert main(["--check"]) == 1
    assert capsys.readouterr().out == "docs/outcomes.md: out of date; run `make reference`\n"
    assert "old" in stale.read_text()
    assert main([]) == 0
    text = stale.read_text()
    assert text.startswith("# Mine\n\n<!-- generated: outcomes -->\n\n| outcome | kind | meaning |\n")
    assert "| `dns` | transient | The host name did not resolve. |" in text
    assert text.endswith("<!-- end of generated -->\n\nBelow.\n")
    assert main(["--check"]) == 0


def test_a_region_that_nothing_makes_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"a\.md: unknown generated part 'outcome'; known here: bundle columns, card, "
    ):
        filled("<!-- generated: outcome -->\n<!-- end of generated -->", PARTS, "a.md")


def test_a_column_that_nobody_described_is_refused_by_name() -> None:
    columns = StructType([StructField("sharpness", DoubleType())])
    with pytest.raises(ValueError, match=r"column sharpness: a meaning in docs/generator/meanings\.py was wanted"):
        list(values._columns(columns, {}))


class Shop(Strict):
    """Settings of a test."""

    size: int = Field(3, ge=1, le=20_000)
    """How large; `0` is | not allowed."""
    names: tuple[str, ...] = Field((), strict=False)
    """What they are called,
    on two lines."""
    nameless: bool = False


def test_a_setting_is_shown_with_default_range_and_meaning() -> None:
    sized = type("Sized", (Shop,), {})
    with pytest.raises(ValueError, match=r"Shop\.nameless: a docstring below it was wanted; came none"):
        settings_table(Shop)
    assert meaning(Shop, "names") == "What they are called, on two lines."
    assert sized.model_fields.keys() == Shop.model_fields.keys()


def test_what_markdown_would_take_for_its_own_is_escaped() -> None:
    assert plain("give --json,\n  or `a --b *`; <x> *all*") == r"give `--json`, or `a --b *`; \<x> \*all\*"
    assert table(("a",), [("b|c",)]) == "| a |\n| --- |\n| b\\|c |"
    assert prose("one\ntwo\n\nexamples:\n  python -m x\n    y\n") == (
        "One two\n\nExamples:\n\n```sh\npython -m x\n  y\n```"
    )


@pytest.mark.parametrize(("module", "name"), PUBLIC, ids=lambda value: value)
def test_every_public_name_exists(module: str, name: str) -> None:
    offered = importlib.import_module(module)
    assert hasattr(offered, name)
    assert name in offered.__all__


def test_the_page_names_all_that_a_public_module_offers() -> None:
    for module in {module for module, _ in PUBLIC}:
        assert set(importlib.import_module(module).__all__) == {name for known, name in PUBLIC if known == module}
