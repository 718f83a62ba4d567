"""What a running service knows of the judgements is what reading all of them anew would give."""

import json
import random
from dataclasses import asdict, replace
from pathlib import Path

from eoltag.judgements.follow import Follower
from eoltag.judgements.record import Judgement, append, file_of, latest, read

ANNA = Judgement("Anna", "kind", "https://eol.org/a.jpg", "a" * 64, "map", "photo", "uncertain", {"main": "v"}, "1")


def anew(output: Path, person: str) -> dict[tuple[str, str], Judgement]:
    return {key[:2]: one for key, one in latest(read(output)).items() if key[2] == person}


def test_it_holds_what_reading_all_anew_gives_whatever_comes_and_is_taken_back(tmp_path: Path) -> None:
    follower, chance = Follower(tmp_path), random.Random(0)
    for step in range(120):
        one = replace(
            ANNA,
            person=chance.choice(["Anna", "Ben"]),
            content_sha256=chance.choice("abcdef") * 64,
            said_tag=chance.choice(["map", "photo", None]),
            judged_at=f"{chance.randrange(10_000):05}",
            is_withdrawn=chance.random() < 0.3,
            id=chance.choice([f"id-{step}", ""]),
        )
        append(tmp_path, [one] * (2 if one.id and chance.random() < 0.5 else 1))  # a page may send one twice
        if step % 7 == 0:
            for name in ("Anna", "Ben", "Cleo"):
                assert follower.of(name) == anew(tmp_path, name)


def test_a_line_that_is_being_written_is_taken_once_it_is_whole(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    assert follower.of("Anna") == {}
    append(tmp_path, [ANNA])
    line = json.dumps(asdict(replace(ANNA, content_sha256="b" * 64))) + "\n"
    with file_of(tmp_path, "Anna").open("a") as file:
        file.write(line[:40])
        file.flush()
        assert len(follower.of("Anna")) == 1
        file.write(line[40:])
    assert len(follower.of("Anna")) == 2


def test_files_that_were_replaced_by_hand_are_read_anew(tmp_path: Path) -> None:
    follower = Follower(tmp_path)
    append(tmp_path, [ANNA, replace(ANNA, content_sha256="b" * 64)])
    assert len(follower.of("Anna")) == 2
    file_of(tmp_path, "Anna").write_text("")
    assert follower.of("Anna") == {}
    file_of(tmp_path, "Anna").unlink()
    append(tmp_path, [ANNA])
    assert list(follower.of("Anna")) == [ANNA.key]
