"""Whatever reads a file of deploy/compose takes it, with the files and variables that its container has."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
import yaml
from cryptography import x509

from deploy.kafka.declaration import read_declaration
from services.cli.secrets import layout
from services.contract.events import RETENTION_MAX_DAYS, RETENTION_MIN_DAYS
from services.runtime.settings import environment
from tests.compose.project import FILE, REPOSITORY, Service, services
from tests.compose.test_file import secrets  # noqa: F401 - the folder is made once
from tests.debian_programs import program

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

FOLDER: Final = FILE.parent / "compose"
SECONDS: Final = 240
MODULES: Final = {
    "edge": "services.edge",
    "router-1": "services.router",
    "router-2": "services.router",
    "generator": "services.generator",
    "generator-cuda": "services.generator",
    "generator-server": "services.generator",
    "emitter": "services.emitter",
    "usage": "pipelines.usage",
    "console": "services.console",
}


def moved(service: Service, folder: Path) -> Path:
    """What a container finds, below a folder: links to what is mounted, and texts that name them there."""
    folder.mkdir()
    for volume in service["volumes"]:
        place = folder / volume["target"].lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        source = Path(volume["source"])
        if volume["type"] == "volume":
            place.mkdir()
        elif source.is_file() and source.suffix == ".yaml":
            place.write_text(relocated(source.read_text(), folder))
        else:
            place.symlink_to(source)
    return folder


def relocated(text: str, folder: Path) -> str:
    for name in ("/etc/comptoir", "/var/lib/comptoir", "/models"):
        text = text.replace(name, f"{folder}{name}")
    return text


@pytest.mark.parametrize("name", MODULES)
def test_each_process_finds_its_settings_usable_and_every_file_mounted(
    name: str,
    secrets: Path,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    folders = {"COMPTOIR_SECRETS": str(secrets), "COMPTOIR_MODELS": str(FILE.parent / "models")}
    given = services("gpu", "server", **folders)[name]
    folder = moved(given, tmp_path / "container")
    variables = {key: relocated(str(value), folder) for key, value in given["environment"].items()}
    config = folder / "etc/comptoir/settings/comptoir.yaml"
    done = subprocess.run(
        (sys.executable, "-m", MODULES[name], "--config", str(config), "--check"),
        cwd=REPOSITORY,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_and_its_rules_are_taken_by_its_own_tool(
    secrets: Path,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    service = services(COMPTOIR_SECRETS=str(secrets))["prometheus"]
    folder = moved(service, tmp_path / "container")
    config = folder / "etc/prometheus"
    for check, name in (("config", "prometheus.yaml"), ("web-config", "web.yaml")):
        said = ran(program("promtool"), "check", check, str(config / name))
        assert "SUCCESS" in said
    document = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yaml").read_text())
    watched = {job["job_name"] for job in document["scrape_configs"]}
    usual = yaml.safe_load((FILE.parent / "alerts" / "prometheus.yaml").read_text())
    assert {job["job_name"] for job in usual["scrape_configs"]} < watched
    targets = {t for job in document["scrape_configs"] for it in job["static_configs"] for t in it["targets"]}
    assert {target.partition(":")[0] for target in targets} <= set(services())


def test_the_store_has_no_user_without_a_password_and_no_table_outside_its_policy() -> None:
    users = ET.parse(FOLDER / "clickhouse" / "users.xml").getroot()  # noqa: S314 - our own file
    names = {user.tag for user in users.findall("users/*")}
    assert users.find("users/default[@remove]") is not None
    assert names == {"default", "comptoir_writer", "grafana", "console"}
    roles = {role.tag for role in users.findall("roles/*")}
    granted = {grant.text for user in users.findall("users/*") for grant in user.findall("grants/query")}
    assert granted == {f"GRANT {role}" for role in roles}
    analyst = [it.text for it in users.findall("roles/comptoir_analyst/grants/query")]
    assert analyst == ["GRANT SHOW, SELECT ON comptoir.*"]
    for name in ("writer", "grafana", "console"):
        content = layout.FOLLOWING[f"clickhouse/{name}.xml"].content("secret")
        (user,) = ET.fromstring(content).findall("users/*")  # noqa: S314 - our own text
        assert user.tag in names
    server = ET.parse(FOLDER / "clickhouse" / "config.xml").getroot()  # noqa: S314 - our own file
    policy = server.findtext("merge_tree/storage_policy")
    assert server.find(f"storage_configuration/policies/{policy}") is not None
    assert [it.tag for it in server if it.tag.endswith("_port") and it.text] == ["https_port"]


def test_the_console_may_ask_routers_for_replicas_and_tenants_and_nobody_for_more() -> None:
    settings = yaml.safe_load((FOLDER / "comptoir.yaml").read_text())
    (console,) = (bearer for bearer in layout.BEARERS if bearer.name == "console")
    allowed = {
        (section, method)
        for section, keys in settings.items()
        for listen in (keys.values() if isinstance(keys, dict) else ())
        if isinstance(listen, dict)
        for method, callers in listen.get("callers", {}).items()
        if console.uri(layout.Names()) in callers
    }
    assert allowed == {("router", "AdminService/ListReplicas"), ("router", "AdminService/ListTenants")}


def test_events_stay_within_the_bounds_and_longer_than_in_kafka() -> None:
    days = yaml.safe_load((FOLDER / "comptoir.yaml").read_text())["usage"]["retention_days"]
    assert RETENTION_MIN_DAYS <= days <= RETENTION_MAX_DAYS
    read_declaration(FOLDER / "kafka" / "topics.yaml").check_retention(days)


def test_the_collector_takes_what_processes_send_and_names_only_what_it_declares() -> None:
    document: dict[str, Any] = yaml.safe_load((FOLDER / "otel-collector" / "config.yaml").read_text())
    tls = document["receivers"]["otlp"]["protocols"]["grpc"]["tls"]
    assert tls["client_ca_file"] == "/etc/comptoir/tls/ca.crt"
    for pipeline in document["service"]["pipelines"].values():
        for part in ("receivers", "processors", "exporters"):
            assert set(pipeline[part]) <= set(document[part])
    settings = yaml.safe_load((FOLDER / "comptoir.yaml").read_text())
    assert settings["telemetry"] == {"otlp_endpoint": "otel-collector:4317"}


def test_grafana_is_given_what_its_dashboards_ask_for() -> None:
    grafana = services()["grafana"]
    mounted = {it["target"]: it["source"] for it in grafana["volumes"]}
    provisioning = FOLDER / "grafana" / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "comptoir.yaml").read_text())["providers"]
    boards = list(Path(mounted[provider["options"]["path"]]).glob("*.json"))
    assert len(boards) == 4
    sources = yaml.safe_load((provisioning / "datasources" / "comptoir.yaml").read_text())["datasources"]
    asked = {
        variable["query"]
        for board in boards
        for variable in json.loads(board.read_text())["templating"]["list"]
        if variable["type"] == "datasource"
    }
    assert asked == {source["type"] for source in sources}
    text = os.linesep.join(path.read_text() for path in provisioning.rglob("*.yaml"))
    assert "/etc/comptoir/secrets/clickhouse-password" in text
    for path in ("clickhouse-password", "admin-password"):
        assert f"grafana/{path}" in layout.RANDOM


def test_clients_find_the_edges_own_names_in_its_certificate(secrets: Path) -> None:  # noqa: F811 - the fixture
    certificate = x509.load_pem_x509_certificate((secrets / layout.EDGE_HTTP / "tls.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "edge"]


def ran(*command: str | Path) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
