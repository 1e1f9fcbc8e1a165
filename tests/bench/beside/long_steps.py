"""How long bodies of worst-case cost hold the loops of edge, router, generator and emitter, one by one.

A loop's step is what it does between two looks at its sockets: all other requests of the process wait for it.
Steps are measured inside the processes (`loop_steps/sitecustomize.py`), in CPU time of the loop's thread.
"""

import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.local.stack.config import merge
from deploy.local.stack.options import DEFAULT_MODEL
from tests.bench.beside.errors import BenchError
from tests.bench.beside.progress import Progress
from tests.bench.beside.results import LongSteps
from tests.bench.beside.targets import simulated_settings
from tests.bench.beside.worst_bodies import EMBEDDING_MODEL, WorstBody, small_embedding, worst_bodies
from tests.system.stack_process import REPOSITORY, Stack, running_stack

PROCESSES: Final = ("edge", "router", "generator", "emitter")
# The same bodies again, for the generator with the engine that it has in earnest.
_WITH_VLLM: Final = "generator with vLLM"
PLANNED_SECONDS: Final = 260.0
_HOOK: Final = Path(__file__).with_name("loop_steps")
_MODEL: Final = "tiny-eu"
_ANSWER_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 0.5
_VECTORS_SECONDS: Final = 120.0
_OK: Final = 200
_HEALTH: Final = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
# The simulated engine holds a prompt of 1 MiB, so that no body is refused for its length before all of it was
# read. vLLM is told that a token may have so many bytes that it tokenizes one, and finds it too long then: it
# would take minutes to answer it.
_SIMULATED_TOKENS: Final = 4 * 1024 * 1024
_VLLM_TOKENS: Final = 8192
_VECTOR_TOKENS: Final = 512
_BYTES_PER_TOKEN: Final = 256
_GENERATOR: Final = {"simulated": {"kv_blocks": 2**16, "kv_block_tokens": 256, "itl_seconds": 0.001}}


@dataclass(frozen=True, slots=True)
class Step:
    """A step of one loop: when it ended, by the monotonic clock, and its CPU time."""

    ended: float
    seconds: float


def measure_long_steps(progress: Progress) -> list[LongSteps]:
    """Sends every body once and returns the longest step that it took in each process."""
    found = _measured_with("simulated")
    progress.say(
        f"bodies: {len(found)} sent; the longest step of the edge took {_longest_ms(found, 'edge'):.1f} ms"
    )
    with_vllm = _measured_with("vllm")
    for entry, again in zip(found, with_vllm, strict=True):
        entry.seconds[_WITH_VLLM] = again.seconds["generator"]
    progress.say(
        f"bodies: sent again; the generator's took {_longest_ms(found, _WITH_VLLM):.1f} ms with vLLM"
    )
    return found


def _longest_ms(entries: list[LongSteps], process: str) -> float:
    return 1000 * max(entry.seconds[process] for entry in entries)


def _measured_with(engine: str) -> list[LongSteps]:
    with tempfile.TemporaryDirectory() as folder, _watched_stack(Path(folder), engine) as (stack, steps):
        port = int(stack.description["base_url"].rpartition(":")[2].partition("/")[0])
        bodies = worst_bodies(_MODEL)
        # What a first request loads is not the body's doing.
        _wait_for_vectors(port, stack.api_key)
        for worst in bodies[:2]:
            _status(port, worst.request(stack.api_key))
        unwatched = [name for name in PROCESSES if not (steps / name).exists()]
        if unwatched:
            raise BenchError(f"{', '.join(unwatched)}: no step is written down.")
        return [_measured(worst, port, stack.api_key, steps) for worst in bodies]


def _wait_for_vectors(port: int, api_key: str) -> None:
    """Returns once a vector was made: the stack is up before the process that makes them is."""
    until = time.monotonic() + _VECTORS_SECONDS
    while _status(port, small_embedding().request(api_key)) != _OK:
        if time.monotonic() > until:
            raise BenchError("no vector was made.")
        time.sleep(_SETTLE_SECONDS)


@contextmanager
def _watched_stack(folder: Path, engine: str) -> Iterator[tuple[Stack, Path]]:
    steps = folder / "steps"
    steps.mkdir()
    config = folder / "overrides.yaml"
    config.write_text(yaml.safe_dump(merge(simulated_settings({}), _settings(engine))), encoding="utf-8")
    variables = {
        "PYTHONPATH": os.pathsep.join((str(_HOOK), str(REPOSITORY))),
        "COMPTOIR_BENCH_STEPS": str(steps),
    }
    arguments = ["--config", str(config), "--engine", engine]
    if engine == "vllm":
        arguments += ["--model", str(_long_model(folder))]
    # The last of the flags counts.
    with running_stack(folder / "data", *arguments, "--embeddings", variables=variables) as stack:
        yield stack, steps


def _settings(engine: str) -> dict[str, Any]:
    model = {
        "number": 1,
        "name": _MODEL,
        "context_tokens": _SIMULATED_TOKENS if engine == "simulated" else _VLLM_TOKENS,
        "max_output_tokens": 16,
        "max_bytes_per_token": _BYTES_PER_TOKEN,
        "tool_format": "hermes",
    }
    vectors = {"number": 2, "name": EMBEDDING_MODEL, "task": "embed", "context_tokens": _VECTOR_TOKENS}
    return {"catalog": {"models": [model, vectors]}, "generator": _GENERATOR if engine == "simulated" else {}}


def _long_model(folder: Path) -> Path:
    """Returns a copy of tiny-eu with a context that it was not trained for."""
    copy = folder / _MODEL
    shutil.copytree(DEFAULT_MODEL, copy)
    config = copy / "config.json"
    longer = json.loads(config.read_text(encoding="utf-8")) | {"max_position_embeddings": _VLLM_TOKENS}
    config.write_text(json.dumps(longer), encoding="utf-8")
    return copy


def _measured(worst: WorstBody, port: int, api_key: str, steps: Path) -> LongSteps:
    begun = time.monotonic()
    with _other_client(port) as longest_wait:
        status = _status(port, worst.request(api_key))
        # What is left to do behind the answer is the body's too.
        time.sleep(_SETTLE_SECONDS)
    seconds = {name: _longest(steps / name, begun) for name in PROCESSES}
    return LongSteps(worst.name, len(worst.content), status, seconds, longest_wait())


def _longest(file: Path, since: float) -> float:
    text = file.read_text(encoding="ascii") if file.exists() else ""
    return max((step.seconds for step in steps_of(text) if step.ended >= since), default=0.0)


def steps_of(text: str) -> Iterator[Step]:
    """Yields the steps that a process wrote down; a line that is not whole yet is none."""
    for line in text.split("\n")[:-1]:
        ended, seconds, *_ = line.split(" ")
        yield Step(float(ended), float(seconds))


@contextmanager
def _other_client(port: int) -> Iterator[Callable[[], float]]:
    """Another client that asks for the edge's health again and again; gives how long it waited at most."""
    waits = [0.0]
    is_over = threading.Event()

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            while not is_over.wait(0.001):
                begun = time.monotonic()
                connection.sendall(_HEALTH)
                connection.recv(4096)
                waits.append(time.monotonic() - begun)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield lambda: max(waits)
    finally:
        is_over.set()
        thread.join()


def _status(port: int, request: bytes) -> int:
    """Returns the status of an answer, once all of it has come."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        # A refusal may come before all was sent, so both go on at once.
        sending = threading.Thread(target=_send, args=(connection, request))
        sending.start()
        received = bytearray()
        try:
            while not is_whole(received) and (data := connection.recv(65536)):
                received += data
        except OSError as error:
            raise BenchError(f"the edge did not answer a body: {type(error).__name__}.") from None
        finally:
            sending.join()
    return int(received[9:12] or 0)


def _send(connection: socket.socket, request: bytes) -> None:
    try:
        connection.sendall(request)
    except OSError:
        # The edge has answered and closed.
        return


def is_whole(received: bytearray) -> bool:
    """Says whether an answer has come to its end, by its length or by its last chunk."""
    head, found, body = bytes(received).partition(b"\r\n\r\n")
    fields = head.lower().split(b"\r\n")
    if b"transfer-encoding: chunked" in fields:
        return body.endswith(b"\r\n0\r\n\r\n")
    lengths = [line for line in fields if line.startswith(b"content-length:")]
    return bool(found and lengths) and len(body) >= int(lengths[0].partition(b":")[2])
