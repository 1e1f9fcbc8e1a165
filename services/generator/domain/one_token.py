"""One token of an engine that nobody else asks, and whether it can be what a model makes."""

import math
import struct
from typing import Final

from services.generator.domain.answering import answer
from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.ports import Capabilities, Engine, EngineRequest, Feature, VectorRequest
from services.generator.domain.prompt import Chat, ChatTurn, Role, Text
from services.generator.domain.sampling import Sampling

_NAME: Final = "probe"
_WORD: Final = "Bonjour"
_NUMBER_BYTES: Final = 4


async def makes_sense(engine: Engine) -> bool:
    """Returns whether an engine makes one token, or a vector, of numbers that are numbers.

    Memory that was damaged and kernels that went wrong show as probabilities that are no numbers, as tokens
    that the model has not, or as none. What is said is not looked at: an answer may be silly and right.
    Raises EngineFailedError, RequestFailedError and ComptoirError as the engine does.
    """
    capabilities = engine.capabilities
    features = capabilities.features
    if Feature.EMBEDDING in features:
        ids = await engine.tokenize(Text(_WORD))
        # The whole one: what is cut off is looked at too.
        size = capabilities.vector_sizes[0] if capabilities.vector_sizes else 0
        vector = await engine.embed(VectorRequest(_NAME, ids, size, priority=0))
        return _is_vector(vector, size)
    request = EngineRequest(
        request_id=_NAME,
        prompt=Chat((ChatTurn(Role.USER, _WORD),)),
        sampling=Sampling(temperature=0.0, logprobs=1 if Feature.LOGPROBS in features else None),
        max_output_tokens=1,
        priority=0 if Feature.PRIORITY in features else None,
        cache_salt=_NAME if Feature.PREFIX_SALT in features else None,
    )
    deltas: list[Delta] = []
    finishes = await answer(engine, request, deltas.append)
    count = sum(delta.output_tokens for delta in deltas)
    # A server may count no token for an answer that ends before it begins.
    return (finishes, count) in {
        ((EngineFinish.LENGTH,), 1),
        ((EngineFinish.STOP,), 1),
        ((EngineFinish.STOP,), 0),
    } and all(_is_token(delta, capabilities) for delta in deltas)


def _is_token(delta: Delta, capabilities: Capabilities) -> bool:
    most = capabilities.vocabulary_tokens or math.inf
    return all(
        math.isfinite(token.chosen.logprob) and 0 <= token.chosen.token_id < most for token in delta.tokens
    )


def _is_vector(vector: bytes, size: int) -> bool:
    if len(vector) != size * _NUMBER_BYTES:
        return False
    numbers = struct.unpack(f"<{size}f", vector)
    return all(map(math.isfinite, numbers)) and any(numbers)
