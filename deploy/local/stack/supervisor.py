"""Starts every process, starts it again when it dies, and drains them all in order."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from deploy.local.stack.child import Child
from deploy.local.stack.errors import StackError
from deploy.local.stack.journal import Journal
from deploy.local.stack.plan import ProcessPlan, drain_place
from deploy.local.stack.probes import Prober, Spell, is_reason
from deploy.local.stack.turns import Turns
from services.kernel.backoff import Backoff
from services.kernel.clock import Clock
from services.runtime.parts import first_of

_PROBE_INTERVAL_SECONDS: Final = 0.1
_UNREADY_INTERVAL_SECONDS: Final = 2.0
# The end of a process is seen at once; this is for one that lives and stopped being ready.
_READY_INTERVAL_SECONDS: Final = 10.0
# Who needs such a process, and says so, is not ready either.
_AWAY: Final = frozenset({"restarting", "starting", "unready"})
# After these changes of one process the others are asked at once, so that none is shown as it was before.
_NEWS: Final = frozenset({"restarting", "ready", "unready"})
# A run that was shorter than this is followed by a longer wait than the one before.
_HEALTHY_SECONDS: Final = 30.0
_FIRST_RESTART_SECONDS: Final = 0.1
_LONGEST_RESTART_SECONDS: Final = 5.0


class Supervisor:
    """All processes of one stack. `on_change` is called with a child whenever its state changed."""

    def __init__(
        self,
        plan: list[ProcessPlan],
        logs: Path,
        environment: Mapping[str, str],
        on_change: Callable[[Child], None],
        clock: Clock,
    ) -> None:
        self.children = [Child(entry, logs / f"{entry.name}.log", environment, clock) for entry in plan]
        self._journal = Journal(logs / "supervisor.log", clock)
        self._on_change = on_change
        self._ready = {entry.name: asyncio.Event() for entry in plan}
        self._turns = Turns(plan)
        self._tasks: list[asyncio.Task[None]] = []
        self._is_started = False
        self._has_news = asyncio.Event()

    async def start(self, before: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        """Returns once every process was ready once; raises StackError if one cannot start.

        `before` holds, by a process's name, what must be done before its first start.
        """
        self._tasks = [
            asyncio.create_task(self._keep(child, before.get(child.plan.name))) for child in self.children
        ]
        everything = asyncio.create_task(self._all_ready())
        try:
            done, _ = await asyncio.wait([everything, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            everything.cancel()
        for task in done - {everything}:
            task.result()
        # Only now: during the start, all processes wait for the slowest.
        self._is_started = True
        for child in self.children:
            child.yield_to_others()

    async def run(self) -> None:
        """Watches until cancelled; raises only what is a defect of the supervisor itself."""
        await asyncio.gather(*self._tasks)

    async def stop(self, kill_now: asyncio.Event | None = None) -> None:
        """Drains the processes, those that take requests first, or kills them once `kill_now` is set.

        None is left when it returns.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for child in sorted(self.children, key=lambda child: drain_place(child.plan.name)):
            stopping = asyncio.create_task(child.stop(kill_now))
            await asyncio.sleep(0)
            self._tell(child)
            await stopping
            self._tell(child)

    async def _all_ready(self) -> None:
        for child in self.children:
            if child.plan.is_awaited:
                await self._ready[child.plan.name].wait()

    async def _keep(self, child: Child, before: Callable[[], Awaitable[None]] | None) -> None:
        for name in child.plan.after:
            await self._ready[name].wait()
        if before is not None:
            await before()
        await self._turns.take(child.plan.name)
        backoff = Backoff(_FIRST_RESTART_SECONDS, _LONGEST_RESTART_SECONDS)
        while True:
            await child.start()
            if not child.plan.is_awaited:
                child.yield_to_others()
            self._tell(child)
            started = time.monotonic()
            in_time = await self._watch(child)
            status = await child.wait()
            if child.plan.is_awaited and not self._ready[child.plan.name].is_set():
                raise StackError(_why_it_ended(child, status) if in_time else _why_it_was_stopped(child))
            if time.monotonic() - started > _HEALTHY_SECONDS:
                backoff.reset()
            child.restarts += 1
            child.state = "restarting"
            child.why = child.last_cause = _how_it_ended(status)
            self._tell(child)
            await asyncio.sleep(backoff.next_seconds(jitter=0.0))

    async def _watch(self, child: Child) -> bool:
        """Follows one run until it ends: starting, ready, unready; False if it was too slow to start."""
        deadline = time.monotonic() + child.plan.start_seconds
        spell = Spell()
        prober = Prober(child.plan.probe)
        try:
            while child.pid is not None:
                has_news = self._has_news
                why = await prober.why_not_ready()
                self._note(child, why, spell)
                if child.state == "starting" and time.monotonic() > deadline:
                    await child.stop()
                    return False
                await first_of(child.wait(), has_news.wait(), within_seconds=_pause_seconds(child, why))
        finally:
            await prober.close()
        return True

    def _note(self, child: Child, why: str, spell: Spell) -> None:
        before = child.state
        if not why or is_reason(why):
            self._turns.give_back(child.plan.name)
        if not why and child.pid is not None:
            spell.end()
            child.state, child.why = "ready", ""
            self._ready[child.plan.name].set()
            if self._is_started and before != "ready":
                child.yield_to_others()
        elif before == "starting" and not child.plan.is_needed_by_requests and is_reason(why):
            child.state = "unready"
            child.why = child.last_cause = why
            self._ready[child.plan.name].set()
        elif before != "ready":
            child.why = why
        elif spell.lasts(time.monotonic()) or (is_reason(why) and self._is_another_away(child)):
            child.state = "unready"
            child.why = child.last_cause = why
        if child.state != before:
            self._tell(child)

    def _is_another_away(self, child: Child) -> bool:
        return any(other is not child and other.state in _AWAY for other in self.children)

    def _ask_all(self) -> None:
        """Has every process asked now: what one does may leave another without what it needs, or give it."""
        news, self._has_news = self._has_news, asyncio.Event()
        news.set()

    def _tell(self, child: Child) -> None:
        is_bad = child.state in {"unready", "restarting"}
        self._journal.write(
            f"process_{child.state}",
            level="warning" if is_bad else "info",
            service=child.plan.name,
            pid=child.pid,
            restarts=child.restarts,
            **({"cause": child.last_cause} if is_bad else {}),
        )
        self._on_change(child)
        if self._is_started and child.state in _NEWS:
            self._ask_all()


def _pause_seconds(child: Child, why: str) -> float:
    """Returns how long a process is let alone after its answer: not long where another is expected soon."""
    if not why:
        return _READY_INTERVAL_SECONDS
    # A process that says for long why it is not ready is not asked ten times a second meanwhile.
    return _UNREADY_INTERVAL_SECONDS if child.state == "unready" else _PROBE_INTERVAL_SECONDS


def _why_it_ended(child: Child, status: int) -> str:
    sentence = child.last_sentence()
    if sentence:
        return sentence.removeprefix("comptoir ")
    return (
        f"{child.plan.title} {_how_it_ended(status)} before it was ready; "
        f"`comptoir logs {child.plan.name}` shows its log."
    )


def _why_it_was_stopped(child: Child) -> str:
    return (
        f"{child.plan.title} was not ready after {child.plan.start_seconds:.0f} s; "
        f"`comptoir logs {child.plan.name}` shows its log."
    )


def _how_it_ended(status: int) -> str:
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
