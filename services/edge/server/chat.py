"""POST /v1/chat/completions: admitted by the router, answered by a replica, streamed or whole."""

import asyncio

from services.edge import wire
from services.edge.domain.answering import TicketedAnswer
from services.edge.domain.generation import ChatRequest, Finished
from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.chat import parse_chat
from services.edge.domain.openai.chat_answers import ChunkWriter, completion_json
from services.edge.domain.openai.rate_limits import quota_headers
from services.edge.domain.openai.streams import DONE
from services.edge.domain.ports import Admission, Generators, Router
from services.edge.server.http.exchange import STREAM_HEADERS, Exchange
from services.edge.server.http.requests import read_body, read_key
from services.edge.server.http.watches import ClientWatch, KeepAlive
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime.logs import get_logger

_log = get_logger(__name__)
# The replica has the same deadline and tells its end better; this bounds what waits for the client.
_AFTER_DEADLINE_SECONDS = 0.5


class ChatCompletions:
    """The endpoint; holds no state of a request."""

    def __init__(self, router: Router, generators: Generators, limits: EdgeLimits) -> None:
        self._router = router
        self._generators = generators
        self._limits = limits
        self._releases: set[asyncio.Task[None]] = set()

    async def serve(self, exchange: Exchange) -> None:
        """Answers one request; raises ComptoirError, HttpRefusalError or ClientGoneError."""
        limits = self._limits
        key = read_key(exchange)
        body = await read_body(exchange, max_bytes=limits.max_body_bytes, within_seconds=limits.body_seconds)
        chat = parse_chat(wire.decode_json(body))
        exchange.event.is_streamed = chat.is_streamed
        admission = await self._admit(exchange, key, chat)
        answer = TicketedAnswer(
            self._generators,
            admission,
            chat,
            request_id=exchange.event.request_id,
            deadline_seconds=self._deadline_seconds(exchange),
        )
        try:
            async with ClientWatch(exchange):
                await self._deliver(exchange, chat, admission, answer)
        finally:
            answer.cancel()
            exchange.attempts = answer.attempts
            if answer.finished is not None:
                exchange.event.input_tokens = answer.finished.input_tokens
                exchange.event.output_tokens = answer.finished.output_tokens
            if answer.is_lease_unused:
                self._release(admission.lease)

    async def close(self, *, within_seconds: float) -> None:
        """Waits for leases that are being given back."""
        if self._releases:
            await asyncio.wait(self._releases, timeout=within_seconds)

    def _deadline_seconds(self, exchange: Exchange) -> float:
        return exchange.event.received_seconds + self._limits.request_seconds

    async def _admit(self, exchange: Exchange, key: str, chat: ChatRequest) -> Admission:
        event = exchange.event
        admission = await self._router.admit(key=key, chat=chat, request_id=event.request_id)
        event.admitted_seconds = exchange.clock.monotonic_seconds()
        event.model_number = admission.model_number
        event.tenant_number = admission.tenant_number
        event.key_number = admission.key_number
        return admission

    async def _deliver(
        self, exchange: Exchange, chat: ChatRequest, admission: Admission, answer: TicketedAnswer
    ) -> None:
        first_text_by = asyncio.get_running_loop().time() + self._limits.first_text_seconds
        left_seconds = self._deadline_seconds(exchange) - exchange.clock.monotonic_seconds()
        try:
            async with asyncio.timeout(left_seconds + _AFTER_DEADLINE_SECONDS):
                # No header is sent before a replica accepted, so that a refusal keeps its real status.
                async with asyncio.timeout_at(first_text_by):
                    await answer.start()
                if chat.is_streamed:
                    await self._stream(exchange, chat, admission, answer, first_text_by)
                else:
                    await self._complete(exchange, chat, admission, answer, first_text_by)
        except TimeoutError:
            raise ComptoirError(Reason.DEADLINE_EXCEEDED) from None

    async def _stream(
        self,
        exchange: Exchange,
        chat: ChatRequest,
        admission: Admission,
        answer: TicketedAnswer,
        first_text_by: float,
    ) -> None:
        event = exchange.event
        chunks = ChunkWriter(
            request_hex=event.request_id.hex,
            model=chat.model,
            created_seconds=event.started_at_microseconds // 1_000_000,
            includes_usage=chat.includes_usage,
        )
        await exchange.begin(200, [*STREAM_HEADERS, *quota_headers(admission.quota)])
        await exchange.write(chunks.role())
        with KeepAlive(exchange, idle_seconds=self._limits.ping_seconds):
            async with asyncio.timeout_at(first_text_by):
                text = await answer.next_text()
            while text is not None:
                if text:
                    event.first_text_seconds = event.first_text_seconds or exchange.clock.monotonic_seconds()
                    await exchange.write(chunks.text(text))
                text = await answer.next_text()
        await exchange.end(chunks.finish(_counts(answer)) + DONE)

    async def _complete(
        self,
        exchange: Exchange,
        chat: ChatRequest,
        admission: Admission,
        answer: TicketedAnswer,
        first_text_by: float,
    ) -> None:
        event = exchange.event
        async with asyncio.timeout_at(first_text_by):
            text = await answer.next_text()
        texts = []
        while text is not None:
            texts.append(text)
            text = await answer.next_text()
        body = completion_json(
            request_hex=event.request_id.hex,
            model=chat.model,
            created_seconds=event.started_at_microseconds // 1_000_000,
            text="".join(texts),
            finished=_counts(answer),
        )
        event.first_text_seconds = exchange.clock.monotonic_seconds()
        await exchange.answer(200, body, quota_headers(admission.quota))

    def _release(self, lease: Identity) -> None:
        # In the background: the client's error must not wait for the router.
        task = asyncio.create_task(self._give_back(lease))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    async def _give_back(self, lease: Identity) -> None:
        try:
            await self._router.release(lease)
        except ComptoirError as error:
            # The lease expires by itself.
            _log.warning("release_failed", reason=error.reason.name)


def _counts(answer: TicketedAnswer) -> Finished:
    if answer.finished is None:
        raise ComptoirError(Reason.INTERNAL)
    return answer.finished
