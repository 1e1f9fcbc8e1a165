"""What the SDK knows and the tables do not is found by its name; what is said is what is served."""

from unittest import mock

import pytest

from docs import openai_tables
from docs.openai_sdk import Route, parameters, routes
from docs.openai_tables import MissingRowError, fate, openai_sdk
from services.edge.domain.openai.chat.body import ChatBody
from services.edge.domain.timeline import Endpoint

KNOWN = routes()
CHAT = Route("/chat/completions", "POST")


def lines(*, route: Route | None = None, name: str = "") -> list[str]:
    """What is written where the SDK knows another endpoint, or another parameter of every one."""
    known = KNOWN | ({route} if route else set())
    with (
        mock.patch.object(openai_tables, "routes", return_value=known),
        mock.patch.object(
            openai_tables, "parameters", lambda of: parameters(of) | ({name} if name else set())
        ),
    ):
        return list(openai_sdk())


def test_every_endpoint_and_every_parameter_of_what_is_served_has_a_row() -> None:
    written = lines()
    text = "\n".join(written)
    for route in KNOWN:
        (row,) = [line for line in written if line.startswith("|") and f" /v1{route.path}` |" in line
                  and route.verb in line]  # fmt: skip
        assert len(row.split(" | ")) == 2
    for name in parameters(CHAT):
        assert f"\n| `{name}` | " in text


def test_a_new_endpoint_is_a_missing_row() -> None:
    with pytest.raises(MissingRowError, match=r"says nothing of /dreams/\{id\}"):
        lines(route=Route("/dreams/{id}", "POST"))


def test_a_new_parameter_is_a_missing_row() -> None:
    with pytest.raises(MissingRowError, match=r"CHAT_COMPLETIONS.* why dreaminess is ignored"):
        lines(name="dreaminess")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("temperature", "served | a number from 0 to 2"),
        ("store", "refused, unless absent or false | nothing is stored here"),
        ("user", "ignored | who asks changes no answer, and is not kept"),
    ],
)
def test_a_parameter_is_served_refused_or_ignored(name: str, expected: str) -> None:
    assert fate(ChatBody, Endpoint.CHAT_COMPLETIONS, name) == expected
