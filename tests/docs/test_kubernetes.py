"""The Kubernetes files fit what Kubernetes and the Spark operator publish, and Spark makes sound pods of them."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pydantic
import pytest
import yaml
from kubeflow_spark_api.models.spark_v1beta2_scheduled_spark_application import SparkV1beta2ScheduledSparkApplication

from eoltag.commands.registry import COMMANDS
from jobs.tag_bundles import parser
from tests.cluster.scene import wait_for
from tests.docs.test_schedule import NIGHTS, nights
from tests.support.paths import ROOT
from tests.support.tiny_package import write_tiny_package

KUBERNETES: Final = "1.37"
RETAG: Final = str(ROOT / "conf/jobs/retag.toml")


def read(name: str) -> dict[str, Any]:
    """One of the files below conf/."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "conf" / name).read_text(encoding="utf-8"))
    return found


def check(resource: dict[str, Any]) -> None:
    """Kubernetes would take it: no other keys, types, values than its schema has."""
    kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def check_application(resource: dict[str, Any]) -> None:
    """The operator would take it: its own models refuse wrong values, and lose keys that they do not know."""
    assert SparkV1beta2ScheduledSparkApplication.from_dict(resource).to_dict() == resource


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_cron_job_runs_the_console_command_every_night() -> None:
    resource = read("schedule/cronjob.yaml")
    check(resource)
    assert nights(resource["spec"]["schedule"]) == NIGHTS
    assert resource["spec"]["concurrencyPolicy"] == "Forbid"
    pod = resource["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    name, *words = [word.replace("/etc/eoltag/retag.toml", RETAG) for word in container["args"]]
    options = import_module(COMMANDS[name].module).parser("eoltag tag").parse_args(words)
    assert (options.output, options.spark_conf) == ("tagged", ["spark.driver.memory=4g"])
    assert 'ENTRYPOINT ["tini", "--", "eoltag"]' in (ROOT / "docker/Dockerfile").read_text()
    container["arg"] = container.pop("args")
    with pytest.raises(kubernetes_validate.ValidationError, match="'arg' was unexpected"):
        check(resource)


def test_the_scheduled_application_is_what_the_spark_operator_takes() -> None:
    resource = read("schedule/spark-application.yaml")
    check_application(resource)
    spec = resource["spec"]["template"]
    assert nights(resource["spec"]["schedule"]) == NIGHTS
    volumes = {volume["name"] for volume in spec["volumes"]}
    for pod in (spec["driver"], spec["executor"]):
        assert {mount["name"] for mount in pod["volumeMounts"]} == volumes
        assert pod["env"] == [{"name": "PYTHONPATH", "value": "/opt/eoltag"}]
    assert (ROOT / spec["mainApplicationFile"].removeprefix("local:///opt/eoltag/")).is_file()
    assert parser().parse_args([word.replace("/etc/eoltag/retag.toml", RETAG) for word in spec["arguments"]]).publish
    spec["restartPolicy"]["onFailure"] = 3
    with pytest.raises(AssertionError):
        check_application(resource)
    spec["restartPolicy"] = {"type": "OnFailure", "onFailureRetries": "twice"}
    with pytest.raises(pydantic.ValidationError):
        check_application(resource)


def test_the_pod_template_is_a_pod() -> None:
    check(read("spark/kubernetes-pod.yaml"))


class Api:
    """A Kubernetes API on loopback that takes whatever is made, runs nothing, and keeps it."""

    def __init__(self) -> None:
        made: list[dict[str, Any]] = []
        self.made = made

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def do_GET(self) -> None:
                """Nothing is there yet."""
                self._answer({"apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": []})

            def do_POST(self) -> None:
                """It is made."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                made.append(body)
                named = {"uid": str(len(made)), "resourceVersion": "1", **body["metadata"]}
                self._answer({**body, "metadata": named})

            def do_DELETE(self) -> None:
                """Nothing was there."""
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Nothing."""

            def _answer(self, document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Api":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def pods(self) -> list[dict[str, Any]]:
        """The pods that were made."""
        return [one for one in self.made if one["kind"] == "Pod"]


@pytest.fixture
def submitted(tmp_path: Path) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Starts a job against an API as docs/how-to/cluster.md says; it is ended afterwards."""
    write_tiny_package(tmp_path / "package", "ab", 1)
    rule = '[[rules]]\nname = "any"\nwhen = "true"\ntag = "a"\n'
    (tmp_path / "task.toml").write_text(f'name = "kind"\nmodels.main.package = "package"\n{rule}')
    (tmp_path / "list.txt").write_text("http://127.0.0.1:1/a.png\n")
    started = []

    def start(address: str) -> "subprocess.Popen[str]":
        spark = ["--master", f"k8s://{address}", "--properties-file", "conf/spark/kubernetes.conf"]
        job = ["jobs/tag_bundles.py", "--bundle", str(tmp_path / "list.txt"), "--task", str(tmp_path / "task.toml")]
        started.append(
            subprocess.Popen(
                ["./spark-submit.sh", *spark, *job, "--output", str(tmp_path / "out"), "--quiet"],
                env={**os.environ, "PYSPARK_PYTHON": "/usr/local/bin/python3", "KUBECONFIG": os.devnull},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.spark
def test_a_submitted_job_asks_kubernetes_for_executors_that_it_would_run(
    submitted: Callable[[str], "subprocess.Popen[str]"],
) -> None:
    with Api() as api:
        job = submitted(api.address)
        wait_for("pods", lambda: len(api.pods()) == 4 or job.poll() is not None, 120)
        assert job.poll() is None, job.communicate()[0][-3000:]
        for pod in api.pods():
            check(pod)
            (container,) = pod["spec"]["containers"]
            assert container["image"] == "registry.example.org/eoltag-executor:latest"
            assert container["args"] == ["executor"]
            assert {"name": "data", "mountPath": "/data"} in container["volumeMounts"]
            assert container["resources"]["requests"]["memory"] == f"{2048 + 3072}Mi"
            assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
            environment = {one["name"]: one.get("value") for one in container["env"]}
            assert environment["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
