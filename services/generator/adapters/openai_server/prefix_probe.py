"""Whether a server said to have no prefix cache has one: a prompt is sent twice, and hits are counted."""

from collections.abc import Awaitable, Callable, Sequence
from random import SystemRandom
from typing import Final

from services.generator.adapters.openai_server.kinds import Kind
from services.generator.adapters.openai_server.load import Numbers
from services.generator.domain.answering import answer
from services.generator.domain.delta import Delta
from services.generator.domain.ports import (
    Engine,
    EngineFailedError,
    EngineRequest,
    Feature,
    RequestFailedError,
    Sleep,
)
from services.generator.domain.prompt import TokenIds
from services.generator.domain.sampling import Sampling
from services.kernel.errors import ComptoirError
from services.runtime.logs import get_logger
from services.runtime.settings import SettingsError

_log = get_logger(__name__)
# A cached prefix is of whole blocks: of 16 tokens at most servers, of 128 at vLLM on a CPU.
_BLOCKS: Final = 2
_MOST_BLOCK_TOKENS: Final = 128
_OUTPUT_TOKENS: Final = 8
# A server may count an answer just after it has ended it.
_COUNTED_SECONDS: Final = 0.5
_NOT_ANSWERED: Final = SettingsError(
    "the server does not answer the two prompts that show whether it has a prefix cache, as "
    "generator.openai_server.prefix_cache is off: its own log says why; start again once it is free of "
    "others and answers."
)


async def check_no_prefix_cache(
    engine: Engine, kind: Kind, look: Callable[[], Awaitable[Numbers]], sleep: Sleep
) -> None:
    """Raises SettingsError where the second of two equal prompts came from a cache, or was not answered.

    A server of which it cannot be told is believed, and the log says so.
    """
    before = await look()
    ids = _prompt(engine)
    try:
        await _cached_tokens(engine, "prefix-probe-1", ids)
        cached_tokens = await _cached_tokens(engine, "prefix-probe-2", ids)
    except (EngineFailedError, RequestFailedError, ComptoirError):
        # It may answer what comes next, and then nobody would have looked.
        raise _NOT_ANSWERED from None
    is_counted = bool(kind.metrics.cached) and before.says_load
    if is_counted and not cached_tokens:
        await sleep(_COUNTED_SECONDS)
        after = await look()
        is_counted = after.says_load
        cached_tokens = (after.cached_tokens_total or 0) - (before.cached_tokens_total or 0)
    if cached_tokens > 0:
        raise SettingsError(
            f"the server has a prefix cache: of {len(ids)} tokens that were sent twice, {cached_tokens} came "
            "from it the second time, and so one tenant would see what another asked. Start it with "
            f"{kind.cache_off}, or set generator.openai_server.prefix_cache to one_tenant together with "
            "generator.tenant."
        )
    if not (is_counted or kind.says_cached_tokens):
        _log.warning("engine_prefix_cache_unchecked")


def _prompt(engine: Engine) -> Sequence[int]:
    """Returns ids by chance, which nobody sent before; marks stand at the ends of a vocabulary."""
    capabilities, chance = engine.capabilities, SystemRandom()
    block_tokens = max(capabilities.kv_block_tokens, _MOST_BLOCK_TOKENS)
    tokens = min(_BLOCKS * block_tokens + 1, capabilities.context_tokens - _OUTPUT_TOKENS)
    vocabulary = capabilities.vocabulary_tokens
    return [chance.randrange(vocabulary // 4, vocabulary // 2) for _ in range(tokens)]


async def _cached_tokens(engine: Engine, name: str, ids: Sequence[int]) -> int:
    has_priority = Feature.PRIORITY in engine.capabilities.features
    request = EngineRequest(
        request_id=name,
        prompt=TokenIds(ids),
        sampling=Sampling(temperature=0.0),
        max_output_tokens=_OUTPUT_TOKENS,
        priority=0 if has_priority else None,
    )
    deltas: list[Delta] = []
    await answer(engine, request, deltas.append)
    return max((delta.measures.cached_input_tokens for delta in deltas if delta.measures), default=0)
