"""An engine that does not answer once ends the start with a sentence, and not with a trace."""

import pytest

from services.generator.adapters.first_answer import answer_first
from services.runtime.settings import SettingsError
from tests.contracts.engine_requests import BOUND_SECONDS, until
from tests.services.generator.adapters.openai_server.canned_engine import engine_before
from tests.services.generator.adapters.openai_server.canned_server import DONE, After, CannedServer, said


async def test_an_engine_that_answers_is_let_on() -> None:
    server = CannedServer([said("a", 1, "length"), DONE])
    async with server.running(), engine_before(server, kind="llama_cpp") as engine:
        await answer_first(engine)


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("400 Bad Request", "refuses a first request"),
        ("429 Too Many Requests", "no room for a first request"),
        ("503 Service Unavailable", "no room for a first request"),
        ("500 Internal Server Error", "fails a first request"),
    ],
)
async def test_one_that_does_not_ends_the_start_in_a_sentence(status: str, sentence: str) -> None:
    server = CannedServer(status=status)
    async with server.running(), engine_before(server) as engine:
        with pytest.raises(SettingsError, match=sentence):
            await answer_first(engine)


async def test_one_that_answers_for_ever_ends_the_start_with_what_to_do_and_leaves_nothing_open() -> None:
    server = CannedServer([said("a", 1)], After.HANGS)
    async with server.running(), engine_before(server, kind="llama_cpp") as engine:
        with pytest.raises(
            SettingsError, match=r"within the 1\.5 s of generator\.openai_server\.start_seconds"
        ):
            await answer_first(engine, 1.5)
        assert engine.unfinished_requests() == 0
        await until(lambda: server.left == 1, BOUND_SECONDS)
