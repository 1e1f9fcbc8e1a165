"""What a server is asked once at its start, to see that it does as the settings say of it."""

from typing import Final

from services.generator.domain.answering import answer
from services.generator.domain.delta import Delta
from services.generator.domain.ports import Engine, EngineRequest, Feature, RequestFailedError
from services.generator.domain.prompt import Chat, ChatTurn, Role
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure
from services.kernel.errors import ComptoirError, Reason
from services.runtime.settings import SettingsError

_OUTPUT_TOKENS: Final = 16
# No model says it unasked.
_SAID: Final = "quarante-deux"
_BUSY: Final = SettingsError(
    "the server has no room for a first request: let no other callers in, or start it with more places."
)
_NOT_HELD: Final = SettingsError(
    "the server does not hold an answer to a grammar of llguidance: start it as docs/engines.md says, or set "
    "generator.openai_server.has_llguidance to false, by which structured answers and tools are refused."
)


async def check_grammars(engine: Engine) -> None:
    """Raises SettingsError where the server answers anything but the one text that a grammar leaves it."""
    features = engine.capabilities.features
    request = EngineRequest(
        request_id="grammars",
        prompt=Chat((ChatTurn(Role.USER, "?"),)),
        sampling=Sampling(temperature=0.0),
        max_output_tokens=_OUTPUT_TOKENS,
        priority=0 if Feature.PRIORITY in features else None,
        cache_salt="grammars" if Feature.PREFIX_SALT in features else None,
        structure=Structure.of_texts([_SAID]),
    )
    deltas: list[Delta] = []
    try:
        await answer(engine, request, deltas.append)
    except ComptoirError as refusal:
        raise (_BUSY if refusal.reason is Reason.REPLICA_OVERLOADED else _NOT_HELD) from None
    except RequestFailedError:
        raise _NOT_HELD from None
    if not _SAID.startswith(text := "".join(delta.text for delta in deltas)) or not text:
        raise _NOT_HELD
