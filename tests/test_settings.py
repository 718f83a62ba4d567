"""Settings files: defaults that hold, unknown keys and wild values that stop the run in one line."""

from pathlib import Path

import pytest

from eoltag.errors import SettingsError
from eoltag.settings import Settings, read_settings
from tests.support.paths import ROOT


def written(tmp_path: Path, text: str) -> Path:
    """A settings file."""
    path = tmp_path / "job.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_no_file_means_the_defaults() -> None:
    settings = read_settings(None)
    assert settings.fetch.requests_per_s == 10
    assert settings.fetch.hosts["content.eol.org"] == 10
    assert settings.run.max_failure_rate == 0.5


def test_the_documented_file_says_exactly_the_defaults() -> None:
    assert read_settings(ROOT / "conf/jobs/default.toml") == Settings()


def test_a_mark_of_byte_order_before_the_first_key_is_passed_over(tmp_path: Path) -> None:
    assert read_settings(written(tmp_path, "\ufeff[run]\nwave_s = 7\n")).run.wave_s == 7


def test_a_key_overrides_its_default_and_whole_numbers_serve_as_rates(tmp_path: Path) -> None:
    settings = read_settings(written(tmp_path, '[fetch]\nrequests_per_s = 3\n[fetch.hosts]\n"a.org" = 1\n'))
    assert settings.fetch.requests_per_s == 3.0
    assert settings.fetch.hosts == {"a.org": 1.0}


def test_the_user_agent_names_the_program_and_a_contact(tmp_path: Path) -> None:
    agent = read_settings(written(tmp_path, '[fetch]\ncontact = "me@museum.org"\n')).fetch.user_agent
    assert agent.startswith("eoltag/")
    assert "+me@museum.org" in agent


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[fetch]\ntimeout = 3\n", "unknown key 'fetch.timeout'; known here: allow_private_hosts, attempts"),
        ("[fetsch]\n", "known here: decode, engine, fetch, publish, reuse, run; did you mean 'fetch'?"),
        ("[fetch]\nattempts = 0\n", "key 'fetch.attempts'"),
        ("[fetch]\nattempts = 'four'\n", "Received: 'four'"),
        ("[engine]\nname = 'onnx'\n", "key 'engine.name'"),
        ("[run]\nmax_failure_rate = 1.5\n", "Received: 1.5"),
        ("[fetch\n", "not valid TOML"),
        ("x = " + "[" * 100_000, "not valid TOML"),
        ("x = " + "1" * 5_000, "not valid TOML"),
    ],
)
def test_what_does_not_fit_is_named_with_its_file(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml: cannot be read"):
        read_settings(tmp_path / "gone.toml")
