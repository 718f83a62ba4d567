"""Judgements: appended by several people, taken back, agreed on or not."""

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from eoltag.errors import DataError
from eoltag.judgements.exchange import label_studio_tasks, read_csv, read_label_studio, write_csv
from eoltag.judgements.record import Judgement, agreed, append, file_of, latest, now, read
from eoltag.judgements.task_tags import TaskTags, read_task_tags

ANNA = Judgement("Anna", "kind", "https://eol.org/a.jpg", "a" * 64, "map", "photo", "uncertain", {"main": "v"}, "1")


def write_many(output: Path, person: str) -> None:
    for number in range(200):
        append(output, [replace(ANNA, person=person, content_sha256=f"{person}{number}", judged_at=now())])


def test_what_several_write_at_once_is_all_there(tmp_path: Path) -> None:
    people = ["Anna", "Anna", "Ben"]
    workers = [multiprocessing.Process(target=write_many, args=(tmp_path, person)) for person in people]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(read(tmp_path)) == 600
    assert len(latest(read(tmp_path))) == 400


def test_a_line_that_a_kill_cut_short_harms_no_other(tmp_path: Path) -> None:
    append(tmp_path, [ANNA])
    with file_of(tmp_path, "Anna").open("a") as file:
        file.write('{"person": "Anna", "ta')
    append(tmp_path, [replace(ANNA, judged_at="2")])
    assert [one.judged_at for one in read(tmp_path)] == ["1", "2"]


def test_a_judgement_that_is_taken_back_leaves_the_one_before(tmp_path: Path) -> None:
    append(
        tmp_path, [ANNA, replace(ANNA, said_tag="map", judged_at="2"), replace(ANNA, judged_at="3", is_withdrawn=True)]
    )
    assert [one.said_tag for one in latest(read(tmp_path)).values()] == ["photo"]
    append(tmp_path, [replace(ANNA, judged_at="4", is_withdrawn=True), replace(ANNA, judged_at="5", is_withdrawn=True)])
    assert latest(read(tmp_path)) == {}


def test_people_who_say_the_same_decide_and_others_are_listed(tmp_path: Path) -> None:
    ben = replace(ANNA, person="Ben")
    append(
        tmp_path,
        [ANNA, ben, replace(ben, content_sha256="b" * 64), replace(ANNA, content_sha256="b" * 64, said_tag="map")],
    )
    append(tmp_path, [replace(ANNA, content_sha256="c" * 64, said_tag=None), replace(ben, content_sha256="c" * 64)])
    append(tmp_path, [replace(ANNA, content_sha256="d" * 64, said_tag=None)])
    found = {one.content_sha256[0]: (one.tag, one.is_disputed) for one in agreed(read(tmp_path))}
    assert found == {"a": ("photo", False), "b": (None, True), "c": ("photo", False), "d": (None, False)}


def test_a_name_makes_no_path(tmp_path: Path) -> None:
    assert file_of(tmp_path, "../../etc/x").parent == tmp_path / "judgements"
    assert file_of(tmp_path, "").name == "somebody.jsonl"


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "judgements").mkdir()
    (tmp_path / "judgements/x.jsonl").write_text('{"who": 1}\n')
    with pytest.raises(DataError, match=r"x\.jsonl: line 1 is no judgement"):
        read(tmp_path)


def test_csv_goes_out_and_comes_back(tmp_path: Path) -> None:
    blank = replace(ANNA, said_tag=None, content_sha256="b" * 64)
    assert write_csv(tmp_path / "a.csv", [ANNA, blank]) == 2
    (back,) = read_csv(tmp_path / "a.csv", "Ben")
    assert back == replace(ANNA, models={})
    (tmp_path / "b.csv").write_text("content_sha256,task,said_tag\naa,kind,?\nbb,kind,map\ncc,kind,\n")
    assert [(one.person, one.said_tag) for one in read_csv(tmp_path / "b.csv", "Ben")] == [
        ("Ben", None),
        ("Ben", "map"),
    ]
    (tmp_path / "c.csv").write_text("url,tag\n")
    with pytest.raises(DataError, match=r"c\.csv: wanted a column content_sha256\. Received: url, tag"):
        read_csv(tmp_path / "c.csv", "Ben")


def test_label_studio_goes_out_and_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_text(json.dumps(label_studio_tasks([ANNA], {})))
    (back,) = read_label_studio(file, "Ben")
    assert (back.person, back.said_tag, back.shown_tag, back.content_sha256) == ("Anna", "photo", "map", "a" * 64)
    file.write_text('{"not": "a list of tasks"}')
    with pytest.raises(DataError, match="wanted Label Studio's JSON export"):
        read_label_studio(file, "Ben")


SEVERAL = replace(ANNA, shown_tag="flower", said_tag="flower|fruit", choices=["flower", "fruit", "bud"])


def test_people_agree_on_tags_one_by_one() -> None:
    same = replace(SEVERAL, person="Ben", said_tag="fruit|flower", choices=["fruit", "flower"])
    (one,) = agreed([SEVERAL, same])
    assert (one.tag, one.is_disputed) == ("flower|fruit", False), "in whatever order"
    assert (one.present, one.absent, one.disputed) == (("flower", "fruit"), ("bud",), ())
    (one,) = agreed([SEVERAL, replace(same, said_tag="flower")])
    assert (one.tag, one.is_disputed) == (None, True)
    assert (one.present, one.absent, one.disputed) == (("flower",), ("bud",), ("fruit",))
    (one,) = agreed([replace(SEVERAL, said_tag="fruit", choices=[])])
    assert (one.present, one.absent) == (("fruit",), ("flower",)), "only the shown ones were looked for"
    (one,) = agreed([replace(SEVERAL, said_tag=None)])
    assert (one.present, one.absent, one.disputed) == ((), (), ())


def test_several_tags_go_out_and_come_back(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", [SEVERAL])
    assert read_csv(tmp_path / "a.csv", "Ben") == [replace(SEVERAL, models={})]
    (task,) = label_studio_tasks([SEVERAL], {"kind": "none"})
    assert [choice["value"] for choice in task["data"]["choices"]] == ["flower", "fruit", "bud", "none"]
    assert task["annotations"][0]["result"][0]["value"]["choices"] == ["flower", "fruit"]
    (tmp_path / "a.json").write_text(json.dumps([task]))
    (back,) = read_label_studio(tmp_path / "a.json", "Ben")
    assert (back.said_tag, back.shown_tag) == ("flower|fruit", "flower")
    kind = TaskTags(True, "none", ("flower",))
    assert kind.said(back).choices == ["flower", "fruit", "bud"]
    assert kind.said(replace(back, said_tag=" fruit |flower|")).said_tag == "fruit|flower"
    assert TaskTags().said(back) == back
    assert kind.choices("flower|fruit", None, "none") == ["flower", "fruit"]


def test_what_is_known_of_a_task_comes_from_its_last_decision(tmp_path: Path) -> None:
    rules = [{"name": "f", "tag": "flower"}, {"name": "g", "tag": "fruit"}, {"name": "h", "tag": "flower"}]
    content = {"multiple": True, "missing": "none", "rules": [*rules, {"name": "i", "tag": None, "tag_sql": "label"}]}
    (tmp_path / "decided").mkdir()
    (tmp_path / "decided/kind.json").write_text(json.dumps({"task": {"content": content}}))
    assert read_task_tags(tmp_path, "kind") == TaskTags(True, "none", ("flower", "fruit"))
    assert read_task_tags(tmp_path, "other") == TaskTags()
