"""The file's services run: their commands, settings, secrets, users, networks and checks, without an engine.

Not here: Grafana, whose program no package brings; the engine is the simulated one. Every request is a trace,
and the collector logs what it takes.
"""

import re
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
from tests.compose.project import REPOSITORY, Service, load
from tests.system.stack_process import eventually

pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.timeout(1800)]

NOT_HERE: Final = frozenset({"grafana"})
SECONDS: Final = 240
STORED_SECONDS: Final = 180
ASKING: Final = """
import sys
from openai import OpenAI

client = OpenAI(base_url="https://localhost:8443/v1", api_key=sys.argv[1], timeout=120)
message = {"role": "user", "content": "Bonjour"}
parts = client.chat.completions.create(
    model="tiny-eu", messages=[message], stream=True, stream_options={"include_usage": True}
)
print([part.usage.completion_tokens for part in parts if part.usage][-1])
"""
COUNTING: Final = """
import ssl
import sys
import time
import urllib.request
from pathlib import Path

password = Path("/etc/comptoir/secrets/clickhouse-password").read_text().strip()
context = ssl.create_default_context(cafile="/etc/comptoir/tls/ca.crt")
headers = {"X-ClickHouse-User": "comptoir_writer", "X-ClickHouse-Key": password}
query = b"SELECT count(), sum(output_tokens) FROM comptoir.generations FORMAT TSV"
request = urllib.request.Request("https://clickhouse:8443/", data=query, headers=headers)
deadline = time.monotonic() + float(sys.argv[1])
while True:
    with urllib.request.urlopen(request, context=context, timeout=60) as answer:
        said = answer.read().decode().split()
    if said[0] != "0" or time.monotonic() > deadline:
        break
    time.sleep(0.5)
print(*said)
"""
# What the collector takes of whom, which by the file's configuration alone it counts.
TELLING: Final = """
exporters: {debug: {verbosity: detailed}}
service: {pipelines: {metrics: {exporters: [nop, debug]}}}
"""
SCRAPED: Final = """
import json
import ssl
import sys
import time
import urllib.parse
import urllib.request

tls = "/etc/comptoir/tls/"
context = ssl.create_default_context(cafile=tls + "ca.crt")
context.load_cert_chain(tls + "tls.crt", tls + "tls.key")
wanted = '{job="otel-collector", __name__=~"otelcol_receiver_accepted_.+"} > 0'
url = "https://prometheus:9090/api/v1/query?" + urllib.parse.urlencode({"query": wanted})
deadline = time.monotonic() + float(sys.argv[1])
while True:
    with urllib.request.urlopen(url, context=context, timeout=60) as answer:
        found = {it["metric"]["__name__"] for it in json.load(answer)["data"]["result"]}
    if len(found) >= 2 or time.monotonic() > deadline:
        break
    time.sleep(0.5)
print(*sorted(found))
"""
REACHING: Final = """
import socket
import sys

for place in sys.argv[1:]:
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
        print(place, "reached")
    except OSError:
        print(place, "closed")
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
    for name in ("edge", "router-1", "router-2", "emitter", "usage"):
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


def test_the_collector_takes_metrics_and_traces_of_all_that_reach_it_and_prometheus_reads_how_many(
    machine: Machine, tokens: int
) -> None:
    assert tokens
    collector = machine.containers["otel-collector"]

    def told() -> set[str]:
        said = "".join((collector.folder / name).read_text(errors="replace") for name in ("out", "err"))
        services = set(re.findall(r"service\.name: Str\(comptoir-(\w+)\)", said))
        return services | set(re.findall(r"Name +: (admit|/v1/chat/completions)\n", said))

    wanted = {"edge", "router", "emitter", "usage", "admit", "/v1/chat/completions"}
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
