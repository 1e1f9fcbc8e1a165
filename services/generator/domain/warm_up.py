"""The first generation of a process, before it registers and says that it is ready."""

from typing import Final

from services.generator.domain.answering import answer
from services.generator.domain.delta import Delta
from services.generator.domain.ports import Engine, EngineFailedError, EngineRequest
from services.generator.domain.prompt import Chat, ChatTurn, Role
from services.generator.domain.sampling import Sampling

_OUTPUT_TOKENS: Final = 2


async def warm_up(engine: Engine) -> None:
    """Generates two tokens, so that no caller waits for one-time work; raises EngineFailedError."""
    request = EngineRequest(
        request_id="warm-up",
        prompt=Chat((ChatTurn(Role.USER, "Bonjour"),)),
        # Engines make ready for logprobs with the first request that asks for them.
        sampling=Sampling(temperature=0.0, logprobs=1),
        max_output_tokens=_OUTPUT_TOKENS,
        priority=0,
        cache_salt="warm-up",
    )
    deltas: list[Delta] = []
    await answer(engine, request, deltas.append)
    if not any(delta.output_tokens for delta in deltas):
        raise EngineFailedError
