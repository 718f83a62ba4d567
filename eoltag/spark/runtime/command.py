"""What every job shares: errors to one line and an exit code, results to stdout, everything else to stderr."""

import json
import re
import sys
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from eoltag.errors import ExitCode, OutputError, UsageError, did_you_mean
from eoltag.local import log, signals
from eoltag.local.disk import disk_problem
from eoltag.local.scratch import close_scratch, drop_scratch, open_scratch
from eoltag.local.streams import print_anything, say
from eoltag.places import install_command
from eoltag.spark.runtime.java import end_java, start_java, stop_java
from eoltag.spark.runtime.job_file import missing, read_job
from eoltag.spark.runtime.options import add_spark_options, prepare_spark
from eoltag.spark.runtime.stages import hide_stages, show_stages

INTERRUPTED = 130
"""What shells expect after Ctrl-C: 128 + SIGINT."""
TERMINATED = 143
"""The same after SIGTERM."""
_AS_JOB = re.compile(r"\./spark-submit\.sh jobs/\w+\.py")
"""How examples call a job from a checkout; the console command puts its own name there."""


class Parser(ArgumentParser):
    """The command line of a job, with the options that every job has.

    Says what is wrong in one line, like every other mistake of a user.
    """

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog if prog.endswith(".py") else _AS_JOB.sub(prog, epilog),
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if not prog.endswith(".py"):
            add_spark_options(self)
        self.add_argument("--quiet", action="store_true", help="no progress on stderr")
        self.add_argument(
            log.OPTION,
            choices=log.FORMATS,
            default="text",
            help="what goes to stderr: lines for people, or a JSON object in each line for machines",
        )
        self.add_argument("--json", action="store_true", help="the summary as one JSON document on stdout")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Namespace | None = None) -> Namespace:  # type: ignore[override]
        """The options; where there is a --config with a [job] table, that fills in what the command line leaves out.

        Raises UsageError.
        """
        log.use_as_given(sys.argv[1:] if args is None else args)
        options = self._parsed(args, namespace)
        log.use(options.log_format)
        if options.quiet:
            hide_stages()
        return options

    def _parsed(self, args: Sequence[str] | None, namespace: Namespace | None) -> Namespace:
        if not any(action.dest == "config" for action in self._actions):
            return super().parse_args(args, namespace)
        defaults = {action.dest: action.default for action in self._actions if action.dest != "help"}
        required = [action for action in self._actions if action.required]
        for action in self._actions:
            action.default, action.required = SUPPRESS, False
        given = vars(super().parse_args(args, namespace))
        for action in required:
            action.required = True
        config, table = given.get("config"), {}
        if config is not None and (config.is_file() or missing(given, self._actions)):  # else its settings are missed
            table = read_job(config, self._actions)
        if absent := missing({**table, **given}, self._actions):
            self.error(f"the following arguments are required: {', '.join(absent)}")
        return Namespace(**{**defaults, **table, **given})

    def error(self, message: str) -> NoReturn:
        """Raises UsageError, which names the option most like a mistyped one."""
        _, _, unknown = message.partition("unrecognized arguments: ")
        typed = [word.partition("=")[0] for word in unknown.split() if word.startswith("--")]
        near = did_you_mean(typed[0], self._option_string_actions) if typed else ""
        raise UsageError(f"{message}{near} (see {self.prog} --help)")


def add_tasks(parser: ArgumentParser) -> None:
    """Add the options that say which tasks, and with which packages."""
    parser.add_argument(
        "--task",
        nargs="+",
        action="extend",
        required=True,
        metavar="NAME_OR_FILE",
        help="a name in conf/tasks, or a file",
    )
    add_models(parser)


def add_models(parser: ArgumentParser) -> None:
    """Add the option that puts other packages in the place of those that task files name."""
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        default=[],
        metavar="TASK=PATH",
        help="another package or folder of attempts than the task file names; TASK.MODEL=PATH where a task "
        "has several models",
    )


def add_delta(parser: ArgumentParser) -> None:
    """Add the option that asks for files of only what changed."""
    parser.add_argument(
        "--delta",
        action="store_true",
        help="also write files of only what is new, changed or gone against the run before: changes/TASK/",
    )


def positive(text: str) -> int:
    """The value of an option that counts something. Raises ArgumentTypeError."""
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"a whole number from 1 was wanted. Received: {text!r}")
    return int(text)


def start_spark(options: Namespace) -> None:
    """Set what Spark takes from the environment, and start its JVM; see prepare_spark and start_java."""
    prepare_spark(options)
    start_java()


def run_program(main: Callable[[], ExitCode]) -> int:
    """As run_command, for a process of its own: hears signals, and leaves no process, no temporary file behind."""
    show_stages()
    print_anything()
    signals.ending(end_java)
    signals.ending(drop_scratch)
    try:
        return signals.heard(lambda: run_command(lambda: _in_scratch(main)))
    finally:
        close_scratch()


def _in_scratch(main: Callable[[], ExitCode]) -> ExitCode:
    open_scratch()
    return main()


def run_command(main: Callable[[], ExitCode]) -> int:
    """The exit code of `main`. A bug or a lost cluster leaves its stack trace and exit code 1 to Python."""
    try:
        return int(main())
    except UsageError as problem:
        return _refused(problem)
    except KeyboardInterrupt:
        print(log.line_of("interrupted", signals.GO_ON), file=sys.stderr)
        return INTERRUPTED
    except ModuleNotFoundError as problem:
        library = (problem.name or "").partition(".")[0]
        if library in ("", "eoltag"):
            raise
        return _refused(UsageError(f"this needs {library}, which is not installed: {install_command('spark')}"))
    except Exception as problem:
        cause = disk_problem(problem)
        if cause is None:
            raise
        return _refused(OutputError(cause))


def _refused(problem: UsageError) -> int:
    stop_java()
    log.error(str(problem), exit_code=int(problem.exit_code))
    return int(problem.exit_code)


def complain(message: str, exit_code: ExitCode) -> ExitCode:
    """Say on stderr why a run that is done does not end with 0; the exit code is the caller's."""
    log.error(message, exit_code=int(exit_code))
    return exit_code


def show(document: dict[str, Any], text: str, *, as_json: bool) -> None:
    """The one thing that goes to stdout; machines that read the log find it there as well."""
    log.event("done", **document)
    say(json.dumps(document, indent=2) if as_json else text)
