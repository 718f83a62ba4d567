"""`evaluate --tags`: precision and recall of the tags of an output, against a table that people filled in."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from train.__main__ import main

TAGS = {"a": "bad", "b": "bad", "c": "bad", "d": "NA", "e": "NA", "f": None}
TRUTH = {"a": "bad", "b": "bad", "c": "NA", "d": "bad", "e": "NA", "f": "bad", "g": "bad"}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Tags of a task as the job leaves them; the image f could not be read."""
    write_tags(tmp_path / "output", "rating", TAGS)
    return tmp_path / "output"


def write_tags(output: Path, task: str, tags: dict[str, str | None]) -> None:
    folder = output / "tags" / f"task={task}"
    folder.mkdir(parents=True)
    (folder / "_SUCCESS").touch()
    urls = [f"https://eol.org/{name}.jpg" for name in tags]
    pq.write_table(pa.table({"eolMediaURL": urls, "tag": list(tags.values())}), folder / "part-0.parquet")


def write_truth(path: Path, header: str = "eolMediaURL,tag") -> Path:
    mark = "\t" if "\t" in header else ","
    lines = [header, *(f"https://eol.org/{name}.jpg{mark}{tag}" for name, tag in TRUTH.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return path


def judged(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    assert main(["evaluate", *map(str, words), "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize("header", ["eolMediaURL,tag", "URL\tlabel"])
def test_precision_and_recall_are_those_of_a_count_by_hand(
    header: str, output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = judged(capsys, "--tags", output, "--labels", write_truth(tmp_path / "truth.csv", header))
    assert found["images"] == {"labelled": 5, "failed": 1, "not_in_output": 1}
    bad = found["per_tag"]["bad"]
    assert (bad["tagged"], bad["labelled"], bad["right"]) == (3, 3, 2)
    assert (bad["precision"], bad["recall"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found["per_tag"]["NA"]["precision"] == pytest.approx(1 / 2)
    assert found["accuracy"] == pytest.approx(3 / 5)
    low, high = bad["precision_interval"]
    assert low < 2 / 3 < high


def test_of_several_tasks_one_is_named(output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tags(output, "other", {"a": "x"})
    words = ("--tags", output, "--labels", write_truth(tmp_path / "truth.csv"))
    assert main(["evaluate", *map(str, words)]) == 2
    assert "holds the tags of other, rating; wanted --task with one of them" in capsys.readouterr().err
    assert judged(capsys, *words, "--task", "other")["images"]["labelled"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tags", "OUTPUT"], "--tags wants --labels FILE"),
        (["--tags", "NOWHERE", "--labels", "TRUTH"], "wanted the output directory of jobs/tag_bundles.py"),
        (["--tags", "OUTPUT", "--labels", "TRUTH", "--task", "x"], "has no tags of 'x'; there: rating"),
        (["--tags", "OUTPUT", "--labels", "OTHER"], "wanted a column tag or label or class. Received: url, colour"),
        (["--tags", "OUTPUT", "--labels", "STRANGE"], "none of its 1 images is in the tags of task 'rating'"),
        ([], "wanted PACKAGE and DIR, or --tags and --labels"),
    ],
)
def test_a_mistake_is_one_line(
    words: list[str], said: str, output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.csv").write_text("url,colour\nhttps://eol.org/a.jpg,red\n")
    (tmp_path / "strange.csv").write_text("url,tag\nhttps://eol.org/zzz.jpg,bad\n")
    names = {
        "OUTPUT": output,
        "NOWHERE": tmp_path,
        "TRUTH": write_truth(tmp_path / "truth.csv"),
        "OTHER": tmp_path / "other.csv",
        "STRANGE": tmp_path / "strange.csv",
    }
    assert main(["evaluate", *(str(names.get(word, word)) for word in words)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]


@pytest.mark.parametrize(
    ("header", "lines", "fruit"),
    [
        ("url,tag", ["a,fruit|flower", "b,flower", "c,flower", "d,none"], (2, 1, 1)),
        ("url,labels,absent", ["a,flower|fruit,*", "b,flower,", "c,flower,fruit", "d,,*"], (2, 1, 1)),
        ("url,labels,absent", ["a,flower|fruit,", "b,flower,", "c,flower,", "d,,*"], (1, 1, 1)),
    ],
)
def test_an_image_with_several_tags_counts_for_each(
    header: str, lines: list[str], fruit: tuple[int, int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tags(tmp_path, "plants", {"a": "flower|fruit", "b": "flower", "c": "flower|fruit", "d": "none", "e": None})
    (tmp_path / "decided").mkdir()
    content = {"multiple": True, "missing": "none", "rules": []}
    (tmp_path / "decided/plants.json").write_text(json.dumps({"task": {"content": content}}))
    table = tmp_path / "truth.csv"
    rows = [line.split(",", 1) for line in lines]
    table.write_text("\n".join([header, *(f"https://eol.org/{name}.jpg,{rest}" for name, rest in rows)]))
    found = judged(capsys, "--tags", tmp_path, "--labels", table)
    assert list(found["per_tag"]) == ["flower", "fruit", "none"]
    row = found["per_tag"]["fruit"]
    assert (row["tagged"], row["labelled"], row["right"]) == fruit
    assert (found["per_tag"]["flower"]["precision"], found["per_tag"]["none"]["recall"]) == (1.0, 1.0)
    assert found["accuracy"] == (1.0 if fruit[0] == 1 else 0.75)
