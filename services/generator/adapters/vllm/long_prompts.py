"""Long prompts are handed to the engine's process in turns: to write all their ids takes a millisecond."""

from typing import Any, Final

from services.kernel.steps import TURN_SECONDS, turn

# Fewer are written in a tenth of a millisecond.
MANY_IDS: Final = 16 * 1024


def hand_over_in_turns(core: Any) -> None:
    """Lets vLLM's client of the engine's process wait for a turn of the loop before each long prompt.

    For each of several choices it writes the whole of the prompt again, one after the other. Who is cancelled
    meanwhile is known to vLLM already, and ended as ever.
    """
    add = core.add_request_async

    async def add_in_turn(request: Any) -> None:
        await turn_for(request.prompt_token_ids or ())
        await add(request)

    core.add_request_async = add_in_turn


async def turn_for(ids: Any) -> None:
    """Returns in a turn of the loop that has time for token ids, at once for few of them."""
    if len(ids) >= MANY_IDS:
        await turn(TURN_SECONDS)
