"""The four targets, each started alone: Comptoir, vLLM's own server, LiteLLM before it, and the bare engine.

All engines are told the same: what Comptoir's generator is told, from its own settings.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deploy.local.stack.config import build_config, merge
from deploy.local.stack.options import DEFAULT_PORT, Addresses, StackOptions
from deploy.local.stack.paths import DataPaths
from services.generator.adapters.vllm.arguments import engine_arguments
from services.generator.adapters.vllm.environment import engine_variables
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.generator.settings import GeneratorSettings
from tests.bench.beside import canned
from tests.bench.beside.chat import Endpoint
from tests.bench.beside.environments import CPU_ENGINE, engine_distribution
from tests.bench.beside.errors import BenchError
from tests.bench.beside.litellm_proxy import proxy
from tests.bench.beside.loader import Loader, loader
from tests.bench.beside.models import BenchModel
from tests.bench.beside.servers import START_SECONDS, server
from tests.bench.beside.tables import BARE
from tests.ports import free_block
from tests.system.stack_process import REPOSITORY, Stack, run_comptoir, running_stack

COMPTOIR, FLOOR, LITELLM = "Comptoir", "AsyncLLM in process", "LiteLLM before vLLM"
LITELLM_ALONE = "LiteLLM before canned answers"
_HTTP_LOAD = "tests.bench.beside.http_load"
_EVENTS_OFF = Path(__file__).with_name("events_off")
# Quotas are counted as always and never reached.
_MUCH = 2**32 - 1
_PLENTY = {"requests_per_minute": _MUCH, "tokens_per_minute": _MUCH, "concurrency": _MUCH}


@dataclass(frozen=True, slots=True)
class Running:
    """A target that runs: whom to ask through which load process, and its processes by role."""

    loader: Loader
    endpoint: Endpoint
    roots: dict[int, str]
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """A name, how to start it in an empty folder, and a guess of how long start and stop take."""

    name: str
    start: Callable[[Path], AbstractContextManager[Running]]
    start_seconds: float


def comptoir(
    model: BenchModel, dtype: str, *, name: str = COMPTOIR, variables: Mapping[str, str] | None = None
) -> Target:
    """The whole of it on one machine, as `comptoir up` starts it, asked through its HTTP edge with a key."""
    settings, of_model = overrides_of(model, dtype), ("--model", str(model.folder))
    return Target(name, lambda folder: _stack(folder, settings, *of_model, variables=variables), 13)


def without_events() -> dict[str, str]:
    """Returns the environment in which a stack records no event."""
    return {"PYTHONPATH": os.pathsep.join((str(_EVENTS_OFF), str(REPOSITORY)))}


def simulated(overrides: Mapping[str, Any]) -> Target:
    """The same with the simulated engine."""
    settings = simulated_settings(overrides)
    return Target(COMPTOIR, lambda folder: _stack(folder, settings, "--engine", "simulated"), 12)


def simulated_settings(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what `comptoir up` is told then."""
    return merge({"router": {"default_quota": _PLENTY}}, dict(overrides))


def bare(model: BenchModel, dtype: str) -> Target:
    """vLLM's OpenAI server, without a log of requests."""
    return Target(BARE, lambda folder: _bare(folder, model, dtype), 26)


def litellm(model: BenchModel, dtype: str, python: Path) -> Target:
    """LiteLLM's proxy with a master key in front of vLLM's OpenAI server."""
    return Target(LITELLM, lambda folder: _litellm(folder, model, dtype, python), 38)


def litellm_alone(python: Path) -> Target:
    """LiteLLM's proxy with a master key in front of an upstream that costs next to nothing."""
    return Target(LITELLM_ALONE, lambda folder: _litellm_alone(folder, python), 14)


def floor(model: BenchModel, dtype: str) -> Target:
    """vLLM's engine in the process of its caller."""
    return Target(FLOOR, lambda folder: _floor(folder, model, dtype), 23)


def overrides_of(model: BenchModel, dtype: str) -> dict[str, Any]:
    """Returns what `comptoir up` is told beyond its own choices."""
    return {
        "router": {"default_quota": _PLENTY},
        "generator": {"vllm": {"dtype": dtype, "kv_cache_memory_bytes": model.kv_cache_bytes}},
    }


def engine_of(model: BenchModel, dtype: str) -> tuple[ServedModel, VllmParameters]:
    """Returns what the generator of `comptoir up` tells its engine."""
    overrides = overrides_of(model, dtype)
    options = StackOptions(REPOSITORY / "comptoir-data", model=str(model.folder), overrides=overrides)
    document = build_config(options, Addresses(DEFAULT_PORT), DataPaths(options.data_dir))
    own = {name: document[name] for name in ("region", "catalog")} | document["generator"]
    settings = GeneratorSettings.model_validate(own)
    assert isinstance(settings.engine_parameters, VllmParameters)
    return settings.served_model, settings.engine_parameters


def command_line(arguments: Mapping[str, Any]) -> list[str]:
    """Returns engine arguments as options of vLLM's server; what is None is left to it."""
    words = []
    for name, value in arguments.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif value is not None:
            words += [f"--{option}", json.dumps(value) if isinstance(value, Mapping) else str(value)]
    return words


@contextmanager
def _stack(
    folder: Path,
    overrides: Mapping[str, Any],
    *arguments: str,
    variables: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    config = folder / "overrides.yaml"
    config.write_text(yaml.safe_dump(dict(overrides)), encoding="utf-8")
    with ExitStack() as started:
        stack = started.enter_context(_started_stack(folder / "data", config, arguments, variables))
        own, _ = started.enter_context(loader(_HTTP_LOAD, folder))
        status = stack.status()
        roots = {int(entry["pid"]): str(entry["name"]) for entry in status["processes"]}
        roots[int(status["supervisor_pid"])] = "supervisor"
        port = int(stack.description["base_url"].rpartition(":")[2].partition("/")[0])
        yield Running(own, Endpoint(port, stack.model, stack.api_key), roots)


@contextmanager
def _started_stack(
    folder: Path, config: Path, arguments: Sequence[str], variables: Mapping[str, str] | None
) -> Iterator[Stack]:
    up = running_stack(folder, "--config", str(config), *arguments, variables=variables)
    with ExitStack() as started:
        try:
            stack = started.enter_context(up)
        except AssertionError as error:
            # What `comptoir up` said to people.
            raise BenchError(" ".join(str(error).split())[-300:]) from None
        except subprocess.TimeoutExpired:
            run_comptoir("down", "--data-dir", str(folder), check=False)
            raise BenchError("`comptoir up` did not end in time.") from None
        yield stack


@contextmanager
def _bare(folder: Path, model: BenchModel, dtype: str) -> Iterator[Running]:
    port = free_block()
    with vllm_server(folder, model, dtype, port) as server, loader(_HTTP_LOAD, folder) as (own, _):
        yield Running(own, Endpoint(port, model.name), {server.pid: "API server"})


@contextmanager
def _litellm(folder: Path, model: BenchModel, dtype: str, python: Path) -> Iterator[Running]:
    port = free_block()
    with (
        vllm_server(folder, model, dtype, port) as upstream,
        proxy(folder, model.name, python, port) as (process, endpoint),
        loader(_HTTP_LOAD, folder) as (own, _),
    ):
        yield Running(own, endpoint, {upstream.pid: "API server", process.pid: "LiteLLM"})


@contextmanager
def _litellm_alone(folder: Path, python: Path) -> Iterator[Running]:
    port = free_block()
    command = [sys.executable, "-m", canned.__name__, str(port)]
    with (
        server(folder / "canned.log", command, {}, port, "/health") as upstream,
        proxy(folder, canned.MODEL, python, port) as (process, endpoint),
        loader(_HTTP_LOAD, folder) as (own, _),
    ):
        yield Running(own, endpoint, {upstream.pid: "upstream", process.pid: "LiteLLM"})


@contextmanager
def _floor(folder: Path, model: BenchModel, dtype: str) -> Iterator[Running]:
    arguments = json.dumps(_arguments(model, dtype))
    module = "tests.bench.beside.floor"
    with loader(module, folder, [arguments], _engine_variables(model, dtype), START_SECONDS) as (own, said):
        yield Running(own, Endpoint(0, model.name), {own.pid: "caller"}, {"dtype": said["dtype"]})


def _arguments(model: BenchModel, dtype: str) -> dict[str, Any]:
    return engine_arguments(*engine_of(model, dtype), is_cpu=engine_distribution() == CPU_ENGINE)


def _engine_variables(model: BenchModel, dtype: str) -> dict[str, str]:
    _, parameters = engine_of(model, dtype)
    variables = engine_variables(is_download_allowed=False, cpu_threads=parameters.cpu_threads)
    # Its handlers are for our own log.
    del variables["VLLM_LOGGING_CONFIG_PATH"]
    return variables | {"VLLM_LOGGING_LEVEL": "ERROR"}


@contextmanager
def vllm_server(
    folder: Path, model: BenchModel, dtype: str, port: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """vLLM's OpenAI server, told what Comptoir's generator tells its engine."""
    arguments = _arguments(model, dtype)
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *command_line(arguments)]
    command += ["--served-model-name", model.name, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--uvicorn-log-level", "warning"]
    variables = _engine_variables(model, dtype)
    with server(folder / "vllm.log", command, variables, port, "/health") as process:
        yield process
