"""`python -m train serve`: the contract, many clients at once, the page, and how it starts and stops."""

import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from eoltag import __version__
from eoltag.image.decode import decode
from eoltag.model.engines import load_engine
from eoltag.model.package import read_package, unpack
from tests.support.readme import ROOT
from tests.support.serving import Served, form, post, receive, served
from train.__main__ import main
from train.serving.settings import ServeSettings

CLIENTS = 16


@pytest.fixture(scope="module")
def service(small_package: Path) -> Iterator[Served]:
    """With the default limits."""
    with served(small_package) as running:
        yield running


@pytest.fixture(scope="module")
def by_hand(small_package: Path, sample_images: Path) -> dict[Path, dict[str, float]]:
    """Every sample's probabilities by the parts that the Spark job is made of, one image at a time."""
    package = read_package(small_package)
    engine = load_engine("openvino", unpack(package.pack("openvino")), batch_size=1, threads=1, keras_backend="")
    found = {}
    for path in sorted(sample_images.rglob("*.*")):
        pixels = decode(path.read_bytes(), [package.card.spec], 10**8).pixels[0]
        (verdict,) = package.card.verdicts(engine.predict(pixels[None]))
        found[path] = verdict.scores
    return found


def scores(predictions: list[dict[str, Any]]) -> dict[str, float]:
    """Label -> probability."""
    return {each["label"]: each["probability"] for each in predictions}


# --- the contract


def test_one_image_gets_its_labels_by_falling_probability(
    service: Served, by_hand: dict[Path, dict[str, float]]
) -> None:
    for path in (next(iter(by_hand)), list(by_hand)[-1]):
        answer = service.post(path)
        assert (answer.status, set(answer.json), answer.json["success"]) == (200, {"predictions", "success"}, True)
        shares = [each["probability"] for each in answer.json["predictions"]]
        assert shares == sorted(shares, reverse=True)
        assert scores(answer.json["predictions"]) == pytest.approx(by_hand[path], abs=1e-5)
        assert all(set(each) == {"label", "probability"} for each in answer.json["predictions"])


def test_the_field_may_be_called_image_as_well(service: Served, by_hand: dict[Path, dict[str, float]]) -> None:
    (path, *_) = by_hand
    answer = service.send(post(form(("a.jpg", path), field="image")))
    assert (answer.status, answer.json) == (200, service.post(path).json)


def test_pages_of_other_origins_may_ask_only_where_they_are_named(small_package: Path, service: Served) -> None:
    def allowed(running: Served, origin: str) -> str | None:
        answer = httpx.get(f"http://127.0.0.1:{running.port}/health", headers={"Origin": origin})
        return answer.headers.get("access-control-allow-origin")

    assert allowed(service, "https://example.org") is None
    with served(small_package, cors_origins=("https://example.org",)) as open_to_one:
        assert allowed(open_to_one, "https://example.org") == "https://example.org"
        assert allowed(open_to_one, "https://example.com") is None


def test_top_keeps_the_best(service: Served, by_hand: dict[Path, dict[str, float]]) -> None:
    (path, *_) = by_hand
    everything = service.post(path).json["predictions"]
    assert service.post(path, query="?top=2").json["predictions"] == everything[:2]
    assert service.post(path, query="?top=99").json["predictions"] == everything


def test_several_images_get_a_result_each_in_their_order(
    service: Served, by_hand: dict[Path, dict[str, float]]
) -> None:
    paths = list(by_hand)[::20]
    answer = service.send(post(form(*((path.name, path) for path in paths), ("notes.txt", b"no image"))))
    assert (answer.status, answer.json["success"]) == (200, False)
    *good, bad = answer.json["results"]
    assert [result["file"] for result in good] == [path.name for path in paths]
    for path, result in zip(paths, good, strict=True):
        assert result["success"]
        assert scores(result["predictions"]) == pytest.approx(by_hand[path], abs=1e-5)
    assert (bad["file"], bad["success"], bad["reason"]) == ("notes.txt", False, "not_image")
    assert "predictions" not in bad
    assert service.post(*paths[:2]).json["success"]


def test_an_ordinary_client_is_understood(service: Served, by_hand: dict[Path, dict[str, float]]) -> None:
    (path, *_) = by_hand
    with httpx.Client(base_url=f"http://127.0.0.1:{service.port}", trust_env=False) as client:
        answer = client.post("/classify", files={"img": (path.name, path.read_bytes(), "image/jpeg")})
        assert answer.headers["content-type"] == "application/json"
        assert scores(answer.json()["predictions"]) == pytest.approx(by_hand[path], abs=1e-5)


# --- many at once


def test_no_answer_is_lost_or_given_to_another_when_sixteen_clients_ask_at_once(
    service: Served, by_hand: dict[Path, dict[str, float]]
) -> None:
    paths = (list(by_hand) * 2)[:200]
    sums = np.array([list(wanted.values()) for wanted in by_hand.values()])
    distances = [float(np.abs(one - other).max()) for one, other in combinations(sums, 2)]
    assert np.mean(np.array(distances) > 2e-5) > 0.99  # else a mix-up could not be seen
    images = "eoltag_batch_images_sum"
    batches = "eoltag_batch_images_count"
    before = (service.metric(images), service.metric(batches))
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(service.post, paths))
    for path, answer in zip(paths, answers, strict=True):
        assert answer.status == 200
        assert scores(answer.json["predictions"]) == pytest.approx(by_hand[path], abs=1e-5)
    assert service.metric(images) - before[0] == len(paths)
    assert service.metric(batches) - before[1] < len(paths)  # some went through the model together


# --- what machines ask


def test_health_says_what_is_served(service: Served, small_package: Path) -> None:
    package = read_package(small_package)
    answer = service.get("/health")
    assert answer.status == 200
    assert answer.json == {
        "ready": True,
        "name": "small",
        "version": package.version,
        "engine": "openvino",
        "output": "classes",
        "shown_from": None,
        "labels": list(package.card.labels),
        "max_images": 32,
        "max_bytes": 20_000_000,
        "eoltag": __version__,
    }


def test_metrics_count_requests_images_and_batches(service: Served, by_hand: dict[Path, dict[str, float]]) -> None:
    names = [
        'eoltag_requests_total{outcome="ok"}',
        'eoltag_requests_total{outcome="partial"}',
        'eoltag_requests_total{outcome="not_image"}',
        'eoltag_images_total{outcome="ok"}',
        'eoltag_images_total{outcome="not_image"}',
        "eoltag_request_seconds_count",
        "eoltag_batch_images_sum",
    ]
    before = [service.metric(name) for name in names]
    first, second = list(by_hand)[:2]
    service.post(first, second)
    service.post(second, b"text")
    service.post(b"text")
    after = [service.metric(name) for name in names]
    assert [int(late - early) for early, late in zip(before, after, strict=True)] == [1, 1, 1, 3, 2, 3, 3]
    assert service.metric("eoltag_queue_images") == 0
    text = service.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=")
    assert f'version="{service.service.package.version}"' in text.body.decode()


def test_openapi_describes_the_upload_and_every_answer(service: Served) -> None:
    document = service.get("/openapi.json").json
    assert set(document["paths"]) == {"/classify", "/health", "/metrics"}
    classify = document["paths"]["/classify"]["post"]
    (kind,) = classify["requestBody"]["content"]
    assert kind == "multipart/form-data"
    assert classify["requestBody"]["content"][kind]["schema"]["properties"]["img"]["items"]["format"] == "binary"
    assert set(classify["responses"]) == {"200", "400", "408", "413", "415", "422", "503"}
    assert document["components"]["schemas"]["LabelProbability"]["required"] == ["label", "probability"]
    for page in ("/docs", "/redoc"):  # they would load scripts from other machines
        assert service.get(page).status == 404


# --- the page


def test_the_page_needs_nothing_from_elsewhere_and_may_run_only_itself(service: Served) -> None:
    answer = service.get("/")
    page = answer.body.decode()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", page)
    policy = answer.headers["content-security-policy"]
    for tag in ("style", "script"):
        (block,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"\son\w+=|\sstyle=", page)  # such attributes would be blocked


def test_the_page_works_with_a_keyboard_and_a_screen_reader_and_without_script(service: Served) -> None:
    page = service.get("/").body.decode()
    assert '<html lang="en">' in page
    assert 'role="status"' in page
    assert re.search(r'<label [^>]*for="files">', page)
    assert re.search(r'<input id="files" type="file" name="img"[^>]* multiple', page)
    assert 'action="classify" method="post" enctype="multipart/form-data"' in page


# --- starting and stopping


def start(package: Path, *options: str) -> tuple["subprocess.Popen[str]", int]:
    """The verb in a process of its own, and the port that it took."""
    command = [sys.executable, "-m", "train", "serve", str(package), "--port", "0", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"on http://127\.0\.0\.1:(\d+)$", line.strip()):
            return process, int(found.group(1))
    raise AssertionError(f"it ended with {process.wait()}")


def is_refused(port: int) -> bool:
    """Nobody takes new connections any more."""
    try:
        socket.create_connection(("127.0.0.1", port), 10).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was in the queue of a listener that closed
        return False
    return False


def test_sigterm_lets_a_request_finish_and_ends_well(small_package: Path, sample_images: Path) -> None:
    process, port = start(small_package, "--json")
    with process:
        try:
            raw = post(form(("a.jpg", next((sample_images / "map").iterdir()))))
            with socket.create_connection(("127.0.0.1", port), 60) as connection:
                connection.sendall(raw[:-50])
                url = f"http://127.0.0.1:{port}/metrics"
                while not re.search(r"^eoltag_queue_bytes [1-9]", httpx.get(url, trust_env=False).text, re.MULTILINE):
                    pass
                process.send_signal(signal.SIGTERM)
                while not is_refused(port):
                    pass
                connection.sendall(raw[-50:])
                answer = receive(connection)
            assert (answer.status, answer.json["success"]) == (200, True)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    version = read_package(small_package).version
    assert json.loads(out) == {"package": str(small_package), "model_version": version, "requests": 1, "images": 1}


def test_openvino_serves_without_keras_or_anything_that_only_training_needs(
    small_package: Path, sample_images: Path
) -> None:
    script = f"""
import sys
for name in ("tensorflow", "keras", "jax", "torch", "sklearn", "matplotlib", "optuna", "nncf", "imagehash", "requests",
             "jinja2", "tensorboard", "pyspark", "httpx", "duckdb"):
    sys.modules[name] = None  # importing it fails
from pathlib import Path
import train.__main__
from tests.support.serving import served
with served(Path({str(small_package)!r})) as service:
    print(service.post(Path({str(next((sample_images / "map").iterdir()))!r})).status)
"""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("200\n", "")


def test_a_package_without_openvino_is_served_by_keras(
    small_package: Path, by_hand: dict[Path, dict[str, float]]
) -> None:
    with served(small_package, engine="keras", batch_size=2) as service:
        assert service.get("/health").json["engine"] == "keras"
        for path in list(by_hand)[::50]:
            assert scores(service.post(path).json["predictions"]) == pytest.approx(by_hand[path], abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["EMPTY"], "not a model package"),
        (["PACKAGE", "--port", "70000"], "'port': Input should be less than or equal to 65535. Received: 70000"),
        (["PACKAGE", "--batch-size", "0"], "'batch_size': Input should be greater than or equal to 1. Received: 0"),
        (["PACKAGE", "--max-images", "300"], "max_images (300) must not be above queue_images (256)"),
        (["PACKAGE", "--host", "256.0.0.1"], "--host: wanted an address of this machine. Received: '256.0.0.1'"),
        (["PACKAGE", "--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
        (["PACKAGE", "--engine", "torch"], "invalid choice: 'torch'"),
    ],
)
def test_a_mistake_is_one_line(
    small_package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    places = {"PACKAGE": small_package, "EMPTY": tmp_path}
    capsys.readouterr()
    assert main(["serve", *(str(places.get(argument, argument)) for argument in arguments)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert message in said.err


def test_a_port_in_use_is_named(service: Served, small_package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["serve", str(small_package), "--port", str(service.port)]) == 2
    wanted = (
        f"error: port {service.port} of 127.0.0.1 is in use; stop what listens there, or choose another with --port"
    )
    assert capsys.readouterr().err.strip() == wanted


def test_help_names_every_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    text = " ".join(capsys.readouterr().out.partition("options:")[2].split())
    for name, field in ServeSettings.model_fields.items():
        option = f"--{name.replace('_', '-')} "
        shown = re.search(rf"{option}.*?\(default ([\w.]+)", text)
        assert shown, name
        default = field.default or "none" if name == "cors_origins" else field.default
        assert shown.group(1) in (str(default), f"{default:g}" if field.annotation is float else ""), name


def test_only_this_machine_is_let_in_unless_told_otherwise() -> None:
    assert ServeSettings().host == "127.0.0.1"
