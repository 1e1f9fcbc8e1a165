"""Hours of requests that end in every way, on a real generator over gRPC: is its memory flat?

.venv/bin/python -m tests.bench.churn --minutes 60 --engine vllm

Router, emitter, edge and one generator as processes of their own, `tiny-eu` for vLLM. Callers come without a
pause: they read to the end, cancel at once or later, come with a deadline that is too short, read slowly, or
read nothing for a while. Once a minute it prints memory and open files of the generator and of its engine,
and what is open; at the end how the requests ended, and by how much the memory grew since the first minutes.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc

from tests.bench.beside.processes import ENGINE_ROLE, anonymous_bytes, roles_of, running
from tests.system.serving_processes import ServingProcesses

_MODEL_FOLDER: Final = Path(__file__).parents[2] / "deploy" / "models" / "tiny-eu"
_MIB: Final = 1024 * 1024
# Minutes until caches and pools have their size.
_WARM_MINUTES: Final = 3
_MOST_TOKENS: Final = 200
_ENGINES: Final[dict[str, dict[str, Any]]] = {
    "simulated": {
        "simulated": {"ttft_seconds": 0.01, "itl_seconds": 0.002, "answer_tokens": 150, "kv_blocks": 120}
    },
    # Blocks for three contexts, so that some requests are preempted.
    "vllm": {
        "engine": "vllm",
        "model_path": str(_MODEL_FOLDER),
        "vllm": {"kv_cache_memory_bytes": 6 * _MIB, "max_running_requests": 8},
    },
}


class Churn:
    """Callers of one generator, each with the next request as soon as its last one has ended."""

    def __init__(self, processes: ServingProcesses, api_key: str, seed: int) -> None:
        self._processes, self._api_key = processes, api_key
        self._random = random.Random(seed)
        self.ended = Counter[str]()
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def call(self) -> None:
        """One request, to whatever end chance gives it."""
        offer = (await self._processes.admit(self._api_key, max_output_tokens=_MOST_TOKENS)).offer
        text = self._random.choice(["Bonjour. ", "Où ? "]) * self._random.randint(1, 2)
        request = generator_pb2.GenerateRequest(
            ticket=offer.ticket,
            messages=[generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text=text)],
            sampling=generator_pb2.Sampling(max_output_tokens=self._random.randint(1, _MOST_TOKENS)),
            is_streamed=True,
        )
        chance = self._random.random()
        seconds = self._random.uniform(0.001, 0.5) if chance < 0.2 else 60.0
        call = self.stub(offer.generator_address).Generate(request, timeout=seconds)
        try:
            self.ended[await self._read(call, chance)] += 1
        except grpc.aio.AioRpcError as error:
            self.ended[error.code().name.lower()] += 1
        finally:
            call.cancel()

    async def _read(self, call: Any, chance: float) -> str:
        if chance > 0.8:
            await asyncio.sleep(self._random.uniform(0, 0.3))
            return "left without reading"
        leaves_after = self._random.randint(1, 60) if 0.2 <= chance < 0.5 else None
        read = 0
        async for _ in call:
            read += 1
            if read == leaves_after:
                return "left while reading"
            if 0.5 <= chance < 0.6:
                await asyncio.sleep(self._random.uniform(0, 0.05))
        return "whole"

    def stub(self, address: str) -> Any:
        """The replica at an address, over one connection."""
        if address not in self._channels:
            self._channels[address] = grpc.aio.insecure_channel(address)
        return generator_pb2_grpc.GeneratorServiceStub(self._channels[address])

    async def open_streams(self) -> int:
        """What the replicas say that they serve."""
        loads = [await self.stub(name).GetLoad(generator_pb2.GetLoadRequest()) for name in self._channels]
        return sum(load.open_streams + load.unfinished_requests for load in loads)

    async def close(self) -> None:
        """Closes the connections."""
        for channel in self._channels.values():
            await channel.close()

    async def run(self, until: float) -> None:
        """One caller until a moment of the monotonic clock."""
        while time.monotonic() < until:
            try:
                await self.call()
            except grpc.aio.AioRpcError as error:
                self.ended[f"not admitted: {error.code().name.lower()}"] += 1


def _entries(pid: int, folder: str) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/{folder}").iterdir())


async def _look(processes: ServingProcesses, minute: int, churn: Churn) -> dict[str, float]:
    pid = processes.pid("generator1")
    roles = roles_of(running(), {pid: "generator", processes.pid("router"): "router"})
    memory: Counter[str] = Counter()
    for each, role in roles.items():
        memory[role] += anonymous_bytes(each)
    files = {role: _entries(processes.pid(name), "fd") for role, name in _NAMES.items()}
    threads = _entries(pid, "task")
    shown = ", ".join(f"{role} {memory[role] / _MIB:.1f} MiB" for role in sorted(memory))
    print(
        f"minute {minute:3}: {shown}; files {files}; threads {threads};"
        f" open {await churn.open_streams()}; ended {sum(churn.ended.values())}",
        flush=True,
    )
    return {role: memory[role] / _MIB for role in ("generator", "router", ENGINE_ROLE)}


_NAMES: Final = {"generator": "generator1", "router": "router"}


async def _churn(minutes: int, engine: str, callers: int, folder: Path) -> None:
    processes = ServingProcesses(folder, generator=_ENGINES[engine])
    churn: Churn | None = None
    try:
        await processes.start()
        await processes.until_replicas(["ready"])
        churn = Churn(processes, await processes.key("acme", concurrency=2 * callers), 7)
        end = time.monotonic() + 60 * minutes
        calling = [asyncio.create_task(churn.run(end)) for _ in range(callers)]
        looks = []
        for minute in range(1, minutes + 1):
            await asyncio.sleep(max(0.0, end - 60 * (minutes - minute) - time.monotonic()))
            looks.append(await _look(processes, minute, churn))
        await asyncio.gather(*calling)
        await asyncio.sleep(2)
        await _look(processes, minutes, churn)
        print("endings:", dict(churn.ended.most_common()))
        first = looks[min(_WARM_MINUTES, len(looks)) - 1]
        for role, mebibytes in looks[-1].items():
            print(f"{role}: {mebibytes - first[role]:+.1f} MiB since minute {min(_WARM_MINUTES, len(looks))}")
    finally:
        if churn is not None:
            await churn.close()
        await processes.stop()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs as long as it is told to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--engine", choices=sorted(_ENGINES), default="vllm")
    parser.add_argument("--callers", type=int, default=24, help="requests at once")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_churn(asked.minutes, asked.engine, asked.callers, Path(folder)))


if __name__ == "__main__":
    main()
