"""Budgets that are used up, as the official clients meet them at a whole stack, and until they grow."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from services.runtime.settings import environment
from tests.clients.conftest import VECTORS
from tests.system.stack_process import REPOSITORY, Stack, eventually

pytestmark = pytest.mark.system

SHORT: Any = {"messages": [{"role": "user", "content": "Bonjour"}], "max_completion_tokens": 2}
NODE_CLIENT = REPOSITORY / "tests" / "services" / "edge" / "server" / "budgets.mjs"
# Of a busy machine.
NODE_SECONDS = 120
SPENT_SECONDS = 120.0
# A change holds within a second on every router; this machine may be busy.
CHANGES_HOLD_SECONDS = 20.0


class Client:
    """The official client as it comes, with its retries, and how many requests it sent."""

    def __init__(self, stack: Stack, tenant: str, *quota: str) -> None:
        created = stack.comptoir("keys", "create", "--tenant", tenant, *quota, "--json").stdout
        answer = json.loads(created)
        self.api_key: str = answer["api_key"]
        self.number: int = answer["key"]["number"]
        self.model = stack.model
        self.requests = 0
        self.openai = openai.OpenAI(
            base_url=stack.base_url,
            api_key=self.api_key,
            http_client=openai.DefaultHttpxClient(event_hooks={"request": [self._count]}),
        )

    def _count(self, request: httpx2.Request) -> None:
        del request
        self.requests += 1

    def chat(self) -> None:
        self.openai.chat.completions.create(model=self.model, **SHORT)

    def is_served(self) -> bool:
        """Tells whether a chat is answered."""
        try:
            self.chat()
        except openai.RateLimitError:
            return False
        return True

    def spend(self) -> openai.RateLimitError:
        """Chats until it is refused, and returns the refusal, which was tried once."""
        eventually(self.is_served, lambda is_served: not is_served, SPENT_SECONDS)
        self.requests = 0
        with pytest.raises(openai.RateLimitError) as refusal:
            self.chat()
        assert self.requests == 1, "it tried again"
        assert (refusal.value.code, refusal.value.type) == ("insufficient_quota", "insufficient_quota")
        return refusal.value


@pytest.fixture
def client_of(stack: Stack) -> Iterator[Callable[..., Client]]:
    """Makes clients, each with a key of its own."""
    with ExitStack() as clients:

        def client_of(tenant: str, *quota: str) -> Client:
            client = Client(stack, tenant, *quota)
            clients.enter_context(client.openai)
            return client

        yield client_of


def spending_of(stack: Stack, *command: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(stack.comptoir(*command, "--json").stdout)["spending"]
    return shown


def test_a_day_that_is_used_up_is_told_to_both_sdks_and_neither_tries_again(
    stack: Stack, client_of: Callable[..., Client]
) -> None:
    stack.comptoir("tenants", "create", "by-day")
    client = client_of("by-day", "--tokens-per-day", "200")
    refusal = client.spend()
    assert "tokens per day (TPD) for this API key: Limit 200, Used " in refusal.message
    assert "00:00:00 UTC" in refusal.message
    assert 0 < int(refusal.response.headers["retry-after"]) <= 86_400
    assert 0 < int(spending_of(stack, "keys", "show", str(client.number))["tokens_of_day"]) <= 200
    node = str(Path(sys.executable).parent / "node")
    said = subprocess.run(
        [node, str(NODE_CLIENT), stack.base_url, client.api_key, VECTORS],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=NODE_SECONDS,
        check=True,
    )
    thrown = json.loads(said.stdout)
    # What is left may hold a prompt or an input of some bytes.
    for name in ("chat", "stream", "response"):
        error = thrown[name]
        assert (error["isRateLimit"], error["code"], error["requests"]) == (True, "insufficient_quota", 1)


def test_a_tenants_money_is_that_of_all_its_keys_until_the_budget_grows(
    stack: Stack, client_of: Callable[..., Client]
) -> None:
    stack.comptoir("tenants", "create", "by-money", "--money-per-month", "2.00")
    one, other = client_of("by-money"), client_of("by-money")
    assert "for the tenant of this API key: Limit 2.00 EUR, Used " in one.spend().message
    with pytest.raises(openai.RateLimitError) as refusal:
        other.chat()
    assert (refusal.value.code, other.requests) == ("insufficient_quota", 1)
    used = spending_of(stack, "tenants", "show", "by-money")
    assert used["currency"] == "EUR"
    # A cent for each token, so both say the same.
    assert int(used["money_of_month_nanos"]) == int(used["tokens_of_month"]) * 10**7
    assert 0 < int(used["tokens_of_month"]) <= 200
    stack.comptoir("tenants", "update", "by-money", "--money-per-month", "20")
    eventually(other.is_served, bool, CHANGES_HOLD_SECONDS)
    one.chat()
    said = stack.comptoir("tenants", "show", "by-money").stdout
    assert "20.00 EUR/month" in said
    assert " of 20.00 EUR of the month to " in said
