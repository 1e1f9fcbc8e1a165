"""What a replica's stream costs a router while it reports, and a connection its ends; run as a module.

A router in a process of its own, without TLS, and so many replicas in this one, each on a connection of its
own: memory of both, and CPU per report at one report a second of each, spread over the second.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import grpc
import yaml
from comptoir.router.v1 import replica_pb2, replica_pb2_grpc

from tests.bench.beside.processes import anonymous_bytes, snapshot, usage_between
from tests.system.stack_process import running_stack

_ROUTER: Final = "router"
_REPLICAS: Final = (0, 200, 1_000)
_PATIENCE_SECONDS: Final = 60.0
_KIB: Final = 1024
# Else all channels of a process to one address share a connection.
_APART: Final = (("grpc.use_local_subchannel_pool", 1),)


class Streams:
    """Replicas of a model that nobody asks for: they register, report once a second, and hold nothing."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.answers = 0
        self._channels: list[grpc.aio.Channel] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, replicas: int) -> None:
        """Opens all of them, spread over a second, and waits until each was answered."""
        answered = [asyncio.Event() for _ in range(replicas)]
        for number, event in enumerate(answered, start=1):
            own = grpc.aio.insecure_channel(self._address, options=_APART)
            self._channels.append(own)
            self._tasks.append(asyncio.create_task(self._keep(own, number, number / replicas, event)))
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in answered)), _PATIENCE_SECONDS)

    async def close(self) -> None:
        """Ends all of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(own.close() for own in self._channels))

    async def _keep(
        self, own: grpc.aio.Channel, number: int, begin_seconds: float, answered: asyncio.Event
    ) -> None:
        await asyncio.sleep(begin_seconds)
        async for _ in replica_pb2_grpc.ReplicaServiceStub(own).Report(_said(number)):
            self.answers += 1
            answered.set()


async def _said(number: int) -> AsyncIterator[replica_pb2.ReportRequest]:
    own: replica_pb2.Registration | None = replica_pb2.Registration(
        replica=100 + number,
        region=1,
        model=1,
        address=f"127.0.0.1:{10_000 + number}",
        context_tokens=8_192,
        max_requests=256,
        incarnation=number,
    )
    load = replica_pb2.Load(kv_free_blocks=1_000)
    while True:
        now_microseconds = time.time_ns() // 1_000
        yield replica_pb2.ReportRequest(registration=own, load=load, sent_at_microseconds=now_microseconds)
        own = None
        await asyncio.sleep(1.0)


async def _print_rows(address: str, router: int, seconds: float) -> None:
    for replicas in _REPLICAS:
        print(await _measured(address, router, replicas, seconds), flush=True)


async def _measured(address: str, router: int, replicas: int, seconds: float) -> str:
    streams, cores = Streams(address), os.cpu_count() or 1
    await streams.open(replicas)
    try:
        await asyncio.sleep(2.0)
        before, answers = snapshot({router: _ROUTER}), streams.answers
        await asyncio.sleep(seconds)
        usage = usage_between(before, snapshot({router: _ROUTER}), cores)
        heard = streams.answers - answers
        memory = [anonymous_bytes(pid) / _KIB for pid in (router, os.getpid())]
        cpu = usage.cpu_seconds[_ROUTER]
        each = f"{1e6 * cpu / heard:,.0f}" if heard else "-"
        cells = (f"{replicas:,}", f"{heard / usage.seconds:,.0f}", f"{1e3 * cpu / usage.seconds:,.0f}", each)
        return f"| {' | '.join((*cells, *(f'{kib:,.0f}' for kib in memory)))} | {usage.foreign_cores:.1f} |"
    finally:
        await streams.close()


def main() -> None:
    """Prints a row for each number of replicas."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each is measured")
    seconds = parser.parse_args().seconds
    print("| replicas | reports/s | router CPU ms/s | µs per report | router KiB | replicas' KiB | foreign |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with (
        tempfile.TemporaryDirectory() as name,
        running_stack(Path(name) / "data", "--engine", "simulated", "--no-embeddings") as stack,
    ):
        settings = yaml.safe_load((stack.data_dir / "comptoir.yaml").read_text(encoding="utf-8"))
        address = settings["generator"]["router"]["address"]
        router = int(stack.process(_ROUTER)["pid"])
        asyncio.run(_print_rows(address, router, seconds))


if __name__ == "__main__":
    main()
