"""Real processes: started in order, started again, drained in order, and never left behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.local.stack.errors import StackError
from deploy.local.stack.plan import ProcessPlan
from deploy.local.stack.probes import Prober
from deploy.local.stack.supervisor import Supervisor
from services.kernel.clock import SystemClock
from tests.deploy.local.stack.children import Changes, Folder, is_gone, until_gone


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@asynccontextmanager
async def supervised(folder: Folder, *plan: ProcessPlan) -> AsyncIterator[tuple[Supervisor, Changes]]:
    changes = Changes()
    supervisor = Supervisor(list(plan), folder.path, {}, changes, SystemClock())
    try:
        yield supervisor, changes
    finally:
        await asyncio.wait_for(supervisor.stop(), 20)
        assert all(is_gone(pid) for _, pid in folder.notes("started"))
        assert all(child.state == "stopped" for child in supervisor.children)


async def test_a_process_starts_when_those_before_it_are_ready_and_no_other_waits(folder: Folder) -> None:
    plans = [folder.plan("usage", after=("kafka",)), folder.plan("kafka"), folder.plan("edge")]
    async with supervised(folder, *plans) as (supervisor, changes):
        await asyncio.wait_for(supervisor.start({}), 15)
    told = changes.told
    assert told.index(("kafka", "ready")) < told.index(("usage", "starting"))
    assert told.index(("edge", "starting")) < told.index(("kafka", "ready"))


async def test_what_must_be_done_before_a_first_start_is_done_once(folder: Folder) -> None:
    done: list[int] = []

    async def before() -> None:
        done.append(len(folder.notes("started")))

    async with supervised(folder, folder.plan("kafka")) as (supervisor, changes):
        await asyncio.wait_for(supervisor.start({"kafka": before}), 15)
        os.kill(supervisor.children[0].pid or 0, signal.SIGKILL)
        await changes.until(lambda: supervisor.children[0].restarts == 1)
    assert done == [0]


async def test_a_killed_process_is_started_again_and_its_restarts_are_counted(folder: Folder) -> None:
    async with supervised(folder, folder.plan("router"), folder.plan("edge")) as (supervisor, changes):
        await asyncio.wait_for(supervisor.start({}), 15)
        router, edge = supervisor.children
        for count in (1, 2):
            before = router.pid
            os.kill(before or 0, signal.SIGKILL)
            await changes.until(lambda wanted=count: router.restarts == wanted and router.state == "ready")  # type: ignore[misc] # mypy knows no default of a lambda
            assert router.pid != before
        assert (edge.restarts, edge.state) == (0, "ready")
    assert [name for name, _ in folder.notes("drained")] == ["edge", "router"]


def journal(folder: Folder, service: str) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in (folder.path / "supervisor.log").read_text().splitlines()]
    return [(line["event"], line.get("cause", "")) for line in lines if line["service"] == service]


async def test_a_kill_leaves_a_line_with_its_cause_and_the_next_run_another(folder: Folder) -> None:
    async with supervised(folder, folder.plan("router"), folder.plan("edge")) as (supervisor, changes):
        await asyncio.wait_for(supervisor.start({}), 15)
        router, edge = supervisor.children
        os.kill(router.pid or 0, signal.SIGKILL)
        await changes.until(lambda: router.restarts == 1 and router.state == "ready")
        assert (router.last_cause, router.why) == ("was killed by signal 9", "")
        assert (edge.last_cause, edge.restarts) == ("", 0)
        assert journal(folder, "router") == [
            ("process_starting", ""),
            ("process_ready", ""),
            ("process_restarting", "was killed by signal 9"),
            ("process_starting", ""),
            ("process_ready", ""),
        ]
        assert journal(folder, "edge") == [("process_starting", ""), ("process_ready", "")]


async def test_a_process_that_stops_being_ready_is_said_with_why_and_one_missed_probe_is_not(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.local.stack.supervisor._READY_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr("deploy.local.stack.supervisor._UNREADY_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr("deploy.local.stack.probes._SPELL_SECONDS", 60.0)
    async with supervised(folder, folder.plan("edge")) as (supervisor, changes):
        await asyncio.wait_for(supervisor.start({}), 15)
        (edge,) = supervisor.children
        ready = folder.path / "edge"
        asked = count_probes(monkeypatch)
        ready.unlink()
        await asyncio.wait_for(asked.until(2), 15)
        ready.touch()
        await asyncio.wait_for(asked.until(4), 15)
        assert journal(folder, "edge") == [("process_starting", ""), ("process_ready", "")]
        monkeypatch.setattr("deploy.local.stack.probes._SPELL_SECONDS", 0.2)
        ready.unlink()
        await changes.until(lambda: edge.state == "unready")
        assert (edge.why, edge.last_cause) == ("not ready yet", "not ready yet")
        ready.touch()
        await changes.until(lambda: edge.state == "ready")
        assert (edge.why, edge.last_cause) == ("", "not ready yet")
        assert journal(folder, "edge")[2:] == [("process_unready", "not ready yet"), ("process_ready", "")]


class Asked:
    def __init__(self) -> None:
        self.count = 0
        self.news = asyncio.Event()

    async def until(self, more: int) -> None:
        wanted = self.count + more
        while self.count < wanted:
            self.news.clear()
            await self.news.wait()


def count_probes(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked = Asked()

    why_not_ready = Prober.why_not_ready

    async def ask(prober: Prober) -> str:
        asked.count += 1
        asked.news.set()
        return await why_not_ready(prober)

    monkeypatch.setattr(Prober, "why_not_ready", ask)
    return asked


async def test_a_process_that_cannot_start_says_its_own_sentence(folder: Folder) -> None:
    complaint = "print('a log line'); print('comptoir router: the pepper is missing; make one.'); sys.exit(2)"
    async with supervised(folder, folder.plan("edge"), folder.plan("router", complaint)) as (supervisor, _):
        with pytest.raises(StackError, match=r"^router: the pepper is missing; make one\.$"):
            await asyncio.wait_for(supervisor.start({}), 15)


async def test_a_sentence_of_an_earlier_run_is_not_repeated(folder: Folder) -> None:
    (folder.path / "router.log").write_text("comptoir router: yesterday's trouble.\n")
    async with supervised(folder, folder.plan("router", "sys.exit(7)")) as (supervisor, _):
        with pytest.raises(StackError, match=r"Router ended with status 7 .* `comptoir logs router`"):
            await asyncio.wait_for(supervisor.start({}), 15)


async def test_a_process_that_is_killed_at_its_start_is_an_error(folder: Folder) -> None:
    suicide = "os.kill(os.getpid(), signal.SIGKILL)"
    async with supervised(folder, folder.plan("router", suicide)) as (supervisor, _):
        with pytest.raises(StackError, match="Router was killed by signal 9 before it was ready"):
            await asyncio.wait_for(supervisor.start({}), 15)


async def test_a_process_that_is_never_ready_is_an_error(folder: Folder) -> None:
    async with supervised(folder, folder.plan("router", "wait()", start_seconds=0.5)) as (supervisor, _):
        with pytest.raises(StackError, match="Router was not ready after 0 s"):
            await asyncio.wait_for(supervisor.start({}), 15)


@pytest.mark.parametrize("is_needed", [False, True])
async def test_a_start_goes_on_without_a_pipeline_that_says_what_it_waits_for(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, is_needed: bool
) -> None:
    async def why(_prober: Prober) -> str:
        return "clock_behind (offset_seconds 86400)"

    monkeypatch.setattr(Prober, "why_not_ready", why)
    plan = folder.plan("usage", "wait()", start_seconds=0.5, is_needed_by_requests=is_needed)
    async with supervised(folder, plan) as (supervisor, _):
        if is_needed:
            with pytest.raises(StackError, match="was not ready"):
                await asyncio.wait_for(supervisor.start({}), 15)
            return
        await asyncio.wait_for(supervisor.start({}), 15)
        (usage,) = supervisor.children
        assert (usage.state, usage.why) == ("unready", "clock_behind (offset_seconds 86400)")


async def test_processes_drain_one_after_the_other_requests_first(folder: Folder) -> None:
    names = ("kafka", "emitter", "router", "usage", "edge", "generator", "clickhouse")
    async with supervised(folder, *(folder.plan(name) for name in names)) as (supervisor, _):
        await asyncio.wait_for(supervisor.start({}), 30)
    drained = [name for name, _ in folder.notes("drained")]
    assert drained == ["edge", "generator", "router", "emitter", "usage", "clickhouse", "kafka"]


async def test_what_a_dead_process_started_is_killed_with_it(folder: Folder) -> None:
    script = (
        "below = subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(60)'])\n"
        "(folder / 'below').write_text(str(below.pid)); ready(); wait()"
    )
    async with supervised(folder, folder.plan("generator", script)) as (supervisor, changes):
        await asyncio.wait_for(supervisor.start({}), 15)
        below = int((folder.path / "below").read_text())
        os.kill(supervisor.children[0].pid or 0, signal.SIGKILL)
        await changes.until(lambda: supervisor.children[0].restarts == 1)
        until_gone(below)


async def test_a_process_that_does_not_drain_is_killed_when_its_time_is_over(folder: Folder) -> None:
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready()\nwhile True: wait()"
    async with supervised(folder, folder.plan("edge", stubborn, drain_seconds=0.2)) as (supervisor, _):
        await asyncio.wait_for(supervisor.start({}), 15)
    assert folder.notes("drained") == []


async def test_one_who_is_told_to_kill_waits_for_no_drain(folder: Folder) -> None:
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready()\nwhile True: wait()"
    plans = [folder.plan(name, stubborn, drain_seconds=60.0) for name in ("edge", "router")]
    async with supervised(folder, *plans) as (supervisor, changes):
        await asyncio.wait_for(supervisor.start({}), 15)
        kill_now = asyncio.Event()
        stop = asyncio.create_task(supervisor.stop(kill_now))
        await changes.until(lambda: ("edge", "draining") in changes.told)
        kill_now.set()
        await asyncio.wait_for(stop, 10)


async def test_a_start_that_is_broken_off_leaves_nothing(folder: Folder) -> None:
    async with supervised(folder, folder.plan("edge", "wait()"), folder.plan("router")) as (
        supervisor,
        changes,
    ):
        start = asyncio.create_task(supervisor.start({}))
        await changes.until(lambda: ("router", "ready") in changes.told)
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)


def test_processes_end_when_their_supervisor_is_killed(folder: Folder) -> None:
    script = f"""
import asyncio
from pathlib import Path
from deploy.local.stack.supervisor import Supervisor
from services.kernel.clock import SystemClock
from tests.deploy.local.stack.children import Folder
folder = Folder(Path({str(folder.path)!r}))
async def run():
    plan = [folder.plan("edge"), folder.plan("router")]
    supervisor = Supervisor(plan, folder.path, {{}}, lambda child: None, SystemClock())
    await supervisor.start({{}})
    print("ready", flush=True)
    await supervisor.run()
asyncio.run(run())
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"ready\n"
        supervisor.kill()
        supervisor.wait(10)
    for _, pid in folder.notes("started"):
        until_gone(pid)
    assert len(folder.notes("drained")) == 2


async def test_a_process_yields_to_others_once_all_are_ready_and_after_every_restart(folder: Folder) -> None:
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    plans = [folder.plan("kafka", niceness=19), folder.plan("edge")]
    async with supervised(folder, *plans) as (supervisor, changes):
        await asyncio.wait_for(supervisor.start({}), 15)
        records, requests = supervisor.children
        assert os.getpriority(os.PRIO_PROCESS, records.pid or 0) == 19
        assert os.getpriority(os.PRIO_PROCESS, requests.pid or 0) == usual
        os.kill(records.pid or 0, signal.SIGKILL)
        await changes.until(lambda: records.restarts == 1 and records.state == "ready")
        assert os.getpriority(os.PRIO_PROCESS, records.pid or 0) == 19
