"""The first answer of an engine, before anybody is told of the replica."""

import asyncio

from services.generator.domain.ports import Engine, RequestFailedError
from services.generator.domain.warm_up import warm_up
from services.kernel.errors import ComptoirError, Reason
from services.runtime.settings import SettingsError


async def answer_first(engine: Engine, most_seconds: float | None = None) -> None:
    """Lets it answer once; SettingsError where it refuses or fails that, EngineFailedError where it dies.

    One in a process of its own may be silent for ever, and is given `most_seconds`. Another start may find it
    better: a server of an engine may have been busy with others.
    """
    try:
        async with asyncio.timeout(most_seconds):
            await warm_up(engine)
    except TimeoutError:
        raise SettingsError(
            f"the server does not end a first request of one word within the {most_seconds:g} s of "
            "generator.openai_server.start_seconds: its own log says why; start it again once it serves "
            "nobody else, or raise the setting where it is that slow."
        ) from None
    except ComptoirError as refusal:
        if refusal.reason is Reason.REPLICA_OVERLOADED:
            raise SettingsError(
                "the engine has no room for a first request of one word: it serves others, which a replica's "
                "engine must not, or is still busy; start again once it is free."
            ) from None
        raise SettingsError(
            f"the engine refuses a first request of one word ({refusal.reason.name}); its own log says why, "
            "and docs/engines.md how it is to be started."
        ) from None
    except RequestFailedError:
        raise SettingsError(
            "the engine fails a first request of one word; the line before and its own log say why."
        ) from None
