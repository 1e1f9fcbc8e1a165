"""The first generation of a process, before it registers and says that it is ready."""

from typing import Final

from services.generator.domain.answering import answer
from services.generator.domain.delta import Delta
from services.generator.domain.ports import Engine, EngineFailedError, EngineRequest, Feature, VectorRequest
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure

_OUTPUT_TOKENS: Final = 2
_WORD: Final = "Bonjour"
_SCHEMA: Final = Structure('{"type":"string"}')


async def warm_up(engine: Engine) -> None:
    """Makes two tokens, or a vector, so that no caller waits for one-time work; raises EngineFailedError."""
    features = engine.capabilities.features
    if Feature.EMBEDDING in features:
        ids = await engine.tokenize(Text(_WORD))
        await engine.embed(VectorRequest("warm-up", ids, engine.capabilities.vector_sizes[0], priority=0))
        return
    request = EngineRequest(
        request_id="warm-up",
        prompt=Chat((ChatTurn(Role.USER, _WORD),)),
        # Engines make ready for logprobs and for schemas with the first request that asks for them.
        sampling=Sampling(temperature=0.0, logprobs=1 if Feature.LOGPROBS in features else None),
        max_output_tokens=_OUTPUT_TOKENS,
        priority=0 if Feature.PRIORITY in features else None,
        cache_salt="warm-up" if Feature.PREFIX_SALT in features else None,
        structure=_SCHEMA if Feature.STRUCTURE in features else None,
    )
    deltas: list[Delta] = []
    try:
        await answer(engine, request, deltas.append)
    finally:
        # Where it is waited for no longer, the engine may still have it.
        await engine.abort(request.request_id)
    if not any(delta.output_tokens for delta in deltas):
        raise EngineFailedError
