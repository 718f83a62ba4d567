"""`python -m train classify`: files, folders, URLs and lists, judged as the Spark job would."""

import ast
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eoltag.image.decode import decode
from eoltag.model.engines import load_engine
from eoltag.model.outputs import OUTPUTS
from eoltag.model.outputs.classes import softmax
from eoltag.model.package import read_package, unpack, write_card
from tests.support.loopback import Loopback
from train.__main__ import main


def classify(capsys: pytest.CaptureFixture[str], package: Path, *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and rows of `python -m train classify ... --json`."""
    capsys.readouterr()
    code = main(["classify", str(package), *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def images(sample_images: Path, tmp_path: Path) -> Path:
    """One image of each of three classes in a folder, with things beside them that are no images."""
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(next((sample_images / "photo").glob("*_0001.*")), folder / "a.jpg")
    shutil.copy(next((sample_images / "map").glob("*_0001.*")), folder / "deep" / "b.jpg")
    shutil.copy(next((sample_images / "herbarium_sheet").glob("*_0001.*")), folder / "deep" / "without_suffix")
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.jpg").write_bytes((folder / "a.jpg").read_bytes())
    return folder


def by_hand(package_path: Path, file: Path) -> tuple[str, float, float]:
    """Label, probability and logit of one image by the parts that the job is made of."""
    package = read_package(package_path)
    engine = load_engine(
        "openvino", unpack(package.pack("openvino")), batch_size=1, threads=1, keras_backend="tensorflow"
    )
    pixels = decode(file.read_bytes(), [package.card.spec], 10**8).pixels[0]
    (verdict,) = package.card.verdicts(engine.predict(pixels[None]))
    return verdict.label, verdict.confidence, verdict.logit


def test_a_row_says_what_the_parts_of_the_job_say(
    small_package: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, rows = classify(capsys, small_package, images / "a.jpg", images / "deep" / "b.jpg")
    assert code == 0
    for row, name in zip(rows, ("a.jpg", "deep/b.jpg"), strict=True):
        label, confidence, logit = by_hand(small_package, images / name)
        assert (row["path"], row["label"], row["outcome"], row["detail"]) == (str(images / name), label, "ok", None)
        assert row["confidence"] == pytest.approx(confidence, abs=1e-5)
        assert row["logit"] == pytest.approx(logit, abs=1e-4)
        assert sum(row["scores"].values()) == pytest.approx(1, abs=1e-6)
        assert list(row["scores"]) == list(read_package(small_package).card.labels)
        assert row["scores"][label] == row["confidence"] == max(row["scores"].values())


def test_most_training_images_are_recognised(
    small_package: Path, sample_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, rows = classify(capsys, small_package, sample_images)
    assert (code, len(rows)) == (0, 100)
    right = [row for row in rows if row["label"] == Path(row["path"]).parent.name]
    assert len(right) >= 80


def test_both_engines_agree(small_package: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {
        name: classify(capsys, small_package, images, "--engine", name)[1] for name in ("auto", "openvino", "keras")
    }
    assert found["auto"] == found["openvino"]
    for one, other in zip(found["openvino"], found["keras"], strict=True):
        assert (one["path"], one["label"]) == (other["path"], other["label"])
        assert one["logit"] == pytest.approx(other["logit"], abs=1e-4)


def test_a_folder_is_searched_for_images_by_content(
    small_package: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, rows = classify(capsys, small_package, images)
    paths = [str(Path(row["path"]).relative_to(images)) for row in rows]
    assert paths == ["a.jpg", "deep/b.jpg", "deep/without_suffix"]
    assert {row["outcome"] for row in rows} == {"ok"}


def test_what_cannot_be_read_is_a_row_and_the_rest_goes_on(
    small_package: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "page.jpg").write_text("<html>")
    (images / "cut.jpg").write_bytes((images / "a.jpg").read_bytes()[:300])
    arguments = [images / "cut.jpg", images / "none.jpg", images / "a.jpg", images / "page.jpg", images / "notes.txt"]
    code, rows = classify(capsys, small_package, *arguments)
    assert code == 0
    assert [row["path"] for row in rows] == [str(argument) for argument in arguments]
    assert [row["outcome"] for row in rows] == ["truncated", "gone", "ok", "not_image", "not_image"]
    failed = rows[1]
    assert failed["detail"] == "no such file"
    assert [failed[key] for key in ("label", "confidence", "logit", "scores")] == [None] * 4


def test_it_fails_when_no_image_could_be_read(
    small_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, rows = classify(capsys, small_package, tmp_path / "none.jpg", tmp_path / "neither.png")
    assert code == 3
    assert [row["outcome"] for row in rows] == ["gone", "gone"]


def test_more_images_than_one_batch_keep_their_order(
    small_package: Path, sample_images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted((sample_images / "map").iterdir())
    files = [*files, *reversed(files)]
    _, rows = classify(capsys, small_package, *files)
    assert [row["path"] for row in rows] == [str(file) for file in files]
    assert [row["logit"] for row in rows[:20]] == pytest.approx([row["logit"] for row in rows[:19:-1]], abs=1e-4)


def test_a_list_on_stdin_is_read_line_by_line(
    small_package: Path, images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{images}/a.jpg\n\n  {images}/deep/b.jpg  \n{images}/none.jpg"))
    code, rows = classify(capsys, small_package, "-")
    assert code == 0
    assert [Path(row["path"]).name for row in rows] == ["a.jpg", "b.jpg", "none.jpg"]
    assert [row["outcome"] for row in rows] == ["ok", "ok", "gone"]


def test_urls_are_fetched_and_stand_in_the_order_given(
    small_package: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Loopback(images) as server:
        urls = [f"{server.base}/slow/0.3/a.jpg", f"{server.base}/status/404/x.jpg", f"{server.base}/files/deep/b.jpg"]
        code, rows = classify(capsys, small_package, urls[0], images / "a.jpg", *urls[1:], "--allow-private-hosts")
    assert code == 0
    assert [row["path"] for row in rows] == [urls[0], str(images / "a.jpg"), *urls[1:]]
    assert [row["outcome"] for row in rows] == ["ok", "ok", "gone", "ok"]
    assert rows[0]["scores"] == pytest.approx(rows[1]["scores"], abs=1e-5)
    assert rows[3]["label"] == by_hand(small_package, images / "deep" / "b.jpg")[0]


def test_private_hosts_are_not_asked_unless_told_to(
    small_package: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Loopback(images) as server:
        code, rows = classify(capsys, small_package, f"{server.base}/files/a.jpg")
        assert server.requests == []
    assert (code, rows[0]["outcome"]) == (3, "blocked_host")


def test_a_dictionary_is_printed_as_decathlons_toolkit_prints_it(
    small_package: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", str(small_package), str(images / "a.jpg"), "--format", "dict"]) == 0
    found = ast.literal_eval(capsys.readouterr().out)
    assert set(found) == set(read_package(small_package).card.labels)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert main(["classify", str(small_package), str(images / "a.jpg"), "--format", "dict", "--top", "2"]) == 0
    assert ast.literal_eval(capsys.readouterr().out) == dict(list(found.items())[:2])


def test_the_table_shows_the_best_labels_first(
    small_package: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, rows = classify(capsys, small_package, images / "a.jpg")
    assert main(["classify", str(small_package), str(images / "a.jpg"), str(images / "none.jpg"), "--top", "2"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    best = sorted(rows[0]["scores"].items(), key=lambda item: -item[1])[:2]
    assert head.split() == ["path", "logit", "label"]
    shown = [str(images / "a.jpg"), f"{rows[0]['logit']:.3f}"]
    assert first.split() == [*shown, *(word for label, share in best for word in (label, f"{share:.3f}"))]
    assert second.split(maxsplit=2) == [str(images / "none.jpg"), "-", "gone: no such file"]


def test_predictions_are_the_best_labels_by_falling_probability(
    small_package: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (images / "a.jpg", images / "deep" / "b.jpg", images / "none.jpg")
    _, [*good, bad] = classify(capsys, small_package, *arguments, "--top", "3")
    assert bad["predictions"] is None
    assert good[0]["predictions"] != good[1]["predictions"]
    for row in good:
        best = sorted(row["scores"].items(), key=lambda item: -item[1])[:3]
        assert row["predictions"] == [{"label": label, "probability": share} for label, share in best]
        assert (row["predictions"][0]["label"], row["predictions"][0]["probability"]) == (
            row["label"],
            row["confidence"],
        )
    _, [alone] = classify(capsys, small_package, images / "a.jpg")
    assert alone["predictions"] == [{"label": alone["label"], "probability": alone["confidence"]}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["PACKAGE", "EMPTY"], "no images"),
        (["PACKAGE", "FOLDER_OF_TEXT"], "no images"),
        (["PACKAGE", "a.jpg", "--top", "0"], "--top: wanted 1 or more. Received: 0"),
        (["EMPTY", "a.jpg"], "not a model package"),
        (["PACKAGE", "a.jpg", "--engine", "torch"], "invalid choice: 'torch'"),
        (["PACKAGE"], "required: PATH"),
    ],
)
def test_a_mistake_is_one_line(
    small_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    places = {"PACKAGE": small_package, "EMPTY": tmp_path / "empty", "FOLDER_OF_TEXT": tmp_path / "text"}
    capsys.readouterr()
    assert main(["classify", *(str(places.get(argument, argument)) for argument in arguments)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert message in said.err


def test_a_package_without_openvino_runs_on_keras(
    small_package: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "keras only").mkdir()
    shutil.copy(small_package / "model.keras", tmp_path / "keras only")
    write_card(tmp_path / "keras only", read_package(small_package).card)
    assert read_package(tmp_path / "keras only").engines == ("keras",)
    _, rows = classify(capsys, tmp_path / "keras only", images / "a.jpg")
    assert rows[0]["label"] == by_hand(small_package, images / "a.jpg")[0]
    assert main(["classify", str(tmp_path / "keras only"), str(images / "a.jpg"), "--engine", "openvino"]) == 2
    assert "engine 'openvino' needs" in capsys.readouterr().err


# --- scores


def test_probabilities_add_up_and_are_stable() -> None:
    logits = np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]], np.float32)
    found = softmax(logits, 1.0)
    assert found.dtype == np.float32
    wanted = [[0.09003057, 0.24472848, 0.66524094], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(found, wanted, atol=1e-7)


def test_a_higher_temperature_is_less_sure_and_keeps_the_label_and_the_logit() -> None:
    logits = np.array([[0.5, 2.5], [3.0, 1.0]], np.float32)
    cold, warm = (
        OUTPUTS["classes"].verdicts(logits, ("a", "b"), 1.0),
        OUTPUTS["classes"].verdicts(logits, ("a", "b"), 2.0),
    )
    assert [verdict.label for verdict in warm] == ["b", "a"]
    assert [verdict.logit for verdict in warm] == [verdict.logit for verdict in cold] == [2.5, 3.0]
    assert warm[0].confidence == pytest.approx(1 / (1 + np.exp(-1)))
    assert cold[0].confidence == pytest.approx(1 / (1 + np.exp(-2)))
    assert cold[1].scores == pytest.approx({"a": 1 / (1 + np.exp(-2)), "b": 1 / (1 + np.exp(2))})
    assert type(cold[0].logit) is type(cold[0].confidence) is float


def test_the_first_label_wins_a_tie_and_shifted_labels_are_refused() -> None:
    assert OUTPUTS["classes"].verdicts(np.zeros((1, 2), np.float32), ("a", "b"), 1.0)[0].label == "a"
    assert OUTPUTS["classes"].verdicts(np.zeros((0, 2), np.float32), ("a", "b"), 1.0) == []
    with pytest.raises(ValueError, match=r"shape \(N, 3\) were wanted"):
        OUTPUTS["classes"].verdicts(np.zeros((1, 2), np.float32), ("a", "b", "c"), 1.0)


def test_a_card_with_a_temperature_is_heeded(
    small_package: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(small_package, tmp_path / "warm")
    write_card(tmp_path / "warm", read_package(small_package).card.model_copy(update={"temperature": 4.0}))
    (_, [plain]), (_, [warm]) = (
        classify(capsys, path, images / "a.jpg") for path in (small_package, tmp_path / "warm")
    )
    assert (warm["label"], warm["logit"]) == (plain["label"], plain["logit"])
    assert warm["confidence"] < plain["confidence"]
