"""The memory of accelerators, on a driver's library that the test plays."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from services.generator.adapters.accelerators import Accelerators, Memory
from services.generator.adapters.generation_meter import GenerationMeter
from services.runtime import settings
from tests.services.runtime.metrics.collecting import collected


class _NvmlError(Exception):
    pass


def _library(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> None:
    library = ModuleType("pynvml")
    every = {
        "NVMLError": _NvmlError,
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(free=10 + handle, total=100),
        **functions,
    }
    for name, function in every.items():
        setattr(library, name, function)
    monkeypatch.setitem(sys.modules, "pynvml", library)


def _fails(*_: object) -> None:
    raise _NvmlError


def _visible(monkeypatch: pytest.MonkeyPatch, devices: str) -> None:
    found = {"CUDA_VISIBLE_DEVICES": devices}
    monkeypatch.setattr(f"{Accelerators.__module__}.environment", lambda: found)


def test_each_device_tells_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    _library(monkeypatch)
    devices = Accelerators()
    assert devices.memory() == [Memory(0, 10, 100), Memory(1, 11, 100)]
    assert devices.free_bytes() == 10


@pytest.mark.parametrize("chosen", ["1", "GPU-1", " 1 ,7"])
def test_only_devices_count_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    _library(monkeypatch)
    _visible(monkeypatch, chosen)
    assert Accelerators().memory() == [Memory(1, 11, 100)]


def test_without_a_library_a_driver_or_an_answer_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.environment() is not None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert (Accelerators().count, Accelerators().free_bytes()) == (0, 0)
    _library(monkeypatch, nvmlInit=_fails)
    assert Accelerators().count == 0
    _library(monkeypatch, nvmlDeviceGetCount=_fails)
    assert Accelerators().count == 0
    _library(monkeypatch, nvmlDeviceGetMemoryInfo=_fails)
    assert not Accelerators().memory()


def test_memory_and_open_requests_are_shown_by_model_and_device(monkeypatch: pytest.MonkeyPatch) -> None:
    _library(monkeypatch)
    model = {"gen_ai__operation__name": "chat", "gen_ai__provider__name": "comptoir"}
    model["gen_ai__request__model"] = "tiny-eu"
    engine: Any = SimpleNamespace(load=_load)
    with collected() as shown:
        GenerationMeter(engine, "tiny-eu").watch([1, 2, 3], Accelerators())
        free, total = "comptoir.engine.accelerator_memory_free", "comptoir.engine.accelerator_memory_total"
        assert shown.value(free, **model, device="1") == 11
        assert shown.value(total, **model, device="0") == 100
        assert shown.value("comptoir.generator.open_requests", **model) == 3


def _load() -> Any:
    return SimpleNamespace(
        running_requests=0, waiting_requests=0, kv_usage=0.0, age_seconds=0.0, preempted_requests_total=0
    )
