"""The file's services run: their commands, settings, secrets, users, networks and checks, without an engine.

Not here: Grafana, whose program no package brings; the engine is the simulated one. Every request is a trace,
and the collector logs what it takes.
"""

import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from services.cli.secrets.folder import SecretFiles
from services.cli.secrets.layout import Names
from services.cli.secrets.making import SecretsMaking
from services.runtime.settings import environment
from tests.compose.machine import Machine
from tests.compose.programs import ASKING, COUNTING, LOOKING, REACHING, SCRAPED
from tests.compose.project import REPOSITORY, Service, load
from tests.system.stack_process import eventually

pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.timeout(1800)]

NOT_HERE: Final = frozenset({"grafana"})
SECONDS: Final = 240
STORED_SECONDS: Final = 180
# What the collector takes of whom, which by the file's configuration alone it counts.
TELLING: Final = """
exporters: {debug: {verbosity: detailed}}
service: {pipelines: {metrics: {exporters: [nop, debug]}}}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One that every user of a container comes by, as none does below pytest's own."""
    with tempfile.TemporaryDirectory(prefix="comptoir-compose-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def machine(folder: Path) -> Iterator[Machine]:
    SecretsMaking(SecretFiles(folder / "secrets"), time.time(), 365).init(Names())  # noqa: TID251 - certificates begin now
    models = REPOSITORY / "deploy" / "models"
    given = {"COMPTOIR_SECRETS": str(folder / "secrets"), "COMPTOIR_MODELS": str(models)}
    project = load("tools", variables=given)
    project["services"]["generator"]["environment"]["COMPTOIR_GENERATOR__ENGINE"] = "simulated"
    # The front that stands in for ClickHouse has a writer and a reader, who has no password.
    project["services"]["console"]["environment"]["COMPTOIR_CONSOLE__STORE__USER"] = "default"
    _have_the_collector_tell(project["services"], folder)
    found = Machine(project, folder / "run", NOT_HERE)
    try:
        found.up()
        yield found
    finally:
        found.close()


def _have_the_collector_tell(services: dict[str, Service], folder: Path) -> None:
    more = folder / "telling.yaml"
    more.write_text(TELLING)
    more.chmod(0o644)
    collector = services["otel-collector"]
    collector["command"].append("--config=/etc/otelcol/telling.yaml")
    mount = {"type": "bind", "source": str(more), "target": "/etc/otelcol/telling.yaml", "read_only": True}
    collector["volumes"].append(mount)
    for name in ("edge", "router-1", "router-2", "emitter", "usage", "console"):
        services[name]["environment"] |= {
            "COMPTOIR_TELEMETRY__TRACE_RATIO": "1",
            "COMPTOIR_TELEMETRY__METRIC_INTERVAL_SECONDS": "5",
        }


def on_the_machine(machine: Machine, *command: str, **variables: str) -> str:
    done = subprocess.run(
        machine.hub.inside(command),
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tokens(machine: Machine) -> int:
    """How many an answer had that OpenAI's SDK streamed, with a key that an operator made."""
    status, out, err = machine.run("cli", ["tenants", "create", "acme"])
    assert status == 0, out + err
    status, out, err = machine.run("cli", ["keys", "create", "--tenant", "acme", "--label", "first"])
    assert status == 0, err
    key = re.search(r"cptr_[\w-]+", out)
    assert key is not None, out
    authority = str(machine.folder.parent / "secrets" / "ca.crt")
    said = on_the_machine(machine, sys.executable, "-c", ASKING, key[0], SSL_CERT_FILE=authority)
    return int(said)


def test_an_operator_makes_a_key_openais_sdk_streams_with_it_and_the_store_has_its_count(
    machine: Machine, tokens: int
) -> None:
    assert tokens > 1
    counted = machine.containers["usage"].run(["python", "-c", COUNTING, str(STORED_SECONDS)])
    assert counted.stdout.split() == ["1", str(tokens)], counted.stderr + machine.said(
        "emitter", "usage", "kafka"
    )


def test_the_command_of_the_page_prints_a_link_that_shows_in_the_console_what_the_stack_did(
    machine: Machine, tokens: int
) -> None:
    assert tokens
    page = (REPOSITORY / "docs" / "compose.md").read_text()
    command = re.search(r"^docker compose exec console (.+)$", page, re.MULTILINE)
    assert command is not None
    console = machine.containers["console"]
    done = console.run(shlex.split(command[1]))
    assert done.stdout.startswith("https://localhost:8414/#"), done.stderr
    # Of the edge and those it is told of, of the router, and twice of the store.
    wanted = ["All 5 processes are ready.", "acme", "Requests 1 answered, last hour", "kept for 30 days"]
    authority = str(machine.folder.parent / "secrets" / "ca.crt")
    asked = [done.stdout.strip(), str(STORED_SECONDS), *wanted]
    shown = on_the_machine(machine, sys.executable, "-c", LOOKING, *asked, SSL_CERT_FILE=authority)
    assert not [word for word in wanted if word not in shown], shown
    assert "has been away" not in shown
    open_ways = [
        "router-1:8444",
        "router-2:8401",
        "emitter:8403",
        "usage:8407",
        "edge:8443",
        "clickhouse:8443",
    ]
    closed = ["generator:8402", "kafka:9093", "postgres:5432", "valkey:6379", "198.51.100.7:443"]
    said = console.run(["python", "-c", REACHING, *open_ways, *closed]).stdout.split()
    assert {place for place, how in zip(said[::2], said[1::2], strict=True) if how == "reached"} == set(
        open_ways
    )


def test_the_collector_takes_metrics_and_traces_of_all_that_reach_it_and_prometheus_reads_how_many(
    machine: Machine, tokens: int
) -> None:
    assert tokens
    collector = machine.containers["otel-collector"]

    def told() -> set[str]:
        said = "".join((collector.folder / name).read_text(errors="replace") for name in ("out", "err"))
        services = set(re.findall(r"service\.name: Str\(comptoir-(\w+)\)", said))
        return services | set(re.findall(r"Name +: (admit|/v1/chat/completions)\n", said))

    wanted = {"edge", "router", "emitter", "usage", "console", "admit", "/v1/chat/completions"}
    assert eventually(told, wanted.issubset, STORED_SECONDS) == wanted
    scraped = machine.containers["prometheus"].run(["python", "-c", SCRAPED, str(STORED_SECONDS)])
    names = scraped.stdout.split()
    assert any("metric_points" in name for name in names), scraped.stderr + machine.said("prometheus")
    assert any("spans" in name for name in names), names


def test_a_generator_reaches_its_routers_and_emitter_and_no_store_and_nothing_outside(
    machine: Machine,
) -> None:
    hub = machine.hub
    stores = [
        f"{hub.address(name, network)}:{port}"
        for name, network, port in (
            ("kafka", "log", 9093),
            ("clickhouse", "store", 8443),
            ("postgres", "keys", 5432),
            ("valkey", "keys", 6379),
        )
    ]
    open_ways = ["router-1:8411", "routers:8411", "emitter:8403"]
    done = machine.containers["generator"].run(
        ["python", "-c", REACHING, *open_ways, *stores, "kafka:9093", "198.51.100.7:443"]
    )
    said = dict(line.split() for line in done.stdout.splitlines())
    assert {place for place, how in said.items() if how == "reached"} == set(open_ways), done.stderr
    assert len(said) == len(open_ways) + len(stores) + 2


def test_no_container_may_write_its_root_or_has_a_capability(machine: Machine) -> None:
    for name, container in machine.containers.items():
        if container.process is None or container.process.poll() is not None:
            continue
        done = container.run(["sh", "-c", "touch /etc/x 2>/dev/null && echo written; true"])
        assert done.stdout == "", name
        status = Path(f"/proc/{container.process.pid}/status").read_text()
        assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE), name
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE), name
        assert re.search(rf"^Uid:\s+{container.uid}\s", status, re.MULTILINE), name


def test_taken_down_everything_ends_by_itself_in_the_order_of_what_needs_what(machine: Machine) -> None:
    order = list(machine.containers)
    assert order.index("emitter") < order.index("router-1") < order.index("generator") < order.index("edge")
    said = {name: container.said for name, container in machine.containers.items()}
    statuses = machine.down()
    # Java says by its status that it was asked to end.
    failed = {name: status for name, status in statuses.items() if status not in (0, 143)}
    assert failed == {}, [said[name]() for name in failed]
    assert '"event": "draining"' in said["generator"]()
