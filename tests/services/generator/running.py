"""What the server tests start: one generator in this process, its callers' tickets, its sinks."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import grpc
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.ticket.v1 import ticket_pb2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.generator.adapters.ed25519_signatures import Ed25519Signatures
from services.generator.adapters.simulated.embedding import SimulatedEmbeddingEngine
from services.generator.adapters.simulated.engine import SimulatedEngine
from services.generator.domain.accepted import SharedParts
from services.generator.domain.bounds import Bounds
from services.generator.domain.counting import TokenCounts
from services.generator.domain.engine_parameters import ServedModel, SimulatedParameters
from services.generator.domain.generations import Generations
from services.generator.domain.load import LoadSample
from services.generator.domain.model_description import ModelDescription
from services.generator.domain.ports import Engine
from services.generator.domain.recording import UsageRecorder
from services.generator.domain.terminal_event import Counts, TerminalEvent
from services.generator.domain.ticket import Claims, Replica, TicketGate
from services.generator.process import ServedEngine
from services.generator.server.generation import GeneratorService
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime.addresses import GrpcListen
from services.runtime.grpc.server import build_server
from services.runtime.grpc.status import error_from
from services.runtime.process import live
from tests.contracts.engine_requests import until

REPLICA = Replica(number=7, region=1, model=3)
KEY_NUMBER = 1
CANARY = "kanarienvogel-7f3a"
MODEL = ServedModel(context_tokens=400)
PARAMETERS = SimulatedParameters(ttft_seconds=0.002, itl_seconds=0.001, kv_blocks=1000, answer_tokens=40)


class RememberingSink:
    """A usage sink that keeps events; it can be told to fail."""

    def __init__(self) -> None:
        self.events: list[TerminalEvent] = []
        self.samples: list[LoadSample] = []
        self.failures = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_closed = False

    async def record(self, event: TerminalEvent) -> None:
        await self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise ComptoirError(Reason.USAGE_NOT_RECORDED)
        self.events.append(event)

    async def record_load(self, sample: LoadSample) -> None:
        self.samples.append(sample)

    async def close(self) -> None:
        self.is_closed = True


class RememberingLink:
    """A link to a router that confirms everything at once."""

    is_registered = True

    def __init__(self) -> None:
        self.accepted_tickets: list[Identity] = []
        self.settled_leases: list[tuple[Identity, int, int]] = []
        self.unserved_leases: list[Identity] = []

    def accept(self, claims: Claims) -> None:
        self.accepted_tickets.append(claims.ticket_id)

    def settle(self, claims: Claims, used: Counts, *, is_unserved: bool) -> None:
        if is_unserved:
            assert used == Counts()
            self.unserved_leases.append(claims.lease_id)
        else:
            self.settled_leases.append((claims.lease_id, used.input_tokens, used.output_tokens))

    async def run(self, read_load: object, hold_back: object, call_back: object) -> None:
        await asyncio.Event().wait()

    async def settled(self, timeout_seconds: float) -> int:
        return 0

    async def close(self) -> None:
        """Has no connection."""


@dataclass
class Call:
    """What a caller got."""

    responses: list[generator_pb2.GenerateResponse]
    error: grpc.aio.AioRpcError | None = None

    @property
    def text(self) -> str:
        return "".join(response.delta.text for response in self.responses if response.HasField("delta"))

    @property
    def finished(self) -> generator_pb2.Finished:
        return self.responses[-1].finished


def reason_of(call: Call) -> Reason:
    assert call.error is not None
    return error_from(call.error).reason


class RunningGenerator:
    """A generator behind a unix socket."""

    def __init__(self, folder: Path, *, embeds: bool = False) -> None:
        self.address = f"unix:{folder}/generator.sock"
        self.clock = SystemClock()
        self.engine = SimulatedEngine(MODEL, PARAMETERS, self.clock)
        self.embedding_engine = SimulatedEmbeddingEngine(MODEL, PARAMETERS, self.clock)
        engine: Engine = self.embedding_engine if embeds else self.engine
        self._served = engine
        self.sink, self.link = RememberingSink(), RememberingLink()
        self.sleeps = 0
        self.recorder = UsageRecorder(self.sink, max_unrecorded=50, sleep=self._pause)
        shared = SharedParts(engine, self.recorder, self.link, self.clock, b"s" * 32, 60.0, 64)
        started = self.clock.wall_microseconds()
        gate = TicketGate(REPLICA, started_at_microseconds=started)
        self.generations = Generations(shared, gate, max_requests=20)
        self.counts = TokenCounts(engine, gate, self.clock, max_bytes_per_token=64)
        self.key = Ed25519PrivateKey.generate()
        self.stop_event = asyncio.Event()
        self.bounds = Bounds(drain_seconds=0.3, flush_seconds=1.0)
        self._serving: asyncio.Task[None] | None = None

    async def _pause(self, _seconds: float) -> None:
        self.sleeps += 1
        await asyncio.sleep(0.01)

    async def start(self) -> None:
        server = build_server(GrpcListen(address=self.address), clock=self.clock)
        signatures = Ed25519Signatures({KEY_NUMBER: self.key.public_key()})
        model = ModelDescription("tiny-eu", 200, "hermes", self.engine.capabilities)
        GeneratorService(server, self.generations, self.counts, signatures, self.clock, model)
        served = ServedEngine(
            self._served,
            self.generations,
            self.recorder,
            self.sink,
            self.link,
            server,
            self.clock,
            self.bounds,
        )
        self._serving = asyncio.create_task(live(served, self.stop_event))
        self.channel = grpc.aio.insecure_channel(self.address)
        await asyncio.wait_for(self.channel.channel_ready(), 5)
        self.stub: generator_pb2_grpc.GeneratorServiceAsyncStub = generator_pb2_grpc.GeneratorServiceStub(
            self.channel
        )

    async def stop(self) -> BaseException | None:
        """Drains; returns what it ended with, None for a drain without a failure."""
        self.stop_event.set()
        failure = await self.ended()
        await self.channel.close()
        await asyncio.to_thread(self.engine.shutdown)
        return failure

    async def ended(self) -> BaseException | None:
        """Waits until the process has ended; returns what it ended with."""
        assert self._serving is not None
        done, _ = await asyncio.wait({self._serving}, timeout=10)
        assert done
        return self._serving.exception()

    def claims(self, **changes: int) -> ticket_pb2.TicketClaims:
        ticket, request, lease = Identity.random(), Identity.random(), Identity.random()
        now = self.clock.wall_microseconds()
        claims = ticket_pb2.TicketClaims(
            ticket_id_high=ticket.high,
            ticket_id_low=ticket.low,
            request_id_high=request.high,
            request_id_low=request.low,
            lease_id_high=lease.high,
            lease_id_low=lease.low,
            tenant=11,
            key=12,
            model=REPLICA.model,
            region=REPLICA.region,
            home_region=2,
            replica=REPLICA.number,
            max_input_tokens=300,
            max_output_tokens=200,
            priority=10,
            attempt=1,
            issued_at_microseconds=now,
            expires_at_microseconds=now + 30_000_000,
            predicted_kv_blocks=9,
        )
        for name, value in changes.items():
            setattr(claims, name, value)
        return claims

    def signed(self, claims: ticket_pb2.TicketClaims) -> ticket_pb2.SignedTicket:
        content = claims.SerializeToString()
        signature = self.key.sign(b"comptoir-ticket-v1\0" + content)
        return ticket_pb2.SignedTicket(claims=content, signature=signature, signing_key_number=KEY_NUMBER)

    def request(
        self,
        *,
        ticket: ticket_pb2.SignedTicket | None = None,
        text: str = f"Bonjour {CANARY}",
        max_output_tokens: int = 0,
    ) -> generator_pb2.GenerateRequest:
        return generator_pb2.GenerateRequest(
            ticket=ticket or self.signed(self.claims()),
            messages=[generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text=text)],
            sampling=generator_pb2.Sampling(max_output_tokens=max_output_tokens),
            is_streamed=True,
        )

    async def generate(
        self, request: generator_pb2.GenerateRequest | None = None, *, seconds: float = 10
    ) -> Call:
        call = Call([])
        try:
            async for response in self.stub.Generate(request or self.request(), timeout=seconds):
                call.responses.append(response)
        except grpc.aio.AioRpcError as error:
            call.error = error
        return call

    async def events(self, count: int = 1) -> list[TerminalEvent]:
        """The recorded events, once there are `count`, and after all endings are settled."""
        await until(lambda: len(self.sink.events) >= count and not self.recorder.unrecorded, 5)
        return self.sink.events

    async def until_idle(self) -> None:
        await until(lambda: self.engine.unfinished_requests() == 0, 5)

    def slow(self, **changes: float) -> None:
        """Gives the engine other times, for requests that come from now on."""
        self.engine._parameters = PARAMETERS.model_copy(update=changes)
        self.embedding_engine._parameters = self.engine._parameters
