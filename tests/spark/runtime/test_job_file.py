"""The [job] table of a settings file says what the command line would, and the command line goes before it."""

from pathlib import Path

import pytest

from eoltag.errors import UsageError
from eoltag.settings import read_settings
from jobs.tag_bundles import parser, settings_of

WHOLE = """
[job]
bundle = ["one.txt", "two.txt"]
task = "kind"
output = "out"
limit = 10
refresh_older_than = 30
max_failure_rate = 0.25
quiet = true
[fetch]
attempts = 2
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A file that says all that is needed."""
    path = tmp_path / "job.toml"
    path.write_text(WHOLE)
    return path


def test_the_table_alone_is_a_whole_command(job: Path) -> None:
    words = [
        "--bundle",
        "one.txt",
        "two.txt",
        "--task",
        "kind",
        "--output",
        "out",
        "--limit",
        "10",
        "--refresh-older-than",
        "30",
    ]
    words += ["--refresh-older-than", "30", "--max-failure-rate", "0.25", "--quiet"]
    typed = parser().parse_args(words)
    assert {**vars(parser().parse_args(["--config", str(job)])), "config": None} == vars(typed)


def test_the_command_line_goes_before_the_table_and_replaces_lists_whole(job: Path) -> None:
    options = parser().parse_args(["--config", str(job), "--bundle", "three.txt", "--limit", "3", "--json"])
    assert (options.bundle, options.limit, options.json) == (["three.txt"], 3, True)
    assert (options.task, options.output, options.seed) == (["kind"], "out", 0)


def test_settings_are_read_from_the_same_file_and_the_table_is_none_of_them(job: Path) -> None:
    assert read_settings(job).fetch.attempts == 2


def test_what_neither_says_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text('[job]\ntask = ["kind"]\n')
    with pytest.raises(UsageError, match="the following arguments are required: --bundle, --output"):
        parser().parse_args(["--config", str(path)])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bundles = ['a']", "unknown key 'job.bundles'; known here: allow_private_hosts, bundle, delta, dry_run, "),
        ("config = 'x.toml'", "unknown key 'job.config'"),
        ("limit = 0", "key 'job.limit': a whole number from 1 was wanted. Received: '0'"),
        ("limit = true", "key 'job.limit': one value was wanted. Received: True"),
        ("seed = 1.5", "key 'job.seed': a whole number was wanted. Received: 1.5"),
        ("max_failure_rate = 'many'", "key 'job.max_failure_rate': a number was wanted. Received: 'many'"),
        ("quiet = 'yes'", "key 'job.quiet': true or false was wanted. Received: 'yes'"),
        ("output = 3", "key 'job.output': a text was wanted. Received: 3"),
        ("bundle = []", "key 'job.bundle': one or more were wanted. Received: []"),
        ("bundle = [1]", "key 'job.bundle': a text was wanted. Received: 1"),
    ],
)
def test_what_the_table_may_not_say_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text(f"[job]\n{line}\n")
    with pytest.raises(UsageError) as caught:
        parser().parse_args(["--config", str(path)])
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text("job = 3\n")
    with pytest.raises(UsageError, match=r"\[job\] was wanted as a table. Received: 3"):
        parser().parse_args(["--config", str(path)])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.toml: cannot be read"):
        parser().parse_args(["--config", str(tmp_path / "nowhere.toml")])
    whole = ["--bundle", "a", "--task", "b", "--output", "c", "--config", str(tmp_path / "nowhere.toml")]
    with pytest.raises(UsageError, match=r"nowhere\.toml: cannot be read"):
        settings_of(parser().parse_args(whole))
