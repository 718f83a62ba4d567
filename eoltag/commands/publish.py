"""Publish the decided tags: what others read, complete, switched at once, and undone in one command.

eoltag publish OUTPUT --task NAME ...
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from eoltag.errors import ExitCode, SettingsError
from eoltag.places import project_root
from eoltag.publish.guards import Limits
from eoltag.settings import Settings, parse, read_settings
from eoltag.spark.requests import PublishRequest
from eoltag.spark.runtime.command import Parser, start_spark

EXAMPLES = """\
examples:
  ./spark-submit.sh jobs/publish_tags.py build/demo/output --task demo --dry-run
  ./spark-submit.sh jobs/publish_tags.py build/demo/output --task demo --license CC0-1.0
  ./spark-submit.sh jobs/publish_tags.py build/demo/output --list
  ./spark-submit.sh jobs/publish_tags.py build/demo/output --undo

OUTPUT/published/VERSION/ gets the tags as Parquet, the exported files, a Darwin Core Data Package, a Croissant record
and manifest.json with the sha256 of each file. OUTPUT/published/current.json says which version is current and is
written last: whoever reads by it sees the old publication or the new one. Exit code 4: a guard refused, and nothing was
switched."""


def parser(prog: str = "publish_tags.py") -> argparse.ArgumentParser:
    """The command line."""
    new = Parser(
        prog=prog,
        description="Publish the decided tags of some tasks, go back to the publication before, or list what there is.",
        epilog=EXAMPLES,
    )
    new.add_argument("output", metavar="OUTPUT", help="the --output directory of the runs")
    new.add_argument(
        "--task", nargs="+", action="extend", default=[], metavar="NAME_OR_FILE", help="all tasks of the publication"
    )
    new.add_argument(
        "--model",
        nargs="+",
        action="extend",
        default=[],
        metavar="TASK=PATH",
        help="another package than the task file names, as it was given to the run that decided",
    )
    new.add_argument(
        "--without",
        nargs="+",
        action="extend",
        default=[],
        metavar="TASK",
        help="tasks of the current publication that the new one leaves out",
    )
    new.add_argument("--undo", action="store_true", help="go back to the publication before the current one")
    new.add_argument("--list", action="store_true", help="list the publications")
    new.add_argument("--dry-run", action="store_true", help="ask the guards, and say what would be published")
    new.add_argument("--keep", type=int, metavar="N", help="publications that stay on disk (default 10)")
    new.add_argument(
        "--max-flip-rate",
        type=float,
        metavar="SHARE",
        help="refuse above this share of tags that differ from the current publication, of each task and of each tag; "
        "goes before the task file (default 0.1)",
    )
    new.add_argument("--max-failure-rate", type=float, metavar="SHARE", help="refuse above this share of failed rows")
    new.add_argument("--title", metavar="TEXT", help="the name of the data set")
    new.add_argument("--publisher", metavar="TEXT", help="who publishes it: a name or an address")
    new.add_argument("--license", metavar="TEXT", help="the licence of the tags, such as CC0-1.0")
    new.add_argument(
        "--config", type=Path, dest="settings", metavar="FILE", help="settings, of which the table [publish] is used"
    )
    return new


def main(prog: str = "publish_tags.py", arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the job."""
    options = parser(prog).parse_args(arguments)
    if not (options.task or options.undo or options.list):
        raise SettingsError(f"--task: wanted the tasks to publish, or --undo, or --list (see {prog} --help)")
    if options.undo and (options.list or options.task or options.dry_run):
        raise SettingsError("--undo: stands alone, without --task, --list and --dry-run")
    given = {
        name: getattr(options, name)
        for name in ("keep", "max_flip_rate", "max_failure_rate", "title", "publisher", "license")
        if getattr(options, name) is not None
    }
    content = read_settings(options.settings).model_dump()
    content["publish"] |= given
    settings = parse(Settings, content, "command line")
    request = PublishRequest(
        tasks=options.task,
        output=options.output,
        root=project_root(),
        settings=settings.publish,
        limits=Limits(settings.publish.max_flip_rate, settings.publish.max_failure_rate, "max_flip_rate" in given),
        models=options.model,
        without=options.without,
        is_undo=options.undo,
        is_list=options.list,
        is_dry_run=options.dry_run,
        as_json=options.json,
    )
    start_spark(options)
    from eoltag.spark.jobs.publish import publish_tags  # takes a while, in which Java starts

    return publish_tags(request)
