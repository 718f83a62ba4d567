"""Tag the images of EOL bundles: scores and tags as Parquet, tags as TSV.

eoltag tag --bundle LIST ... --task NAME ... --output DIR
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from eoltag.bundle.taking import Taking
from eoltag.decide.task import check_tasks
from eoltag.errors import ExitCode, SettingsError
from eoltag.places import project_root
from eoltag.settings import Settings, parse, read_settings
from eoltag.spark.requests import TagRequest
from eoltag.spark.runtime.command import Parser, add_delta, add_tasks, positive, start_spark
from eoltag.spark.runtime.options import is_only_check

EXAMPLES = """\
examples:
  ./spark-submit.sh jobs/tag_bundles.py --bundle my_urls.txt --task demo --output build/out
  ./spark-submit.sh jobs/tag_bundles.py --bundle 'images_for_Aves_breakdown_{000001..000031}.txt' \\
      --task rating image_type --output /data/eol --config conf/jobs/default.toml
  ./spark-submit.sh jobs/tag_bundles.py --bundle lists/ --task demo --output build/out --dry-run
  ./spark-submit.sh jobs/tag_bundles.py --config conf/jobs/retag.toml

The [job] table of a --config file holds options under their names (max_failure_rate = 0.2 for --max-failure-rate 0.2);
an option on the command line goes before it. Relative paths start at the current directory in both.
Running the same command again fetches only what is new and what failed for now (time-outs, 429, 5xx).
exit codes: 0 done; 2 unusable arguments, settings, bundle or package (nothing was written), or a disk that fails;
3 done, but more images failed than --max-failure-rate allows; 4 done, but a guard of --publish refused;
1 a bug or a lost cluster."""


def parser(prog: str = "tag_bundles.py") -> argparse.ArgumentParser:
    """The command line."""
    new = Parser(
        prog=prog,
        description="Tag the images of EOL bundles: scores and tags as Parquet, tags as TSV.",
        epilog=EXAMPLES,
    )
    add_tasks(new)
    _add_rows(new)
    _add_settings(new)
    return new


def _add_rows(new: argparse.ArgumentParser) -> None:
    """Add the options that say which rows are tagged, and where to."""
    new.add_argument(
        "--bundle",
        nargs="+",
        action="extend",
        required=True,
        metavar="PATH_OR_URL",
        help="list of image URLs: a file, URL, directory or glob; breakdown TSV, download or classifier list, CSV, "
        "zip or gzip of these; {000001..000031} expands",
    )
    new.add_argument(
        "--output", required=True, metavar="DIR", help="a new directory, or one of an earlier run to go on"
    )
    new.add_argument(
        "--url-column",
        metavar="NAME",
        help="the column of URLs, where it has another name than eolMediaURL and its like",
    )
    new.add_argument(
        "--keep",
        nargs="*",
        action="extend",
        metavar="COLUMN",
        help="columns of the bundles that travel into tags, rules, TSV and report, such as sciname or "
        "'licence=dc:rights'; later runs keep them as well; without a name: none any more",
    )
    new.add_argument("--from-row", type=positive, default=1, metavar="N", help="only rows from the Nth of each bundle")
    new.add_argument("--to-row", type=positive, metavar="N", help="only rows up to the Nth of each bundle")
    new.add_argument("--limit", type=positive, metavar="N", help="only the first N rows of all bundles together")
    new.add_argument(
        "--sample", type=positive, metavar="N", help="only N rows drawn at random, the same for one --seed"
    )
    new.add_argument("--seed", type=int, default=0, metavar="S", help="of --sample (default 0)")


def _add_settings(new: argparse.ArgumentParser) -> None:
    """Add the options that say how, and what is done again."""
    new.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings, see conf/jobs/default.toml; options in its [job] table, see conf/jobs/retag.toml",
    )
    new.add_argument(
        "--retry-failed", action="store_true", help="fetch images again that failed for good (404, no image)"
    )
    new.add_argument("--refresh-older-than", type=float, metavar="DAYS", help="fetch again what was fetched longer ago")
    add_delta(new)
    new.add_argument(
        "--publish",
        action="store_true",
        help="publish the tags at the end, where no guard refuses (exit 4); see [publish] in conf/jobs/default.toml",
    )
    new.add_argument("--dry-run", action="store_true", help="print what there is to do; fetch and write nothing")
    new.add_argument(
        "--max-failure-rate", type=float, metavar="R", help="exit 3 above this share of failed rows (default 0.5)"
    )
    new.add_argument(
        "--thumbnails",
        type=int,
        metavar="N",
        help="small pictures kept for the report, for each task, over all runs (default 200; 0 keeps none and deletes "
        "earlier ones)",
    )
    new.add_argument(
        "--allow-private-hosts",
        action="store_true",
        help="fetch from private, loopback and link-local addresses as well",
    )
    new.add_argument(
        "--metrics-file",
        type=Path,
        metavar="FILE",
        help="write the numbers of the run there at its end, for the textfile collector of Prometheus' node exporter",
    )


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings file with the options of the command line over it. Raises SettingsError."""
    content = read_settings(options.config).model_dump()
    if options.allow_private_hosts:
        content["fetch"]["allow_private_hosts"] = True
    if options.max_failure_rate is not None:
        content["run"]["max_failure_rate"] = options.max_failure_rate
    if options.thumbnails is not None:
        content["run"]["thumbnails"] = options.thumbnails
    if options.refresh_older_than is not None and options.refresh_older_than < 0:
        raise SettingsError(
            f"--refresh-older-than: days, 0 or more, were wanted. Received: {options.refresh_older_than}"
        )
    return parse(Settings, content, "command line")


def taking_of(options: argparse.Namespace) -> Taking:
    """Which rows are taken. Raises SettingsError."""
    if options.to_row is not None and options.to_row < options.from_row:
        raise SettingsError(
            f"--to-row: a row from --from-row {options.from_row} on was wanted. Received: {options.to_row}"
        )
    return Taking(options.url_column, options.from_row, options.to_row, options.limit)


def main(prog: str = "tag_bundles.py", arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the job."""
    options = parser(prog).parse_args(arguments)
    request = TagRequest(
        bundles=options.bundle,
        tasks=options.task,
        output=options.output,
        settings=settings_of(options),
        root=project_root(),
        models=options.model,
        taking=taking_of(options),
        sample=options.sample,
        seed=options.seed,
        keep=options.keep,
        has_delta=options.delta,
        retry_failed=options.retry_failed,
        is_publishing=options.publish,
        refresh_older_than_days=options.refresh_older_than,
        is_dry_run=options.dry_run,
        is_quiet=options.quiet,
        as_json=options.json,
        metrics=options.metrics_file,
    )
    if is_only_check():
        check_tasks(request.tasks, request.root, request.models)
    start_spark(options)
    from eoltag.spark.jobs.tag import tag_bundles  # takes a while, in which Java starts

    return tag_bundles(request)
