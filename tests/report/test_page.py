"""The page of a run: counts, thresholds, galleries and links are right, and nothing in it can harm."""

import base64
import re
from dataclasses import replace
from hashlib import sha256
from itertools import combinations
from xml.etree import ElementTree

import pytest

from eoltag.records import Cut
from eoltag.report.charts import tag_inks
from eoltag.report.content import TaskFacts
from eoltag.report.gallery import link_of, strip_length, strips_of
from eoltag.report.page import render
from tests.support.colour_blindness import SIGHTS, distance
from tests.support.html_tree import Element, read_html
from tests.support.reports import CERTIFICATE, HOSTILE_URLS, SCRIPT, found, hostile_rows, jpeg, judged, written

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [found(number) for number in range(100)]
FAILED = [
    found(200, outcome="gone", detail="HTTP 404 Not Found", tag=None, label=None, confidence=None, logit=None),
    found(201, outcome="timeout", detail="30 s", tag=None, label=None, confidence=None, logit=None),
]


@pytest.fixture(scope="module")
def page() -> Element:
    """Of 100 images, 60 of them with a thumbnail, and two failures."""
    text, facts = render(written([*ROWS, *FAILED], thumbnails=60), "report/index.html")
    assert facts.bytes == len(text.encode())
    return read_html(text)


@pytest.fixture(scope="module")
def hostile() -> tuple[str, Element]:
    """The page of a bundle that means harm, as text and as a browser reads it."""
    rows = hostile_rows()
    text, _ = render(written([*ROWS[:10], *rows], thumbnails=20), "report/index.html")
    return text, read_html(text)


def cells(page: Element, caption: str) -> list[list[str]]:
    """The rows of a table by its caption."""
    table = next(table for table in page.all("table") if caption in [found.text for found in table.all("caption")])
    lines = [
        [cell.text for cell in line.children if isinstance(cell, Element)] for line in table.one("tbody").all("tr")
    ]
    return [[text for text in line if text] for line in lines]


def strip(page: Element, tag: str, title: str) -> list[Element]:
    """The cards of one strip of one tag."""
    gallery = next(part for part in page.all("section", "gallery") if part.one("h3").text.startswith(tag))
    (cards,) = [part for part in gallery.all("div", "strip") if part.one("h4").text == title]
    return list(cards.all("figure", "card"))


def confidences(cards: list[Element]) -> list[float]:
    """Of each card."""
    return [float(card.attributes["data-confidence"] or "nan") for card in cards]


def test_the_page_says_what_ran_and_how_many_rows_came_out(page: Element) -> None:
    tiles = {tile.one("dt").text: tile.one("dd").text for tile in page.one("dl", "tiles").all("div")}
    assert tiles["rows in"] == "102"
    assert (tiles["read (ok)"], tiles["failed"]) == ("100", "2")
    assert "20260101T000000.000Z-0a1b2c" in page.one("h1").text
    told = page.one("footer").text
    for word in (
        "images_for_Rosa.txt",
        "eoltag 0.2.0",
        "pyspark 4.0.0",
        "flowers/main 0123456789ab",
        "local[2]",
        "100",
    ):
        assert word in told


def test_tags_rules_and_outcomes_are_counted(page: Element) -> None:
    assert cells(page, "Tags") == [["NA", "61", "61%"], ["rose", "39", "39%"]]
    assert cells(page, "Rules, the first that holds wins") == [
        ["sure", "label = 'roses' AND confidence > 0.6", "rose", "39"],
        ["none", "NA", "61"],
    ]
    failures = page.one("section", "failures")
    lines = [[cell.text for cell in line.all() if cell.tag in ("th", "td")] for line in failures.one("tbody").all("tr")]
    assert [line[:2] + line[3:4] for line in lines] == [
        ["gone", "1", "final"],
        ["timeout", "1", "asked again by the next run"],
    ]
    (hosts,) = [part for part in page.all("details") if part.one("summary").text == "Hosts (1)"]
    assert [cell.text for cell in hosts.one("tbody").all("td")] == ["102", "100", "2", "gone 1, timeout 1"]


def warranted(certificate: dict[str, object] | None, **drift: float) -> tuple[str, Element]:
    """The page of a task that people have judged."""
    text, _ = render(judged(written(ROWS), certificate, **drift), "report/index.html")
    return text, read_html(text)


def test_the_page_says_what_people_judged_what_an_audit_certified_and_what_drifted() -> None:
    text, page = warranted(CERTIFICATE, confidence=0.31, tags=0.02)
    assert cells(page, "Certificate: how often each tag is right, of 59 audited images") == [
        ["rose", "39", "1.000", "0.910 to 1.000"], [SCRIPT, "20", "0.500", "0.272 to 0.728"],
    ]  # fmt: skip
    assert SCRIPT not in text
    people, drifted = (one.text for one in page.one("ul", "warranty").all("li"))
    assert people == "1,200 images judged by 2 people: 1,000 tags right, 150 wrong, 50 disputed"
    assert drifted.endswith("confidence 0.31, tags 0.02")
    assert "Of publication 20260101T000000Z." in text
    assert 'href="certificate_flowers.html"' in text


@pytest.mark.parametrize(
    ("change", "said"),
    [({"lapsed": "tags drifted"}, "Lapsed"), ({"models": {"main": "another"}}, "Of other models")],
)
def test_a_certificate_that_does_not_hold_any_more_is_not_shown_as_one_that_does(
    change: dict[str, object], said: str
) -> None:
    text, _ = warranted({**CERTIFICATE, **change})
    assert f"<strong>{said}</strong>" in text
    assert "Of publication" not in text


def test_a_task_that_nobody_judged_says_nothing_of_it(page: Element) -> None:
    assert not list(page.all("ul", "warranty"))
    assert "ertificate" not in page.text


def test_each_tag_shows_its_surest_least_sure_nearest_and_a_draw(page: Element) -> None:
    assert confidences(strip(page, "rose", "Most confident")) == [number / 100 for number in range(99, 91, -1)]
    assert confidences(strip(page, "rose", "Least confident")) == [number / 100 for number in range(61, 69)]
    near = strip(page, "NA", "Nearest a threshold")
    assert confidences(near) == [number / 100 for number in range(60, 52, -1)]
    assert "0 above confidence 0.6" in near[0].text
    assert "0.01 below confidence 0.6" in near[1].text
    drawn = sorted((row.order, row.confidence) for row in ROWS if row.tag == "rose")[:8]
    assert confidences(strip(page, "rose", "Random sample")) == [confidence for _, confidence in drawn]


def test_a_card_leads_to_its_image_and_shows_the_thumbnail_that_was_kept(page: Element) -> None:
    card = strip(page, "rose", "Least confident")[0]
    link = card.one("a")
    assert link.attributes == {
        "href": "https://content.eol.org/data/media/61.jpg",
        "target": "_blank",
        "rel": "noopener noreferrer",
        "referrerpolicy": "no-referrer",
    }
    assert not list(card.all("img"))
    assert card.one("span", "no-picture").text == "61.jpg"
    shown = strip(page, "NA", "Nearest a threshold")[1].one("img").attributes
    assert shown["src"] == f"data:image/jpeg;base64,{base64.b64encode(jpeg(59)).decode()}"
    assert shown["alt"] == "roses, 59% sure: 59.jpg"


def test_the_threshold_is_drawn_where_the_rule_cuts() -> None:
    with_cut, without = written(ROWS), written(ROWS)
    facts = without.tasks[0]
    bare = TaskFacts(facts.name, facts.description, facts.missing, facts.models, facts.rules)
    pages = [read_html(render(one, "x")[0]) for one in (with_cut, written(ROWS, tasks=[bare]))]
    alts = [
        [image.attributes["alt"] or "" for image in page.all("img") if "Histograms" in str(image.attributes["alt"])]
        for page in pages
    ]
    assert ["threshold 0.6" in alt for alt in alts[0]] == [True, False]
    assert [alt.count("roses: 100") for alt in alts[0]] == [1, 1]
    assert not any("threshold" in alt for alt in alts[1])
    assert "stroke-dasharray" not in drawing(pages[1])
    svg = ElementTree.fromstring(drawing(pages[0]))
    (line,) = [path.attrib["d"] for path in svg.iter(f"{SVG}path") if "dasharray" in path.attrib.get("style", "")]
    axis = next(group for group in svg.iter(f"{SVG}g") if group.attrib.get("id") == "matplotlib.axis_1")
    left, *_, right = [float(tick.attrib["x"]) for tick in axis.iter(f"{SVG}use")]
    assert float(line.split()[1]) == pytest.approx(left + 0.6 * (right - left), abs=0.5)


def drawing(page: Element) -> str:
    """The SVG of the first chart, which has to be sound XML."""
    chart = page.one("figure", "chart").one("img").attributes["src"] or ""
    text = base64.b64decode(chart.removeprefix("data:image/svg+xml;base64,")).decode()
    ElementTree.fromstring(text)
    return text


def test_a_task_with_two_models_has_charts_of_both_and_a_rule_that_names_no_score_has_no_line() -> None:
    rows = written(ROWS)
    counts = [*rows.counts, *[one._replace(model="second") for one in rows.counts if one.model]]
    facts = TaskFacts("flowers", "", "NA", {"main": "a", "second": "b"}, [], [Cut("r", "second", "logit", 3.0)])
    page = read_html(render(written(ROWS, counts=counts, tasks=[facts]), "x")[0])
    captions = [chart.one("figcaption").text for chart in page.all("figure", "chart")]
    assert [caption.partition(",")[0] for caption in captions] == [
        "Confidence of model main",
        "Logit of model main",
        "Confidence of model second",
        "Logit of model second",
    ]
    assert ["dashed" in caption for caption in captions] == [False, False, False, True]


def test_an_image_in_two_bundles_is_shown_once() -> None:
    twice = [found(90), found(90, bundle="another", bundle_row=1), found(91)]
    strips = strips_of(twice, written(ROWS).tasks[0], {}, 8)
    assert [card.row.url for card in strips[0].cards] == [found(91).url, found(90).url]


def test_a_small_tag_is_shown_once_and_whole() -> None:
    rows = [found(61 + number) for number in range(16)]
    (strip,) = strips_of(rows, written(rows).tasks[0], {}, 8, is_whole=True)
    assert strip.title == "All, the most confident first"
    assert [card.row.confidence for card in strip.cards] == [(76 - number) / 100 for number in range(16)]
    drawn = strips_of(rows, written(rows).tasks[0], {}, 8, is_whole=False)
    more = strips_of([*rows, found(99)], written(rows).tasks[0], {}, 8, is_whole=True)
    assert [strip.key for strip in drawn] == [strip.key for strip in more] == ["most", "least", "near", "sample"]


def test_the_page_counts_every_image_once_and_lists_its_tasks() -> None:
    second = [found(number, task="ratings", tag="bad", label="bad") for number in range(20)]
    rows = [found(number) for number in range(90, 100)] + second
    facts = written(rows).tasks[0]
    other = TaskFacts("ratings", "", "NA", {}, [])
    text, about = render(written(rows, tasks=[facts, other]), "x")
    page = read_html(text)
    assert [(item.one("a").attributes["href"], item.text) for item in page.one("ul", "tasks").all("li")] == [
        ("#task-1", "flowers 10 rows, 1 tag"),
        ("#task-2", "ratings 20 rows, 1 tag"),
    ]
    images = {card.attributes["data-image"] for card in page.all("figure", "card")}
    assert page.one("output").text == f"{len(images)} images"
    assert about.images == len(images) < len(list(page.all("figure", "card")))


def test_tags_are_told_apart_by_people_with_any_colour_blindness_and_then_by_hatching() -> None:
    inks = tag_inks([f"tag {number}" for number in range(14)], "NA")
    colours = {ink.colour for ink in inks.values()}
    assert min(distance(a, b, sight) for a, b in combinations(colours, 2) for sight in SIGHTS) > 15
    assert len(set(inks.values())) == 15
    assert distance("#c2703d", "#8a9a3b", "deuteranopia") == pytest.approx(2.7, abs=0.1)


def test_strips_use_up_the_thumbnails_and_stay_whole_lines() -> None:
    assert [strip_length(*numbers) for numbers in ((0, 5), (200, 5), (200, 2), (5000, 1), (10, 0))] == [8, 8, 24, 24, 8]


def test_everything_of_a_hostile_bundle_is_text(hostile: tuple[str, Element]) -> None:
    text, page = hostile
    assert len(list(page.all("script"))) == len(list(page.all("style"))) == 1
    assert {image.attributes["src"][:11] for image in page.all("img") if image.attributes["src"]} == {"data:image/"}
    for element in page.all():
        assert not [name for name in element.attributes if name.startswith("on") or name == "style"], element.tag
    assert SCRIPT in page.one("pre").text
    cards = [card for card in page.all("figure", "card") if "<script>" in card.one("b").text]
    assert {len(card.attributes["data-ancestry"] or "") for card in cards} == {2_000}
    assert "window.harmed" not in page.one("script").text
    assert text.count("<script") == 1


def test_only_web_addresses_are_links(hostile: tuple[str, Element]) -> None:
    links = [link.attributes["href"] or "" for link in hostile[1].all("a")]
    assert {link[:8] for link in links if not link.startswith("#")} == {"https://", "http://e"}
    assert not any("@" in link or '"' in link or "<" in link for link in links)
    assert [link_of(url) for url in HOSTILE_URLS[:6]] == [None] * 6
    assert link_of(HOSTILE_URLS[6]) == "http://evil.example/x.jpg", "a user name that looks like a host is left out"
    assert link_of(HOSTILE_URLS[7]) == "https://evil.example/%22%20onmouseover=%22window.harmed=1"
    assert link_of(HOSTILE_URLS[9]) is None
    assert link_of(None) is None


def test_the_browser_is_told_to_run_the_pages_own_script_and_nothing_else(hostile: tuple[str, Element]) -> None:
    text, page = hostile
    (policy,) = [meta.attributes["content"] or "" for meta in page.all("meta") if "http-equiv" in meta.attributes]
    for name in ("script", "style"):
        (content,) = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = base64.b64encode(sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'; img-src data:;" in policy
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//(?!evil|content)", text)


def test_a_label_that_looks_like_a_formula_is_drawn_as_it_is(hostile: tuple[str, Element]) -> None:
    assert "$\\frac" in "".join(ElementTree.fromstring(drawing(hostile[1])).itertext())


def test_an_output_without_documents_thumbnails_or_scores_still_has_a_page() -> None:
    facts = TaskFacts("flowers", "", "", {}, [])
    text, about = render(written(FAILED, runs=[], tasks=[facts], thumbnails=0), "report/index.html")
    page = read_html(text)
    assert about.images == 2
    assert page.one("h1").text == "Tags"
    assert [item.one("a").text for item in page.all("li", "entry")] == [row.url for row in FAILED]


def test_the_page_says_what_was_attempted_what_came_and_what_is_otherwise_than_before() -> None:
    made = written(ROWS[:20], thumbnails=0)
    summary = {
        **made.runs[0]["summary"],
        "work": {"downloaded": 18, "rows": {"fetch": 20}},
        "changes": {"flowers": {"new": 1_200, "changed": 3, "gone": 0}},
    }
    text, _ = render(replace(made, runs=[{**made.runs[0], "summary": summary}, *made.runs]), "report/index.html")
    page = read_html(text)
    tiles = {tile.one("dt").text: tile.one("dd").text for tile in page.one("dl", "tiles").all("div")}
    assert (tiles["attempted"], tiles["downloaded"]) == ("20", "18")
    assert "since the run before 1,200 new, 3 with another tag, 0 gone" in page.one("section", "task").text
    (runs,) = [table for table in page.one("footer").all("table") if "new, changed, gone" in table.text]
    lines = [list(line.all("td"))[4].text for line in runs.one("tbody").all("tr")]
    assert lines == ["1,200, 3, 0", ""], "a run of before says nothing of it"


def test_a_picture_carries_what_was_kept_of_its_row() -> None:
    rows = [row._replace(kept=(("rights", "CC BY <b>Jo</b>"), ("sciname", "Rosa"))) for row in ROWS[:5]]
    text, _ = render(written(rows, thumbnails=5), "report/index.html")
    card = next(iter(read_html(text).all("figure", "card")))
    assert [fact.text for fact in card.all("span", "kept")] == ["rights: CC BY <b>Jo</b>", "sciname: Rosa"]


def test_an_image_with_several_tags_stands_in_the_gallery_of_each_with_the_confidence_of_that_tag() -> None:
    both = {"tag": "rose|thorn", "rule": "sure|sharp", "label": "roses", "confidence": 0.9, "confidences": (0.9, 0.4)}
    rows = [found(n, **both) for n in range(6)]
    rows += [found(n, tag="rose", rule="person", label="roses", confidence=0.8, confidences=(0.7,)) for n in (6, 7)]
    rows += [found(8, tag="NA", rule=None, label="thorns", confidence=0.3)]
    content = written(rows)
    rules = [*content.tasks[0].rules, ("sharp", "scores['thorns'] > 0.3", "thorn")]
    task = replace(content.tasks[0], has_several=True, rules=rules)
    page = read_html(render(replace(content, tasks=[task]), "index.html")[0])
    assert cells(page, "Tags") == [["rose", "8", "89%"], ["thorn", "6", "67%"], ["NA", "1", "11%"]]
    assert [line[-1] for line in cells(page, "Rules, each that holds gives its tag")] == ["6", "6", "2", "1"]
    shown = {
        tag: {
            card.attributes["data-confidence"]
            for card in page.all("figure", "card")
            if card.attributes["data-tag"] == tag
        }
        for tag in ("rose", "thorn", "NA", "rose|thorn")
    }
    assert shown == {"rose": {"0.9", "0.7"}, "thorn": {"0.4"}, "NA": {"0.3"}, "rose|thorn": set()}
