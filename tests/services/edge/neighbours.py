"""Router, replica and emitter as real gRPC servers in this process, each following a script."""

import array
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from comptoir.emitter.v1 import emitter_pb2, emitter_pb2_grpc
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import router_pb2, router_pb2_grpc
from comptoir.ticket.v1 import ticket_pb2
from comptoir.usage.v1 import usage_pb2

from services.edge.domain.ports import Retirement
from services.kernel.clock import SystemClock
from services.kernel.errors import ComptoirError
from services.kernel.identity import Identity
from services.kernel.quota import wait_milliseconds
from services.runtime.addresses import GrpcListen
from services.runtime.grpc.server import GrpcServer, build_server
from tests.fakes.joined import AdmitsMany, GeneratesMany, RecordsMany
from tests.services.edge.scripts import LEASE, GeneratorScript, RouterScript, Step, record_of


class ScriptedRouter(AdmitsMany):
    def __init__(self, script: RouterScript) -> None:
        self.script = script

    async def recorded(self) -> None:
        await self.script.recorded()

    async def Admit(self, request: router_pb2.AdmitRequest, context: Any) -> router_pb2.AdmitResponse:  # noqa: N802
        script = self.script
        script.keys.append(request.api_key)
        script.request_ids.append(Identity(request.request_id_high, request.request_id_low))
        script.sources.append(request.source)
        script.beginnings.append([*request.prefix_digests])
        script.needs.append(request.needs)
        script.upper_bounds.append(request.prompt_tokens_upper_bound)
        if script.hold is not None:
            try:
                await script.hold.wait()
            except asyncio.CancelledError:
                script.is_left.set()
                raise
        if script.refusal is not None:
            raise script.refusal
        return router_pb2.AdmitResponse(
            offer=_offer(*script.first_offer()),
            lease_id_high=LEASE.high,
            lease_id_low=LEASE.low,
            may_hedge=script.may_hedge,
            quota=_quota(script),
            model_number=1,
            tenant_number=2,
            key_number=3,
            home_region=4,
            model_name=script.model_name,
            retirement=_retirement(script.retirement),
        )

    async def AdmitCount(  # noqa: N802
        self, request: router_pb2.AdmitCountRequest, context: Any
    ) -> router_pb2.AdmitCountResponse:
        script = self.script
        script.keys.append(request.api_key)
        script.request_ids.append(Identity(request.request_id_high, request.request_id_low))
        script.sources.append(request.source)
        script.upper_bounds.append(request.prompt_tokens_upper_bound)
        if script.refusal is not None:
            raise script.refusal
        return router_pb2.AdmitCountResponse(
            offer=_offer(*script.first_offer()),
            quota=_quota(script),
            model_number=1,
            tenant_number=2,
            key_number=3,
            home_region=4,
            model_name=script.model_name,
            retirement=_retirement(script.retirement),
        )

    async def NextOffer(  # noqa: N802
        self, request: router_pb2.NextOfferRequest, context: Any
    ) -> router_pb2.NextOfferResponse:
        self.script.needs.append(request.needs)
        lease = Identity(request.lease_id_high, request.lease_id_low)
        asked = self.script.another_offer(request.api_key, lease, is_hedge=request.is_hedge)
        number, address = await asked
        return router_pb2.NextOfferResponse(offer=_offer(number, address))

    async def Release(self, request: router_pb2.ReleaseRequest, context: Any) -> router_pb2.ReleaseResponse:  # noqa: N802
        if self.script.release_refusal is not None:
            raise self.script.release_refusal
        self.script.released.append(Identity(request.lease_id_high, request.lease_id_low))
        return router_pb2.ReleaseResponse(is_released=True)

    async def ListModels(  # noqa: N802
        self, request: router_pb2.ListModelsRequest, context: Any
    ) -> router_pb2.ListModelsResponse:
        self.script.keys.append(request.api_key)
        self.script.sources.append(request.source)
        if self.script.refusal is not None:
            raise self.script.refusal
        return router_pb2.ListModelsResponse(
            models=[
                router_pb2.Model(
                    name=model.name,
                    number=1,
                    created_at_seconds=model.created_at_seconds,
                    context_tokens=model.context_tokens,
                    max_output_tokens=model.max_output_tokens,
                    model_name=model.model_name,
                    retirement=_retirement(model.retirement),
                )
                for model in self.script.models
            ]
        )


def _quota(script: RouterScript) -> router_pb2.QuotaState:
    quota = script.quota
    return router_pb2.QuotaState(
        limit_requests=quota.limit_requests,
        remaining_requests=quota.remaining_requests,
        limit_tokens=quota.limit_tokens,
        remaining_tokens=quota.remaining_tokens,
        reset_requests_milliseconds=wait_milliseconds(quota.reset_requests_seconds),
        reset_tokens_milliseconds=wait_milliseconds(quota.reset_tokens_seconds),
    )


def _retirement(said: Retirement | None) -> router_pb2.Retirement | None:
    if said is None:
        return None
    return router_pb2.Retirement(
        deprecated_at_seconds=said.deprecated_at_seconds, sunset_at_seconds=said.sunset_at_seconds
    )


class ScriptedGenerator(GeneratesMany):
    def __init__(self, script: GeneratorScript) -> None:
        self.script = script

    async def GetLoad(  # noqa: N802
        self, request: generator_pb2.GetLoadRequest, context: Any
    ) -> generator_pb2.GetLoadResponse:
        return generator_pb2.GetLoadResponse()

    async def GetModelInfo(  # noqa: N802
        self, request: generator_pb2.GetModelInfoRequest, context: Any
    ) -> generator_pb2.GetModelInfoResponse:
        return generator_pb2.GetModelInfoResponse(model="tiny-eu", context_tokens=4096)

    async def CountTokens(  # noqa: N802
        self, request: generator_pb2.CountTokensRequest, context: Any
    ) -> generator_pb2.CountTokensResponse:
        script = self.script
        script.attempts.append(int(request.ticket.claims))
        script.texts += [message.text for message in request.messages] or [request.text]
        for step in script.before_started:
            if isinstance(step, ComptoirError):
                raise step
        ids = range(script.input_tokens)
        return generator_pb2.CountTokensResponse(
            input_tokens=script.input_tokens,
            context_tokens=4096,
            token_ids=ids if request.returns_token_ids else (),
        )

    async def Embed(  # noqa: N802
        self, request: generator_pb2.EmbedRequest, context: Any
    ) -> AsyncIterator[generator_pb2.EmbedResponse]:
        script = self.script
        script.attempts.append(int(request.ticket.claims))
        script.has_been_asked.set()
        script.prompts += [list(each.token_ids.ids) or each.text for each in request.inputs]
        try:
            async for _ in _play(script.before_started):
                raise AssertionError("text before Started")
            yield generator_pb2.EmbedResponse(started=generator_pb2.Started(input_tokens=script.input_tokens))
            async for _ in _play(script.steps):
                pass
        except asyncio.CancelledError:
            script.cancelled.set()
            raise
        for index in range(len(request.inputs)):
            numbers = [index, *[0.1] * (script.dimensions - 1)]
            values = array.array("f", numbers).tobytes()
            yield generator_pb2.EmbedResponse(
                vectors=generator_pb2.Vectors(dimensions=script.dimensions, values=values)
            )
        yield generator_pb2.EmbedResponse(embedded=generator_pb2.Embedded(input_tokens=script.input_tokens))

    async def Generate(  # noqa: N802
        self, request: generator_pb2.GenerateRequest, context: Any
    ) -> AsyncIterator[generator_pb2.GenerateResponse]:
        script = self.script
        script.attempts.append(int(request.ticket.claims))
        script.has_been_asked.set()
        script.texts += [message.text for message in request.messages]
        if request.HasField("prompt"):
            prompt = request.prompt
            script.prompts.append(list(prompt.token_ids.ids) or prompt.text)
        script.seeds.append(request.sampling.seed if request.sampling.HasField("seed") else None)
        try:
            async for _ in _play(script.before_started):
                raise AssertionError("text before Started")
            yield generator_pb2.GenerateResponse(
                started=generator_pb2.Started(input_tokens=script.input_tokens)
            )
            async for text in _play(script.steps):
                script.has_played.set()
                yield generator_pb2.GenerateResponse(delta=generator_pb2.Delta(text=text, output_tokens=1))
            yield _finished(script)
        except (asyncio.CancelledError, GeneratorExit):
            script.cancelled.set()
            raise


class ScriptedEmitter(RecordsMany):
    def __init__(self) -> None:
        self.events: list[usage_pb2.EdgeRequest] = []
        self.seen: list[usage_pb2.EdgeRequest] = []
        self.refused = asyncio.Event()
        self.refusal: ComptoirError | None = None
        # Of the request whose events alone are refused; None for those of all.
        self.refused_number: int | None = None
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def Record(self, request: emitter_pb2.RecordRequest, context: Any) -> emitter_pb2.RecordResponse:  # noqa: N802
        self.calls += 1
        await self.gate.wait()
        self.seen += request.edge_requests
        numbers = [event.request_id_low for event in request.edge_requests]
        if self.refusal is not None and self.refused_number in (None, *numbers):
            self.refused.set()
            raise self.refusal
        self.events += request.edge_requests
        return emitter_pb2.RecordResponse(accepted=len(request.edge_requests))


async def serve_router(script: RouterScript, path: Path) -> GrpcServer:
    server = build_server(GrpcListen(address=f"unix:{path}"), clock=SystemClock())
    router_pb2_grpc.add_RouterServiceServicer_to_server(ScriptedRouter(script), server.server)
    return await _started(server, is_serving=script.is_serving)


async def serve_generator(script: GeneratorScript, path: Path) -> GrpcServer:
    server = build_server(GrpcListen(address=f"unix:{path}"), clock=SystemClock())
    generator_pb2_grpc.add_GeneratorServiceServicer_to_server(ScriptedGenerator(script), server.server)
    return await _started(server, is_serving=True)


async def serve_emitter(emitter: ScriptedEmitter, path: Path) -> GrpcServer:
    server = build_server(GrpcListen(address=f"unix:{path}"), clock=SystemClock())
    emitter_pb2_grpc.add_EmitterServiceServicer_to_server(emitter, server.server)
    return await _started(server, is_serving=True)


async def _started(server: GrpcServer, *, is_serving: bool) -> GrpcServer:
    await server.start()
    await server.set_serving(is_serving=is_serving)
    return server


async def _play(steps: list[Step]) -> AsyncIterator[str]:
    for step in steps:
        if isinstance(step, ComptoirError):
            raise step
        if isinstance(step, asyncio.Event):
            await step.wait()
        else:
            yield step


def _offer(number: int, address: str) -> router_pb2.TicketOffer:
    ticket = ticket_pb2.SignedTicket(claims=b"%d" % number, signature=bytes(64), signing_key_number=1)
    return router_pb2.TicketOffer(ticket=ticket, generator_address=address, transfer_record=record_of(number))


def _finished(script: GeneratorScript) -> generator_pb2.GenerateResponse:
    reason = generator_pb2.FINISH_REASON_LENGTH if script.is_length else generator_pb2.FINISH_REASON_STOP
    return generator_pb2.GenerateResponse(
        finished=generator_pb2.Finished(
            finish_reason=reason, input_tokens=script.input_tokens, output_tokens=script.output_tokens
        )
    )
