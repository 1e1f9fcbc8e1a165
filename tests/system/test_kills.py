"""Kill -9 of every process in turn under load: callers see what is promised and no more, and counts agree."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.system.asking import (
    CONNECTION,
    Failure,
    WholeAnswer,
    ask,
    assert_admitted,
    assert_counted_once,
)
from tests.system.completeness import assert_complete
from tests.system.stack_process import Stack, eventually, running_stack

pytestmark = [pytest.mark.system, pytest.mark.alone]

REQUESTS: Final = 20
# An engine is loaded, and a router starts, in seconds, on a machine that does nothing else.
SETTINGS: Final = """
edge: {unreachable_seconds: 150}
router: {hold_seconds: 150, first_replica_seconds: 150}
"""


@dataclass(frozen=True)
class Permitted:
    """The errors that callers may see when a process is killed; any other one is a defect."""

    before_text: frozenset[str] = frozenset()
    after_text: frozenset[str] = frozenset()

    def excludes(self, failure: Failure) -> bool:
        """Whether callers were promised not to see that."""
        return failure.code not in (self.after_text if failure.has_text else self.before_text)


NOTHING: Final = Permitted()
# docs/architecture.md, "When a process is killed", says the same in words.
PROMISES: Final[Mapping[str, Permitted]] = {
    # Its connections break, and it accepts none until it is back.
    "edge": Permitted(frozenset({CONNECTION}), frozenset({CONNECTION})),
    # What it admitted and recorded goes on; every other request waits for the next process.
    "router": NOTHING,
    # Text that has begun cannot go on; every other request waits for the next process.
    "generator": Permitted(after_text=frozenset({"unavailable"})),
    # No admission and no end of an answer without its record.
    "emitter": Permitted(frozenset({"usage_not_recorded"}), frozenset({"usage_not_recorded"})),
    "usage": NOTHING,
    "kafka": NOTHING,
    "clickhouse": NOTHING,
}


@pytest.fixture(scope="module")
def killed_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own, because its parts die."""
    folder: Path = tmp_path_factory.mktemp("killed")
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS)
    with running_stack(folder / "data", "--config", str(settings)) as running:
        yield running


async def _ask_while_killing(stack: Stack, name: str) -> list[WholeAnswer | Failure]:
    async with stack.async_client(timeout=240, max_retries=0) as client, asyncio.timeout(300):
        asking = [asyncio.create_task(ask(client, stack.model)) for _ in range(REQUESTS)]
        await asyncio.wait(asking, timeout=0.3)
        await asyncio.to_thread(stack.kill, name)
        more = [asyncio.create_task(ask(client, stack.model)) for _ in range(REQUESTS // 2)]
        return await asyncio.gather(*asking, *more)


@pytest.mark.timeout(480)
@pytest.mark.parametrize("name", PROMISES)
def test_callers_see_what_is_promised_of_a_killed_process_and_the_counts_agree(
    killed_stack: Stack, name: str
) -> None:
    killed_stack.wait_ready()
    restarts = killed_stack.process(name)["restarts"]
    results = asyncio.run(_ask_while_killing(killed_stack, name))
    eventually(lambda: killed_stack.process(name)["restarts"], lambda now: now > restarts, 60)
    failures = [result for result in results if isinstance(result, Failure)]
    assert [failure for failure in failures if PROMISES[name].excludes(failure)] == []
    killed_stack.wait_ready()
    results.append(asyncio.run(_ask_once(killed_stack)))
    answers = [result for result in results if isinstance(result, WholeAnswer)]
    assert_counted_once(killed_stack, answers)
    assert_admitted(killed_stack, answers, may_be_again=name in {"generator", "router"})
    assert_complete(killed_stack)


async def _ask_once(stack: Stack) -> WholeAnswer:
    """One request on a stack that is whole again; no retry helps it."""
    async with stack.async_client(timeout=60, max_retries=0) as client, asyncio.timeout(120):
        answer = await ask(client, stack.model)
    assert isinstance(answer, WholeAnswer), f"the stack does not serve after a restart: {answer}"
    return answer


def test_a_promise_is_broken_by_what_it_does_not_name() -> None:
    """The table's own test: what is permitted after text is not permitted before."""
    assert PROMISES.keys() == {"edge", "router", "generator", "emitter", "usage", "kafka", "clickhouse"}
    generator = PROMISES["generator"]
    assert not generator.excludes(Failure("unavailable", has_text=True))
    assert generator.excludes(Failure("unavailable", has_text=False))
    assert generator.excludes(Failure("no_replica", has_text=False))
    assert all(PROMISES["kafka"].excludes(Failure("spool_full", has_text)) for has_text in (True, False))
