"""The load process for HTTP servers: light, the same for each of them, and its CPU is counted apart.

Started by the benchmark, which gives it orders on its standard input.
"""

import asyncio
import contextlib
import time
from dataclasses import asdict
from typing import Any

import uvloop

from tests.bench.beside.chat import Endpoint, Said, failure_of, output_tokens, whole_answer
from tests.bench.beside.closed_loop import PROMPTS, Ask, Load, closed_loop
from tests.bench.beside.connection import Connection, Reply
from tests.bench.beside.window import Answer
from tests.bench.beside.worker import orders, say

_ANSWER_SECONDS = 120.0


class Client:
    """One client on one kept-alive connection, which it opens again where the server closed it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connection = Connection()

    async def reply(self, prompt: str, max_tokens: int, *, is_streamed: bool = True) -> Reply:
        """Returns what came, or raises OSError or TimeoutError."""
        if not self._connection.is_open:
            loop = asyncio.get_running_loop()
            _, self._connection = await loop.create_connection(Connection, "127.0.0.1", self._endpoint.port)
        request = self._endpoint.request(prompt, max_tokens, is_streamed=is_streamed)
        return await asyncio.wait_for(self._connection.ask(request), _ANSWER_SECONDS)

    async def answer(self, prompt: str, load: Load) -> Answer:
        """Asks, and says what it saw of the answer."""
        sent = time.monotonic()
        try:
            reply = await self.reply(prompt, load.max_tokens, is_streamed=load.is_streamed)
        except OSError as error:
            self.close()
            return Answer(sent, None, time.monotonic(), 0, type(error).__name__)
        failed = failure_of(reply.status, reply.body)
        tokens = 0 if failed else output_tokens(reply.body) or 0
        return Answer(sent, reply.first, reply.ended, tokens, failed)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


async def run_load(endpoint: Endpoint, load: Load) -> None:
    """Runs one load and tells what its window held."""
    clients = [Client(endpoint) for _ in range(load.streams)]
    seen = await closed_loop([_asking(client, load) for client in clients], load, say)
    for client in clients:
        client.close()
    say("done", seen=asdict(seen))


async def answer_prompts(endpoint: Endpoint, max_tokens: int) -> None:
    """Answers every prompt alone, one after the other, and tells the answers."""
    client = Client(endpoint)
    answers: list[Said] = []
    with contextlib.closing(client):
        for prompt in PROMPTS:
            reply = await client.reply(prompt, max_tokens)
            failed = failure_of(reply.status, reply.body)
            if failed:
                say("failed", why=failed)
                return
            answers.append(whole_answer(reply.body))
    say("answers", answers=[asdict(answer) for answer in answers])


def _asking(client: Client, load: Load) -> Ask:
    async def ask(prompt: str) -> Answer:
        return await client.answer(prompt, load)

    return ask


async def obey(order: dict[str, Any]) -> None:
    """Does what one order says."""
    endpoint = Endpoint(**order["endpoint"])
    if order["do"] == "load":
        await run_load(endpoint, Load(**order["load"]))
    elif order["do"] == "answer":
        await answer_prompts(endpoint, order["max_tokens"])


async def main() -> None:
    """Obeys until the benchmark ends."""
    say("ready")
    async for order in orders():
        await obey(order)


if __name__ == "__main__":
    uvloop.run(main())
