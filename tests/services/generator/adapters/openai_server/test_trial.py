"""A server that does not do as the settings say ends the start, with the sentence that says what to set."""

from collections.abc import Sequence

import pytest

from services.generator.domain.ports import Feature
from services.runtime.settings import SettingsError
from tests.services.generator.adapters.openai_server.canned_engine import engine_before
from tests.services.generator.adapters.openai_server.canned_server import DONE, CannedServer, event, said

BUSY = "429 Too Many Requests"


async def test_a_server_that_holds_to_a_grammar_serves_structures() -> None:
    server = CannedServer([said("quarante-", 2), said("deux", 3, "stop"), DONE])
    async with server.running(), engine_before(server, has_llguidance=True) as engine:
        assert Feature.STRUCTURE in engine.capabilities.features
        assert server.bodies[0]["structured_outputs"]["grammar"].endswith('start: "quarante-deux"')


async def test_a_server_of_which_nothing_is_said_is_not_asked() -> None:
    server = CannedServer()
    async with server.running(), engine_before(server) as engine:
        assert Feature.STRUCTURE not in engine.capabilities.features
    assert not server.bodies


@pytest.mark.parametrize(
    ("pieces", "status", "sentence"),
    [
        ([said("Bonjour", 1, "stop"), DONE], "200 OK", "has_llguidance to false"),
        ([said("", 1, "stop"), DONE], "200 OK", "has_llguidance to false"),
        ([event(error={"message": "no"})], "200 OK", "has_llguidance to false"),
        ([], "400 Bad Request", "has_llguidance to false"),
        ([], "500 Internal Server Error", "has_llguidance to false"),
        ([], BUSY, "no room for a first request"),
    ],
)
async def test_a_server_that_does_not_ends_the_start(
    pieces: Sequence[bytes], status: str, sentence: str
) -> None:
    server = CannedServer(pieces, status=status)
    async with server.running():
        with pytest.raises(SettingsError, match=sentence):
            async with engine_before(server, has_llguidance=True):
                pytest.fail("it started")
