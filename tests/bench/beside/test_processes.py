import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.beside import processes
from tests.bench.beside.processes import Process, Snapshot, roles_of, usage_between

STAT = "4242 ({name}) S 17 4242 4242 0 -1 4194560 1 2 3 4 5 6"


@given(st.text(alphabet="ab ()1", min_size=1, max_size=15))
def test_the_parent_is_found_whatever_a_process_calls_itself(name: str) -> None:
    assert processes.parent_of(STAT.format(name=name)) == 17


def test_idle_time_holds_the_wait_for_disks_and_not_the_stolen_time() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    stat = f"cpu  1 2 3 {4 * ticks} {2 * ticks} 5 6 7 8 9\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    assert processes.idle_seconds_of(stat) == 6


def test_the_memory_of_its_own_is_what_no_file_backs() -> None:
    assert (
        processes.anonymous_bytes_of("VmRSS:\t  900 kB\nRssAnon:\t     640 kB\nRssFile:\t 1 kB\n") == 655_360
    )
    with pytest.raises(ValueError, match="RssAnon"):
        processes.anonymous_bytes_of("Name:\tkthreadd\n")


def test_a_process_has_the_role_of_the_nearest_above_it_and_the_engine_its_own() -> None:
    listed = [
        Process(1, 0, "init"),
        Process(10, 1, "comptoir generator"),
        Process(11, 10, "VLLM::EngineCore"),
        Process(12, 11, "VLLM::Worker"),
        Process(13, 10, "resource tracker"),
        Process(20, 1, "comptoir kafka"),
        Process(21, 20, "java"),
        Process(30, 21, "load"),
        Process(99, 1, "VLLM::EngineCore"),
    ]
    roots = {10: "generator", 20: "kafka", 30: "load generator"}
    assert roles_of(listed, roots) == {
        10: "generator",
        11: "engine core",
        12: "engine core",
        13: "generator",
        20: "kafka",
        21: "kafka",
        30: "load generator",
    }


def test_a_circle_of_parents_in_a_listing_that_changed_meanwhile_ends() -> None:
    assert roles_of([Process(5, 6, "a"), Process(6, 5, "b")], {7: "none"}) == {}


def test_cpu_is_summed_by_role_and_what_nobody_of_ours_used_is_foreign() -> None:
    roles = {10: "generator", 11: "engine core", 12: "engine core"}
    before = Snapshot(100.0, 50.0, {10: 5.0, 11: 7.0}, {10: "generator", 11: "engine core"})
    after = Snapshot(110.0, 56.0, {10: 6.0, 11: 9.0, 12: 1.5}, roles)
    usage = usage_between(before, after, cores=2)
    assert usage.cpu_seconds == {"generator": 1.0, "engine core": 3.5}
    assert usage.seconds == 10
    # Of 20 core seconds 6 were idle and 4.5 ours.
    assert usage.foreign_cores == pytest.approx(0.95)


def test_more_of_ours_than_was_busy_is_rounding_and_no_foreign_load() -> None:
    before = Snapshot(0.0, 0.0, {10: 0.0}, {10: "edge"})
    after = Snapshot(1.0, 1.0, {10: 1.01}, {10: "edge"})
    assert usage_between(before, after, cores=2).foreign_cores == 0


def test_the_clock_of_a_process_is_what_it_measures_itself() -> None:
    before = time.process_time()
    found = processes.snapshot({os.getpid(): "own"})
    after = time.process_time()
    assert found.roles[os.getpid()] == "own"
    assert before <= found.cpu_seconds[os.getpid()] <= after


def test_what_a_process_started_counts_with_it_and_what_is_gone_does_not() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert processes.snapshot({os.getpid(): "own"}).roles[child.pid] == "own"
        child.communicate(b"\n")
    assert child.pid not in processes.snapshot({os.getpid(): "own"}).roles
