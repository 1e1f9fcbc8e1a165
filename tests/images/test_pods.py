"""The containers of a release against each other, with every restriction on: a request from end to end."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.images.pods import RESTRICTIONS, ContainerError, Pods
from tests.images.streams import chunks, ended, generations, new_key, stream

pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.images, pytest.mark.timeout(3_600)]

SERVING = ("comptoir-emitter", "comptoir-router", "comptoir-pool-tiny", "comptoir-edge", "comptoir-console")
EVERY = (*SERVING, "comptoir-usage")
SECONDS = 240
PROGRAMS = Path(__file__).parent / "programs"
# Of the second version of control groups, and of the first.
MEMORY = """
from pathlib import Path
for name in ("memory.max", "memory/memory.limit_in_bytes"):
    file = Path("/sys/fs/cgroup") / name
    if file.exists():
        print(file.read_text())
"""
WRITE = """
import os, sys
written = []
for top in os.listdir("/"):
    for folder, _, _ in os.walk(f"/{top}"):
        if folder.startswith(("/proc", "/sys", "/dev/pts", "/dev/mqueue")):
            continue
        try:
            name = os.path.join(folder, "comptoir-wrote")
            open(name, "x").close()
            os.unlink(name)
            written.append(folder)
        except OSError:
            pass
print(*sorted(written))
"""


def test_the_official_sdk_streams_through_the_containers(pods: Pods) -> None:
    program = stream(pods, new_key(pods, "acme"), 24)
    said = list(chunks(program))
    assert ended(program, said) == 24
    assert sum(bool(it["has_text"]) for it in said) > 1


@pytest.mark.parametrize("name", EVERY)
def test_a_process_is_nobody_with_no_rights_and_no_network_but_loopback(pods: Pods, name: str) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in pods.inside(name, "python", "-c", "print(open('/proc/1/status').read())").splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == ["65532"] * 4
    assert status["Gid"].split() == ["65532"] * 4
    assert {int(status[key], 16) for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert pods.inside(name, "python", "-c", "import os; print(*os.listdir('/sys/class/net'))") == "lo"


@pytest.mark.parametrize("name", EVERY)
def test_a_process_has_no_more_memory_than_the_chart_gives_it(pods: Pods, name: str) -> None:
    bound = pods.memory_limit(name)
    factor = {"m": 2**20, "g": 2**30}[bound[-1]]
    assert int(pods.inside(name, "python", "-c", MEMORY)) == int(bound[:-1]) * factor


@pytest.mark.parametrize("name", EVERY)
def test_nothing_can_be_written_but_scratch_and_its_own_data(pods: Pods, name: str) -> None:
    written = pods.inside(name, "python", "-c", WRITE).split()
    declared = {"/tmp", "/dev/shm"}  # noqa: S108 - what the chart mounts
    if name in {"comptoir-emitter", "comptoir-router"}:
        declared.add("/var/lib/comptoir")
    assert {"/tmp"} <= set(written)  # noqa: S108
    assert [it for it in written if not it.startswith(tuple(declared))] == []


def test_health_checks_tell_who_serves_and_who_waits(pods: Pods) -> None:
    for name in SERVING:
        assert pods.health(name) == "healthy", pods.logs(name)[-2_000:]
    # It lives, and has neither a Kafka nor a store.
    assert pods.health("comptoir-usage") == "unhealthy"
    alive = pods.inside("comptoir-usage", *health_check("usage"), "--is-alive")
    assert alive == ""


def test_the_console_shows_whom_its_proxy_names_what_runs_and_who_asked(pods: Pods) -> None:
    new_key(pods, "looked-at")
    authority = str(pods.authority.files("browser").ca_file)
    url = "https://127.0.0.1:8414"
    program = pods.client(sys.executable, PROGRAMS / "look.py", url, "console.example.eu", authority)
    said, errors = program.communicate(timeout=SECONDS)
    assert program.returncode == 0, errors
    told = json.loads(said)
    assert told["unnamed"] == 403
    assert "looked-at" in told["parts"]["tenants"]
    assert "ready" in told["parts"]["replicas"]
    assert "The store does not answer." in told["parts"]["latency"]
    for name in ("edge", "router-1", "emitter-0", "usage-0"):
        assert name in told["parts"]["health"]


def health_check(section: str) -> tuple[str, ...]:
    config = "/etc/comptoir/settings/comptoir.yaml"
    module = "services.runtime.health_check"
    return ("python", "-m", module, "--config", config, "--section", section, "--seconds", "60")


@pytest.mark.parametrize("shell", ["sh", "/bin/sh", "bash"])
def test_no_shell_can_be_started(pods: Pods, shell: str) -> None:
    with pytest.raises(ContainerError, match=r"not found|no such file"):
        pods.inside("comptoir-pool-tiny", shell, "-c", "true")


def test_every_image_says_by_itself_what_it_is_missing(pods: Pods) -> None:
    for target, name in pods.images.items():
        options = ("run", "--rm", "--network=none", *RESTRICTIONS)
        if target == "cli":
            assert "comptoir" in pods.podman(*options, name, "--version")
            continue
        with pytest.raises(ContainerError, match=r"comptoir\.yaml"):
            pods.podman(*options, name)


# The last: afterwards nobody serves.
def test_a_stop_cuts_no_stream_and_every_count_is_kept(pods: Pods) -> None:
    api_key = new_key(pods, "drained")
    processes = {name: pods.process(name) for name in EVERY}
    program = stream(pods, api_key, 400)
    events = chunks(program)
    said = [next(it for it in events if it["has_text"])]
    for name in ("comptoir-edge", "comptoir-pool-tiny"):
        os.kill(processes[name], signal.SIGTERM)
    said += events
    assert ended(program, said) == 400
    for name in ("comptoir-edge", "comptoir-pool-tiny"):
        assert pods.exit_status(name) == 0, pods.logs(name)[-2_000:]
    for name in ("comptoir-router", "comptoir-emitter", "comptoir-usage", "comptoir-console"):
        os.kill(processes[name], signal.SIGTERM)
        assert pods.exit_status(name) == 0, pods.logs(name)[-2_000:]
    counted = [it.output_tokens for it in generations(pods)]
    assert counted.count(400) == 1
