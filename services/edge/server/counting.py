"""POST /tokenize and /v1/responses/input_tokens: how many tokens a prompt has, of which none is spent."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from msgspec import Struct

from services.edge.domain.limits import EdgeLimits
from services.edge.domain.openai.answer_types import InputTokens, Tokenized
from services.edge.domain.openai.counts.bodies import InputTokensBody, TokenizeBody
from services.edge.domain.openai.counts.request import (
    CountRequest,
    input_tokens_json,
    input_tokens_steps,
    tokenize_json,
    tokenize_steps,
)
from services.edge.domain.openai.operation import GENERATION_STATUSES, Operation
from services.edge.domain.openai.paths import INPUT_TOKENS_PATH, TOKENIZE_PATH
from services.edge.domain.openai.rate_limits import quota_headers
from services.edge.domain.openai.responses.ports import ItemSeal
from services.edge.domain.openai.retirement import retirement_headers
from services.edge.domain.ports import CountAdmission, Generators, Router, TokenCount
from services.edge.server.bodies import Bodies
from services.edge.server.http.exchange import Exchange
from services.edge.server.http.requests import read_key
from services.edge.server.http.watches import DisconnectWatch
from services.edge.server.large_answers import LargeAnswers, send_parts
from services.edge.server.resource import Resource
from services.kernel.errors import ComptoirError
from services.kernel.steps import Steps

_TOKENIZE: Final = Operation(
    "tokenize",
    "the tokens of a text or of a chat",
    body=TokenizeBody,
    answer=Tokenized,
    statuses=GENERATION_STATUSES,
)
_INPUT_TOKENS: Final = Operation(
    "getInputTokenCounts",
    "how many tokens an input has",
    body=InputTokensBody,
    answer=InputTokens,
    statuses=GENERATION_STATUSES,
)


class TokenCounting:
    """Both endpoints; hold no state of a request."""

    def __init__(
        self,
        bodies: Bodies,
        router: Router,
        generators: Generators,
        large_answers: LargeAnswers,
        limits: EdgeLimits,
        seal_of: Callable[[str], ItemSeal],
    ) -> None:
        self._bodies = bodies
        self._large_answers = large_answers
        self._router = router
        self._generators = generators
        self._limits = limits
        self._seal_of = seal_of
        self.resources = (
            Resource("POST", TOKENIZE_PATH, self.serve_tokenize, _TOKENIZE),
            Resource("POST", INPUT_TOKENS_PATH, self.serve_input_tokens, _INPUT_TOKENS),
        )

    async def serve_tokenize(self, exchange: Exchange) -> None:
        """Answers as vLLM's server does."""
        await self._serve(exchange, tokenize_steps, TokenizeBody, tokenize_json)

    async def serve_input_tokens(self, exchange: Exchange) -> None:
        """Answers as OpenAI does."""
        parse = partial(input_tokens_steps, seal=self._seal_of(read_key(exchange)))
        await self._serve(exchange, parse, InputTokensBody, input_tokens_json)

    async def _serve(
        self,
        exchange: Exchange,
        parse: Callable[[object], Steps[CountRequest]],
        body: type[Struct],
        write: Callable[[TokenCount], Iterator[bytes]],
    ) -> None:
        key = read_key(exchange)
        asked = await self._bodies.read(
            exchange, parse, body, without_effect=lambda asked: asked.without_effect
        )
        with DisconnectWatch(exchange):
            async with self._large_answers.place(key, asked.answer_bytes):
                admitted, counted = await self._counted(exchange, key, asked)
                headers = [
                    *quota_headers(admitted.quota),
                    *retirement_headers(admitted.model_name, admitted.retirement),
                ]
                await send_parts(exchange, write(counted), headers)

    async def _counted(
        self, exchange: Exchange, key: str, asked: CountRequest
    ) -> tuple[CountAdmission, TokenCount]:
        event, request = exchange.event, asked.generation
        try:
            admitted = await self._router.admit_count(
                key=key, request=request, request_id=event.request_id, source=event.source
            )
            event.admitted_seconds = exchange.clock.monotonic_seconds()
            event.model_number = admitted.model_number
            event.tenant_number, event.key_number = admitted.tenant_number, admitted.key_number
            event.home_region = admitted.home_region
            event.transfer_record = admitted.offer.transfer_record
            counted = await self._generators.count(
                admitted.offer,
                request,
                returns_ids=asked.returns_ids,
                within_seconds=self._limits.first_text_seconds,
            )
        except ComptoirError as error:
            error.field = asked.named_as_sent(error.field)
            raise
        return admitted, counted
