"""An engine that does not answer once ends the start with a sentence, and not with a trace."""

import pytest

from services.generator.adapters.first_answer import answer_first
from services.runtime.settings import SettingsError
from tests.services.generator.adapters.openai_server.canned_engine import engine_before
from tests.services.generator.adapters.openai_server.canned_server import DONE, CannedServer, said


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
