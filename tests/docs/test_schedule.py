"""What conf/schedule/ holds is understood by what it is written for, starts the job that is there, and every night."""

import ast
import configparser
import json
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest
from cronsim import CronSim

from eoltag.commands.registry import COMMANDS
from eoltag.settings import read_settings
from tests.support.readme import ROOT

SCHEDULE: Final = ROOT / "conf" / "schedule"
COMMAND: Final = ".venv/bin/eoltag tag --config conf/jobs/retag.toml"
NIGHTS: Final = [datetime(2026, 1, day, 2, 30, tzinfo=UTC) for day in (2, 3)]


def nights(expression: str) -> list[datetime]:
    """The next two runs after New Year's noon."""
    return list(islice(CronSim(expression, datetime(2026, 1, 1, 12, tzinfo=UTC)), 2))


def check_command(command: str) -> None:
    """It is one that the command's own parser takes, with a settings file that can be read."""
    program, name, *words = shlex.split(command)
    assert program == ".venv/bin/eoltag"
    options = import_module(COMMANDS[name].module).parser().parse_args(words)
    assert (options.bundle, options.task, options.output) == (["bundles"], ["demo"], "tagged")
    assert options.max_failure_rate == 0.2
    read_settings(options.config)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_cron_line_runs_every_night_one_job_at_a_time() -> None:
    lines = (SCHEDULE / "crontab").read_text().splitlines()
    (line,) = [line for line in lines if line and line[0] in "*0123456789"]
    expression, command = " ".join(line.split()[:5]), line.split(maxsplit=5)[5]
    assert nights(expression) == NIGHTS
    assert command.startswith("cd /srv/eoltag && flock -n /tmp/eoltag-retag.lock .venv/bin/eoltag ")
    assert "%" not in command, "cron takes a per cent sign for a line break"
    check_command(command.split("eoltag-retag.lock ")[1].split(" >> ")[0])


def test_systemd_takes_the_units_and_starts_the_job_where_the_project_lies(tmp_path: Path) -> None:
    units = {}
    for name in ("eoltag-retag.service", "eoltag-retag.timer"):
        unit = configparser.ConfigParser(interpolation=None)
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read(SCHEDULE / name)
        units[name.rpartition(".")[2]] = unit
    service, timer = units["service"], units["timer"]
    assert service["Service"]["WorkingDirectory"] == "/srv/eoltag"
    check_command(service["Service"]["ExecStart"].removeprefix("/srv/eoltag/"))
    assert service["Service"]["Type"] == "oneshot"
    assert (timer["Timer"]["OnCalendar"], timer["Timer"]["Persistent"]) == ("*-*-* 02:30:00", "true")
    if shutil.which("systemd-analyze") is None:
        return
    for name in ("eoltag-retag.service", "eoltag-retag.timer"):
        text = (SCHEDULE / name).read_text().replace("/srv/eoltag", str(ROOT))
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "eoltag-retag.timer"), str(tmp_path / "eoltag-retag.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "eoltag-retag" not in done.stderr, done.stderr
    calendar = ["systemd-analyze", "calendar", "--iterations=2", "--base-time=2026-01-01 12:00:00 UTC"]
    shown = subprocess.run([*calendar, "*-*-* 02:30:00 UTC"], capture_output=True, text=True, check=True).stdout
    assert "2026-01-02 02:30:00" in shown
    assert "2026-01-03 02:30:00" in shown


def airflow_dag() -> tuple[dict[str, ast.expr], dict[str, ast.expr], dict[str, Any]]:
    """Arguments of DAG and of its one task, and the constants of the file."""
    tree = ast.parse((SCHEDULE / "airflow_dag.py").read_text())
    calls = {
        call.func.id: {str(keyword.arg): keyword.value for keyword in call.keywords}
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }
    constants = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return calls["DAG"], calls["BashOperator"], constants


def test_the_airflow_dag_runs_the_job_every_night_and_never_twice_at_once() -> None:
    dag, task, constants = airflow_dag()
    assert nights(ast.literal_eval(dag["schedule"])) == NIGHTS
    assert ast.literal_eval(dag["catchup"]) is False
    assert ast.literal_eval(dag["max_active_runs"]) == 1
    assert [getattr(task[name], "id", None) for name in ("bash_command", "cwd")] == ["COMMAND", "PROJECT"]
    assert constants == {"PROJECT": "/srv/eoltag", "COMMAND": COMMAND}
    check_command(constants["COMMAND"])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_airflow_itself_reads_the_dag(tmp_path: Path) -> None:
    venv, package = tmp_path / "venv", ["apache-airflow-core>=3", "apache-airflow-providers-standard"]
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    subprocess.run([str(venv / "bin" / "python"), "-m", "pip", "install", "-q", *package], check=True)
    code = (
        "import json, sys; from airflow.dag_processing.dagbag import DagBag; bag = DagBag(dag_folder=sys.argv[1]);"
        "(dag,) = bag.dags.values(); (task,) = dag.tasks;"
        "print(json.dumps([dict(bag.import_errors), dag.dag_id, task.bash_command, task.cwd, task.retries]))"
    )
    done = subprocess.run(
        [str(venv / "bin" / "python"), "-c", code, str(SCHEDULE / "airflow_dag.py")],
        env={"AIRFLOW_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [{}, "eoltag_retag", COMMAND, "/srv/eoltag", 2]
