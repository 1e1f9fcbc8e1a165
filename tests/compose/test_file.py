"""`deploy/compose.yaml` is one that Compose takes, and its services are confined, checked and complete."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from services.cli.secrets import layout
from services.cli.secrets.folder import SecretFiles
from services.cli.secrets.layout import Names
from services.cli.secrets.making import SecretsMaking
from services.runtime.settings import environment
from tests.compose.project import FILE, PROFILES, REPOSITORY, NoProjectError, Service, load, services

# Building Compose's own library takes half a minute, once on a machine.
pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
NOW = 1_790_000_000.0
OPENED_TO_EVERYBODY = {"edge": [("", "8443", 8443)]}
# Folders that hold what has to outlive a container.
IN_MEMORY = {"engine"}
KEEP = {"emitter", "kafka", "clickhouse", "valkey", "postgres", "prometheus", "alertmanager", "grafana"}


@pytest.fixture(scope="module")
def every() -> dict[str, Service]:
    return services(*PROFILES)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("compose") / "secrets"
    SecretsMaking(SecretFiles(root), NOW, 365).init(Names())
    return root


def seconds(said: str) -> float:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", said))


def test_each_process_and_store_of_the_design_is_a_service() -> None:
    assert set(services()) == {
        *("edge", "router-1", "router-2", "generator", "emitter", "usage", "console"),
        *("kafka", "kafka-topics", "clickhouse", "valkey", "postgres"),
        *("otel-collector", "prometheus", "alertmanager", "grafana"),
    }


def test_a_gpu_is_a_profile_in_place_of_processors() -> None:
    found = services("gpu", COMPTOIR_CPU_REPLICAS="0")
    assert int(found["generator"]["scale"]) == 0
    (device,) = found["generator-cuda"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert found["generator-cuda"]["image"].endswith("/comptoir-generator-cuda:dev")


def test_a_server_that_computes_has_a_socket_and_a_model_and_nothing_else() -> None:
    project = load("server")
    found: dict[str, Service] = project["services"]
    engine, generator = found["engine"], found["generator-server"]
    assert engine["network_mode"] == "none"
    assert "networks" not in engine
    assert {it["target"] for it in engine["volumes"]} == {"/run/engine", "/models"}
    socket = {it["target"]: it["source"] for it in generator["volumes"]}["/run/engine"]
    assert {it["target"]: it["source"] for it in engine["volumes"]}["/run/engine"] == socket
    # Who else may enter it would be asked for no key.
    assert "mode=0700,uid=65532" in project["volumes"][socket]["driver_opts"]["o"]
    path = urlsplit(generator["environment"]["COMPTOIR_GENERATOR__OPENAI_SERVER__URL"]).path
    assert f"--uds {path} " in engine["command"][0]
    assert f"rm -f {path}\n" in engine["command"][0]
    # Those that ask stop first.
    assert set(generator["depends_on"]) >= {"engine", "router-1", "router-2", "emitter"}
    assert "generator-server" in found["edge"]["depends_on"]


def test_compose_refuses_what_is_no_service(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(FILE.read_text().replace("cap_drop:", "cap_dorp:"))
    with pytest.raises(NoProjectError, match="cap_dorp"):
        load(file=wrong)


def test_every_container_is_confined(every: dict[str, Service]) -> None:
    for name, service in every.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not str(service["user"]).startswith(("0", "root")), name
        assert int(service["mem_limit"]) > 0, name
        assert service["pids_limit"] > 0, name
        assert not service.get("privileged"), name
        assert not service.get("cap_add"), name


def test_programs_are_loaded_from_where_one_is_unpacked_or_compiled_and_from_nowhere_else_that_is_written(
    every: dict[str, Service],
) -> None:
    mounts = {
        name: [it.partition(":")[2].split(",") for it in every[name].get("tmpfs") or ()] for name in every
    }
    loading = {name for name, found in mounts.items() if any("exec" in options for options in found)}
    assert loading == {"kafka", "generator", "generator-cuda", "engine"}


def test_every_container_is_checked_or_its_image_has_nothing_to_ask_with(every: dict[str, Service]) -> None:
    unchecked = {name for name, it in every.items() if it["healthcheck"].get("disable")}
    assert unchecked == {"kafka-topics", "otel-collector", "cli", "secrets"}


def test_every_long_running_container_starts_again_and_keeps_what_it_has_to(
    every: dict[str, Service],
) -> None:
    for name, service in every.items():
        kept = [it for it in service["volumes"] if it["type"] == "volume" and it["source"] not in IN_MEMORY]
        assert bool(kept) == (name in KEEP), name
        ends = {"kafka-topics": "on-failure", "cli": "no", "secrets": "no"}
        assert service["restart"] == ends.get(name, "unless-stopped"), name


def test_nothing_but_the_edge_is_published_beyond_loopback(every: dict[str, Service]) -> None:
    published = {
        name: [(port.get("host_ip", ""), port["published"], port["target"]) for port in service["ports"]]
        for name, service in every.items()
        if service.get("ports")
    }
    assert published.pop("grafana") == [("127.0.0.1", "3000", 3000)]
    assert published.pop("console") == [("127.0.0.1", "8414", 8414)]
    assert published == OPENED_TO_EVERYBODY


def test_every_image_has_a_version_that_can_be_pinned(every: dict[str, Service]) -> None:
    for name, service in every.items():
        _, _, tag = service["image"].rpartition(":")
        assert tag not in ("", "latest"), name
    pinned = "apache/kafka@sha256:" + "0" * 64
    assert services(KAFKA_IMAGE=pinned)["kafka"]["image"] == pinned


def test_images_are_targets_of_the_one_dockerfile(every: dict[str, Service]) -> None:
    text = (REPOSITORY / "deploy" / "images" / "Dockerfile").read_text()
    for name, service in every.items():
        built = service.get("build", {})
        if "target" in built:
            assert f" AS {built['target']}\n" in text, name
            assert service["image"].endswith(f"/comptoir-{built['target']}:dev"), name
            assert Path(built["context"]) == REPOSITORY


def test_a_stop_waits_for_every_drain(every: dict[str, Service]) -> None:
    settings = yaml.safe_load((FILE.parent / "compose" / "comptoir.yaml").read_text())
    drains = {
        "edge": ("drain_notice_seconds", "drain_seconds", "drain_events_seconds"),
        "generator": ("drain_seconds", "flush_seconds"),
        "generator-cuda": ("drain_seconds", "flush_seconds"),
        "generator-server": ("drain_seconds", "flush_seconds"),
    }
    for name, keys in drains.items():
        longest = sum(settings[name.partition("-")[0]][key] for key in keys)
        assert seconds(every[name]["stop_grace_period"]) > longest, name
    for name in set(services()) - {"kafka-topics"}:
        assert seconds(every[name]["stop_grace_period"]) >= 15, name


def test_what_is_mounted_is_there(every: dict[str, Service], secrets: Path) -> None:
    found = services(*PROFILES, COMPTOIR_SECRETS=str(secrets), COMPTOIR_MODELS=str(FILE.parent / "models"))
    for name, service in found.items():
        for volume in service["volumes"]:
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists(), (name, volume["source"])
                assert volume.get("read_only") or name == "secrets", name
                # A folder that Docker makes in the place of a missing one belongs to root and is empty.
                assert volume["bind"]["create_host_path"] is False, name


def test_each_service_is_given_its_own_secrets_and_certificate(secrets: Path) -> None:
    found = services(*PROFILES, COMPTOIR_SECRETS=str(secrets))
    given: dict[str, set[str]] = {}
    for name, service in found.items():
        for volume in service["volumes"]:
            path = Path(volume["source"])
            if volume["type"] == "bind" and path.is_relative_to(secrets) and path != secrets:
                given.setdefault(str(path.relative_to(secrets)), set()).add(name)
    owners = {name: {owner.partition("-")[0] for owner in those} for name, those in given.items()}
    assert all(len(those) == 1 for those in owners.values()), owners
    bearers = {bearer.folder for bearer in layout.BEARERS}
    assert bearers <= set(given)
    # The authority's key is mounted nowhere, but where certificates are made.
    assert not any(name.startswith("authority") for name in given)
    assert not {name.partition("/")[0] for name in layout.RANDOM} - {it.partition("/")[0] for it in given}


def test_no_secret_is_where_an_inspection_of_a_container_shows_it(secrets: Path) -> None:
    """Passwords come as files alone, each of 256 bits; of certificates' keys, paths."""
    found = services(*PROFILES, COMPTOIR_SECRETS=str(secrets))
    held = {name: (secrets / name).read_text().strip() for name in layout.RANDOM}
    assert all(len(bytes.fromhex(secret)) == 32 for secret in held.values())
    assert len(set(held.values())) == len(held)
    for name, service in found.items():
        shown = {
            part: service.get(part)
            for part in ("environment", "command", "entrypoint", "healthcheck", "labels")
        }
        assert not [path for path, secret in held.items() if secret in str(shown)], name
        for variable, value in (service.get("environment") or {}).items():
            if re.search(r"PASS|SECRET|TOKEN|CREDENTIAL|_KEY", variable):
                assert str(value).startswith("/etc/comptoir/"), (name, variable)


def test_certificates_have_every_name_by_which_settings_call() -> None:
    text = (FILE.parent / "compose" / "comptoir.yaml").read_text()
    known = {name for bearer in layout.BEARERS for name in bearer.dns_names(Names())}
    called = set(re.findall(r"([a-z][a-z0-9-]+):(?:84\d\d|9093|4317|6379|5432)\b", text))
    assert called >= {"router-1", "router-2", "routers", "emitter", "kafka", "valkey", "otel-collector"}
    for name in called:
        assert {name, f"{name}.eu-fr.comptoir.internal"} <= known, name
    ids = set(re.findall(r"spiffe://[^\s\"\]]+/process/[a-z-]+", text))
    assert ids <= {bearer.uri(Names()) for bearer in layout.BEARERS}


def test_topics_are_the_declared_ones_in_one_copy() -> None:
    declared = yaml.safe_load((FILE.parent / "kafka" / "topics.yaml").read_text())
    here = yaml.safe_load((FILE.parent / "compose" / "kafka" / "topics.yaml").read_text())
    defaults: dict[str, Any] = declared["topic_defaults"]
    defaults |= {"partitions": 3, "replication_factor": 1}
    defaults["configs"]["min.insync.replicas"] = 1
    assert here == declared


def test_no_secret_and_no_path_of_a_machine_is_in_the_file() -> None:
    home = environment().get("HOME", "/nonexistent")
    for path in (FILE, *(FILE.parent / "compose").rglob("*.*")):
        if path.is_file():
            text = path.read_text()
            assert home not in text
            assert not re.search(r"(?i)password[\"']?\s*[:=]\s*[\"']?[a-z0-9]{8,}", text), path
