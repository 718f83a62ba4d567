"""Certificates from hand-made audits: every figure checked by hand."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eoltag.__main__ import main as eoltag
from eoltag.audit.certificate import certificate, family_of, judged_images
from eoltag.audit.intervals import clopper_pearson
from eoltag.audit.sample import Drawn, Sample, draw_sample, read_samples
from eoltag.errors import DataError, OutputError
from eoltag.judgements.record import Agreed, Judgement, append
from eoltag.publish.manifest import Current, Manifest, PublishedTask
from eoltag.report.certificate import certificate_page, certificate_text


def drawn(number: int, tag: str, family: str = "Rosaceae") -> Drawn:
    url = f"https://host{number % 2}.org/{number}.jpg"
    return Drawn(url, f"c{number}", tag, 0.9, "list", number, f"Life|{family}|Rosa canina", "RGB")


IMAGES = [
    *[drawn(n, "map") for n in range(20)],
    *[drawn(n, "photo", "Felidae") for n in range(20, 30)],
    drawn(30, "unsure"),
]
ROWS = {"map": 900, "photo": 90, "unsure": 10}
SAMPLE = Sample("A1", "kind", "V1", {"main": "aaaaaaaaaaaa"}, 0, "2026-01-01T00:00:00+00:00", ROWS, "unsure", IMAGES)


def agreed(number: int, tag: str | None, task: str = "kind") -> Agreed:
    return Agreed(task, f"c{number}", "", tag, {})


def test_precision_share_slices_and_promise_are_what_the_judgements_say() -> None:
    said = [agreed(n, "map") for n in range(18)] + [agreed(18, "photo"), agreed(19, "graph"), agreed(30, "map")]
    said += [agreed(n, "photo") for n in range(20, 29)] + [agreed(29, None), agreed(0, "photo", task="other")]
    judged = judged_images(SAMPLE, said)
    assert len(judged) == 30
    found = certificate(SAMPLE, judged, {"map": {"max_error": 0.05}, "photo": {"max_error": 0.5}})
    assert (found["drawn"], found["judged"], found["right"]) == (31, 29, 27)
    maps, photos, unsure = (found["tags"][tag] for tag in ("map", "photo", "unsure"))
    assert (maps["images"], maps["right"], maps["precision"]) == (20, 18, 0.9)
    assert maps["interval"] == list(clopper_pearson(18, 20))
    assert (photos["images"], photos["precision"]) == (9, 1.0)
    assert (unsure["images"], unsure["precision"], unsure["more_to_halve"]) == (0, None, None)
    assert maps["share"] == pytest.approx((900 * 18 / 20 + 90 * 0 + 10 * 1) / 1000)
    assert photos["share"] == pytest.approx((900 / 20 + 90) / 1000)
    assert found["shares_of_other_tags"]["graph"]["share"] == pytest.approx(900 / 20 / 1000)
    assert (maps["promise"]["is_held"], photos["promise"]["is_held"]) == (True, True)
    assert [(one["name"], one["images"], one["right"]) for one in found["slices"]["family"]] == [
        ("Rosaceae", 20, 18), ("Felidae", 9, 9),
    ]  # fmt: skip
    assert "task kind, publication V1: 27 of 29 audited tags are right (31 drawn)" in certificate_text(found)
    page = certificate_page(found)
    assert "27 of 29 audited tags are right" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_promise_that_cannot_be_true_any_more_is_not_held() -> None:
    judged = judged_images(SAMPLE, [agreed(n, "photo" if n < 15 else "map") for n in range(20)])
    found = certificate(SAMPLE, judged, {"map": {"max_error": 0.05}})
    assert found["tags"]["map"]["promise"]["is_held"] is False
    assert "NOT held" in certificate_text(found)


@pytest.mark.parametrize(
    ("ancestry", "family"),
    [
        ("Life|Plantae|Rosaceae|Rosa", "Rosaceae"),
        ("Animalia/Felidae/Felis", "Felidae"),
        ("Life|Rosa", None),
        (None, None),
    ],
)
def test_the_family_is_told_by_the_end_of_its_name(ancestry: str | None, family: str | None) -> None:
    assert family_of(Drawn("u", "c", "map", None, "b", 1, ancestry, None)) == family


MODELS = pa.map_(pa.string(), pa.struct([("label", pa.string()), ("confidence", pa.float32())]))


def said_by_two_models(number: int) -> list[tuple[str, dict[str, object]]]:
    """The second one says nothing of every tenth image, and something else of every fourth."""
    first: tuple[str, dict[str, object]] = ("main", {"label": "map", "confidence": 0.9})
    second: dict[str, object] = {"label": "map" if number % 4 else "photo", "confidence": 0.5}
    return [first, ("second", second)] if number % 10 else [first]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A publication of 500 maps, 30 photos, 10 failures, and the answers behind it."""
    tags = ["map"] * 500 + ["photo"] * 30 + [None] * 10
    urls = [f"https://eol.org/{number}.jpg" for number in range(540)]
    task = PublishedTask(
        540, {}, {"main": "aaaaaaaaaaaa", "second": "bbbbbbbbbbbb"}, {"missing": "NA"}, {}, ["list"], "", ""
    )
    manifest = Manifest("V1", "", "", "", "", "", "", "", {"kind": task})
    tables = {
        "published/V1/tags/task=kind": {
            "bundle": ["list"] * 540, "bundle_row": list(range(540)), "eolMediaURL": urls, "ancestry": ["Life"] * 540,
            "tag": tags, "confidence": [0.9] * 540, "outcome": ["ok"] * 530 + ["gone"] * 10, "rule": ["sure"] * 540,
            "models": pa.array([said_by_two_models(number) for number in range(540)], MODELS),
        },
        "images": {
            "eolMediaURL": urls[:530], "content_sha256": [f"c{n}" for n in range(530)], "color_mode": ["RGB"] * 530,
            "outcome": ["ok"] * 530, "asked_at": list(range(530)),
        },
    }  # fmt: skip
    for name, columns in tables.items():
        (tmp_path / name).mkdir(parents=True)
        pq.write_table(pa.table(columns), tmp_path / name / "part-0.parquet")
    (tmp_path / "published/current.json").write_text(Current("V1", "").as_json())
    (tmp_path / "published/V1/manifest.json").write_text(manifest.as_json())
    return tmp_path


def test_an_audit_is_drawn_judged_and_certified_by_its_command(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(output), "--task", "kind"]
    assert eoltag(["audit", *words, "--images", "100"]) == 0
    (sample,) = read_samples(output)
    assert len(sample.images) == 100
    assert sum(one.tag == "photo" for one in sample.images) >= 20
    assert {one.content_sha256 for one in sample.images} <= {f"c{n}" for n in range(530)}
    assert eoltag(["audit", *words]) == 2
    assert "100 of 100 images are not judged yet" in capsys.readouterr().err
    said = [
        Judgement("Anna", "kind", one.url, one.content_sha256, one.tag, one.tag, sample.reason) for one in sample.images
    ]
    append(output, said[:60])
    assert eoltag(["audit", *words]) == 2
    assert eoltag(["audit", *words, "--partial"]) == 0
    append(output, said[60:])
    capsys.readouterr()
    assert eoltag(["audit", *words, "--max-error", "0.05"]) == 0
    found = json.loads((output / "certificates/kind.json").read_text())
    assert (found["judged"], found["right"], found["models"]["main"]) == (100, 100, "aaaaaaaaaaaa")
    read_rows = [number for number in range(530) if number % 10]
    same = sum(1 for number in read_rows if number % 4)
    assert found["agreement"] == [
        {"models": ["main", "second"], "images": len(read_rows), "same": same, "share": same / len(read_rows)}
    ]
    assert found["slices"]["rule"][0]["name"] == "sure"
    assert found["thresholds"]["tags"]["map"]["threshold"] == 0.9
    assert found["thresholds"]["tags"]["photo"]["threshold"] is None
    printed = capsys.readouterr().out
    assert f"models main and second agree on {same / len(read_rows):.1%} of {len(read_rows)} images" in printed
    assert "  map: confidence >= 0.9 (0 wrong of " in printed
    page = (output / "report/certificate_kind.html").read_text()
    assert "Thresholds, chosen again from this audit" in page
    assert "main and second: on " in page
    assert f"of {len(read_rows)} published images" in page
    assert eoltag(["audit", *words, "--max-error", "5"]) == 2
    assert "--max-error: wanted a share above 0 and below 1" in capsys.readouterr().err


def test_what_cannot_be_audited_is_said_in_one_line(output: Path) -> None:
    with pytest.raises(DataError, match="publication V1 has no task 'other'; it has kind"):
        draw_sample(output, "other", 10, 0)
    (output / "published/current.json").unlink()
    with pytest.raises(OutputError, match="run eoltag publish first"):
        draw_sample(output, "kind", 10, 0)
