"""The tutorials are walked through, one after the other in a fresh clone: every command and cell as it stands there."""

import re
import tomllib
from collections.abc import Iterator
from typing import Final

import pytest

from tests.cluster.hadoop import free_port
from tests.support.clone import Clone, commands, fresh_clone
from tests.support.loopback import Loopback
from tests.support.readme import blocks, page, section

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

BUNDLE: Final = page("tutorials/tag-a-bundle.md")
NEW_TASK: Final = page("tutorials/a-new-task.md")
CLUSTER: Final = page("tutorials/on-a-cluster.md")
NOTEBOOK: Final = page("tutorials/from-a-notebook.md")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """One for all pages: some go on where another ended."""
    with fresh_clone(tmp_path_factory.mktemp("tutorials") / "clone") as made:
        made.added = {
            "sample-data": ["--max-side", "64"],
            "fit": ["--set", "epochs=2", "--set", "image_size_px=32"],
            "jobs/tag_bundles.py": ["--allow-private-hosts"],
        }
        made.put = {"./spark-submit.sh jobs": "./spark-submit.sh --master 'local[2]' --driver-memory 2g jobs"}
        yield made


@pytest.fixture(scope="module")
def server(clone: Clone) -> Iterator[Loopback]:
    """The pictures of the reader's list; there is a model for them as well."""
    clone.walk(commands(section("1. Get a model", BUNDLE)))
    pictures = clone.folder / "build/pictures"
    with Loopback(pictures) as running:
        names = [path.relative_to(pictures).as_posix() for path in sorted(pictures.rglob("*_000[1-4].*"))]
        urls = [*(running.url(f"/files/{name}") for name in names), running.url("/status/404/none.png")]
        (clone.folder / "mine/list.txt").write_text("\n".join(urls) + "\n")
        yield running


@pytest.fixture(scope="module")
def tagged(clone: Clone, server: Loopback) -> list[str]:
    """What the commands of the first page say, up to `head`."""
    assert server.requests == []
    given = commands(BUNDLE)
    said = clone.walk(given[2:6])
    assert len(server.requests) == 10 + 21
    return [*said, *clone.walk(given[6:])]


def cells(text: str) -> str:
    """The Python blocks of a page, as one program: each goes on with what the one before has made."""
    return "\n".join(blocks("python", text))


def program(clone: Clone, name: str, text: str) -> str:
    """What a program prints that a reader types at the project's folder."""
    (clone.folder / "mine" / name).write_text(text)
    return clone.run(f"python mine/{name}")


def test_a_bundle_is_tagged_published_and_verified(clone: Clone, server: Loopback, tagged: list[str]) -> None:
    plan, first, _, again, head, published, verified = tagged
    assert "21" in plan
    assert "10 images attempted" in first
    assert "nothing to do" in again
    assert len(head.splitlines()) == 3
    assert (clone.folder / "mine/output/published/current.json").is_file(), published
    assert "nothing is wrong" in verified
    assert len(server.requests) == 31
    assert re.search(r"gone +│ +NULL", program(clone, "look.py", cells(BUNDLE)))


def test_a_new_task_makes_no_request(clone: Clone, server: Loopback, tagged: list[str]) -> None:
    assert tagged
    asked = len(server.requests)
    (task,) = blocks("toml", NEW_TASK)
    (clone.folder / "mine/drawings.toml").write_text(task)
    plan, _, head, *_ = clone.walk(commands(NEW_TASK))
    assert "scores" in plan
    assert len(head.splitlines()) == 3
    assert len(server.requests) == asked
    (rule,) = tomllib.loads((clone.folder / "mine/drawings.toml").read_text())["rules"]
    assert rule["when"].endswith(">= 0.9")


def test_a_job_runs_on_a_cluster_that_loses_a_worker(clone: Clone, tagged: list[str]) -> None:
    assert tagged
    clone.put = {
        **clone.put,
        "7077": str(free_port()),
        "--port": "--webui-port 0 --port",
        "Worker --": "Worker --webui-port 0 --",
    }
    clone.walk(commands(CLUSTER))


def test_a_notebook_tags_a_dataframe(clone: Clone, server: Loopback, tagged: list[str]) -> None:
    assert tagged
    asked = len(server.requests)
    text = cells(NOTEBOOK).replace('"requests_per_s": 5.0', '"requests_per_s": 50.0, "allow_private_hosts": True')
    said = program(clone, "notebook.py", text.replace("builder.getOrCreate", 'builder.master("local[2]").getOrCreate'))
    assert re.search(r"gone *\| *NULL *\| *1\|", said)
    assert len(server.requests) - asked == 5 + 21
