"""The first generation of a process, before anybody is told that it is ready."""

from services.generator.domain.ports import ChatTurn, Engine, EngineFailedError, EngineRequest, Role
from services.generator.domain.sampling import Sampling

_OUTPUT_TOKENS = 2


async def warm_up(engine: Engine) -> None:
    """Generates two tokens, so that no caller waits for one-time work; raises EngineFailedError."""
    input_ids = await engine.tokenize_chat((ChatTurn(Role.USER, "Bonjour"),))
    request = EngineRequest(
        request_id="warm-up",
        input_ids=input_ids,
        sampling=Sampling(temperature=0.0),
        max_output_tokens=_OUTPUT_TOKENS,
        priority=0,
        cache_salt="warm-up",
    )
    output_tokens = 0
    async for step in engine.generate(request):
        output_tokens += step.output_tokens
    if output_tokens == 0:
        raise EngineFailedError
