"""Settings: one file and the environment, or one sentence that names keys and never repeats values."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from services.runtime.settings import (
    ProcessSettings,
    SettingsError,
    from_command_line,
    load_settings,
    read_secret,
)

CANARY = "canary-7d1f"


class Listen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = "127.0.0.1:1"
    seconds: float = Field(default=1.0, gt=0)


class RouterSettings(ProcessSettings):
    listen: Listen = Listen()
    count: int = 1


DOCUMENT: dict[str, Any] = {
    "region": "eu-fr",
    "catalog": {
        "regions": [{"number": 1, "name": "eu-fr"}],
        "models": [{"number": 1, "name": "tiny", "context_tokens": 8, "max_output_tokens": 8}],
    },
    "router": {"count": 3},
    "edge": {"anything": "the others' sections are not ours to judge"},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "comptoir.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT))
    return path


def load(path: Path, **environ: str) -> RouterSettings:
    return load_settings(RouterSettings, section="router", path=path, environ=environ)


def refusal(path: Path, **environ: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load(path, **environ)
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert refused.value.__context__ is None or refused.value.__suppress_context__
    return sentence


def changed(path: Path, **keys: Any) -> Path:
    path.write_text(yaml.safe_dump({**DOCUMENT, **keys}))
    return path


def test_shared_keys_and_the_own_section_are_one_object(file: Path) -> None:
    settings = load(file)
    assert (settings.region, settings.count, settings.home.number) == ("eu-fr", 3, 1)


def test_the_environment_wins_and_reaches_every_depth(file: Path) -> None:
    settings = load(
        file,
        COMPTOIR_ROUTER__COUNT="4",
        COMPTOIR_ROUTER__LISTEN__ADDRESS="127.0.0.1:9",
        COMPTOIR_LOG_LEVEL="debug",
        COMPTOIR_TELEMETRY__METRIC_INTERVAL_SECONDS="2.5",
        COMPTOIR_EDGE__COUNT="5",
        COMPTOIR_API_KEY="not a setting",
    )
    assert (settings.count, settings.listen.address, settings.log_level) == (4, "127.0.0.1:9", "debug")
    assert settings.telemetry.metric_interval_seconds == 2.5


def test_a_misspelt_variable_is_named_and_not_passed_over(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"COMPTOIR_ROUTERS__COUNT overrides no setting; .*ROUTER, "):
        load(file, COMPTOIR_ROUTERS__COUNT="6")


def test_a_value_that_a_variable_set_is_refused_by_the_variable_s_name(file: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load(file, COMPTOIR_ROUTER__LISTEN__SECONDS="0", COMPTOIR_ROUTER__COUNT=CANARY)
    assert "listen.seconds (set by COMPTOIR_ROUTER__LISTEN__SECONDS): " in str(refused.value)
    assert "count (set by COMPTOIR_ROUTER__COUNT): " in str(refused.value)
    assert CANARY not in str(refused.value)


def test_check_names_a_file_that_cannot_be_read(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class WithFile(RouterSettings):
        pepper_file: Path = Path("/nowhere/pepper")

    with pytest.raises(SystemExit):
        from_command_line(WithFile, section="router", description="", argv=["--config", str(file), "--check"])
    said = capsys.readouterr().err
    assert said == "comptoir router: comptoir.yaml, section router: pepper_file: no file that can be read.\n"


def test_the_environment_never_changes_the_caller_s_document(file: Path) -> None:
    load(file, COMPTOIR_ROUTER__LISTEN__ADDRESS="127.0.0.1:9")
    assert load(file).listen.address == "127.0.0.1:1"


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"colour": CANARY}, "colour"),
        ({"router": {"colour": CANARY}}, "colour"),
        ({"router": {"listen": {"colour": CANARY}}}, "listen.colour"),
        ({"router": {"count": CANARY}}, "count"),
        ({"router": {"listen": {"seconds": -1}}}, "listen.seconds"),
        ({"router": {"listen": CANARY}}, "listen"),
        ({"router": [CANARY]}, "router"),
        ({"router": 0}, "router"),
        ({"router": {"region": CANARY}}, "region"),
        ({"region": CANARY}, "region"),
        ({"log_level": CANARY}, "log_level"),
        ({"catalog": {"regions": [{"number": CANARY, "name": "eu-fr"}]}}, "catalog.regions.0.number"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(file: Path, keys: dict[str, Any], named: str) -> None:
    sentence = refusal(changed(file, **keys))
    assert named in sentence
    assert CANARY not in sentence


@pytest.mark.parametrize(
    "content", ["a: [", "- a list", "", "when: 2026-13-45", "\x00", "a: !!python/object:os.x {}"]
)
def test_a_file_that_is_no_mapping_is_one_sentence(file: Path, content: str) -> None:
    file.write_text(content)
    assert "comptoir.yaml" in refusal(file)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none.yaml")


@pytest.mark.parametrize("value", ["[", "2026-13-45", "{a: "])
def test_a_broken_variable_is_named(file: Path, value: str) -> None:
    assert "COMPTOIR_ROUTER__COUNT" in refusal(file, COMPTOIR_ROUTER__COUNT=value)


@given(value=st.text(min_size=1).filter(lambda text: "\x00" not in text))
def test_no_value_of_the_environment_is_ever_repeated(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    path = tmp_path_factory.mktemp("settings") / "comptoir.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT))
    marked = f"{CANARY}{value}"
    with pytest.raises(SettingsError) as refused:
        load(path, COMPTOIR_ROUTER__COUNT=marked)
    assert CANARY not in str(refused.value)


def test_the_digest_changes_with_any_setting_and_only_then(file: Path) -> None:
    assert load(file).digest == load(file).digest
    assert load(file).digest != load(file, COMPTOIR_ROUTER__COUNT="4").digest
    assert 0 <= load(file).digest < 2**64


def test_check_says_that_the_settings_are_usable(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        from_command_line(
            RouterSettings, section="router", description="x", argv=["--config", str(file), "--check"]
        )
    assert ended.value.code == 0
    assert "usable" in capsys.readouterr().out


def test_the_command_line_refuses_with_one_sentence_and_two(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(file, colour=1)
    with pytest.raises(SystemExit) as ended:
        from_command_line(RouterSettings, section="router", description="x", argv=["--config", str(file)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("comptoir router: ")
    assert said.count("\n") == 1


def test_the_command_line_gives_the_settings(file: Path) -> None:
    settings = from_command_line(
        RouterSettings, section="router", description="x", argv=["--config", str(file)]
    )
    assert settings.count == 3


@given(secret=st.binary(min_size=1, max_size=64))
def test_a_secret_is_read_from_its_digits(tmp_path_factory: pytest.TempPathFactory, secret: bytes) -> None:
    path = tmp_path_factory.mktemp("secrets") / "pepper"
    path.write_text(secret.hex() + "\n")
    assert read_secret(path, length_bytes=len(secret)) == secret
    with pytest.raises(SettingsError) as refused:
        read_secret(path, length_bytes=len(secret) + 1)
    assert secret.hex() not in str(refused.value) or len(secret) < 4


@pytest.mark.parametrize("content", [CANARY, "é", ""])
def test_a_secret_that_is_none_is_named_by_its_file_only(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pepper"
    path.write_text(content)
    with pytest.raises(SettingsError, match="pepper") as refused:
        read_secret(path, length_bytes=32)
    assert CANARY not in str(refused.value)
    with pytest.raises(SettingsError, match="absent"):
        read_secret(tmp_path / "absent", length_bytes=32)
