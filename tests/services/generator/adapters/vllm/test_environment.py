import gc
import json
import os
import warnings
from pathlib import Path

import pytest

from services.generator.adapters.vllm.environment import quiet_import, set_environment

TOUCHED = (
    "VLLM_NO_USAGE_STATS",
    "DO_NOT_TRACK",
    "HF_HUB_DISABLE_TELEMETRY",
    "VLLM_LOGGING_CONFIG_PATH",
    "VLLM_LOGGING_LEVEL",
    "VLLM_ENABLE_V1_MULTIPROCESSING",
    "VLLM_CPU_OMP_THREADS_BIND",
    "TOKENIZERS_PARALLELISM",
    "OMP_NUM_THREADS",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
)


@pytest.fixture(autouse=True)
def environment_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TOUCHED:
        monkeypatch.setenv(name, "before")
        monkeypatch.delenv(name)


def test_nothing_phones_home_and_nothing_is_downloaded_unasked() -> None:
    set_environment(is_download_allowed=False, cpu_threads=1)
    for name in ("VLLM_NO_USAGE_STATS", "DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_OFFLINE"):
        assert os.environ[name] == "1"  # noqa: TID251 - what is tested


def test_a_download_that_was_asked_for_is_possible_and_still_not_reported() -> None:
    set_environment(is_download_allowed=True, cpu_threads=1)
    assert "HF_HUB_OFFLINE" not in os.environ  # noqa: TID251 - what is tested
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"  # noqa: TID251 - what is tested


def test_vllm_is_told_to_log_places_only() -> None:
    set_environment(is_download_allowed=False, cpu_threads=1)
    path = Path(os.environ["VLLM_LOGGING_CONFIG_PATH"])  # noqa: TID251 - what is tested
    config = json.loads(path.read_text())
    handlers = {handler["class"] for handler in config["handlers"].values()}
    assert handlers == {"services.generator.adapters.vllm.log.PlaceHandler"}
    assert config["loggers"]["vllm.logging_utils.dump_input"]["handlers"] == []


def test_imports_warn_nobody_and_collections_go_on_afterwards() -> None:
    with quiet_import():
        assert not gc.isenabled()
        warnings.warn("for the library's authors", FutureWarning, stacklevel=1)
    assert gc.isenabled()
    gc.unfreeze()
