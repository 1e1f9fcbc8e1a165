"""Every address and file of settings is found by its key, and no secret of them."""

from typing import Any

import pytest

from services.cli.doctor.places import Place, Speaks, Tls, files_of, places_of

TLS = {"ca_file": "ca.pem", "certificate_file": "own.pem", "private_key_file": "own.key"}
MUTUAL = Tls("ca.pem", "own.pem", "own.key")


@pytest.mark.parametrize(
    ("process", "settings", "place"),
    [
        (
            "edge",
            {"listen": {"host": "::", "port": 443, "tls": TLS}},
            Place("edge.listen", "::1:443", Speaks.HTTP, MUTUAL, is_own=True),
        ),
        (
            "edge",
            {"router": {"address": "router.example:8401", "tls": TLS}},
            Place("edge.router", "router.example:8401", Speaks.GRPC, MUTUAL),
        ),
        (
            "edge",
            {"further_routers": [{"address": "127.0.0.1:9"}]},
            Place("edge.further_routers[0]", "127.0.0.1:9", Speaks.GRPC),
        ),
        (
            "router",
            {"admin_listen": {"address": "unix:/run/admin.sock"}},
            Place("router.admin_listen", "unix:/run/admin.sock", Speaks.GRPC, is_own=True),
        ),
        (
            "generator",
            {"listen": {"address": "[::]:8402"}},
            Place("generator.listen", "::1:8402", Speaks.GRPC, is_own=True),
        ),
        (
            "router",
            {"lease_store": {"address": "valkey:6379", "password_file": "x"}},
            Place("router.lease_store", "valkey:6379", Speaks.REDIS),
        ),
        (
            "router",
            {"database_url": "postgresql://comptoir@db.example/keys"},
            Place("router.database_url", "db.example:5432", Speaks.POSTGRESQL),
        ),
        (
            "usage",
            {"clickhouse": {"url": "https://store.example:8443", "ca_file": "ca.pem"}},
            Place("usage.clickhouse", "store.example:8443", Speaks.CLICKHOUSE, Tls("ca.pem")),
        ),
        (
            "emitter",
            {"kafka": {"bootstrap": "k1:9093", "ca_file": "ca.pem", "sasl": {"user": "emitter"}}},
            Place("emitter.kafka", "k1:9093", Speaks.KAFKA, Tls("ca.pem")),
        ),
        (
            "edge",
            {"telemetry": {"otlp_endpoint": "http://collector:4317"}},
            Place("telemetry.otlp_endpoint", "collector:4317", Speaks.OTLP),
        ),
        (
            "edge",
            {"telemetry": {"otlp_endpoint": "collector:4317"}},
            Place("telemetry.otlp_endpoint", "collector:4317", Speaks.OTLP, Tls()),
        ),
        (
            "edge",
            {"telemetry": {"otlp_endpoint": "collector:4317", "otlp_tls": {"ca_file": "c.pem"}}},
            Place("telemetry.otlp_endpoint", "collector:4317", Speaks.OTLP, Tls(ca_file="c.pem")),
        ),
        (
            "local_kafka",
            {"listen": "127.0.0.1:8405"},
            Place("local_kafka.listen", "127.0.0.1:8405", Speaks.KAFKA, is_own=True),
        ),
    ],
)
def test_an_address_is_found_by_its_key(process: str, settings: dict[str, Any], place: Place) -> None:
    assert places_of(process, settings) == [place]


def test_each_broker_is_an_address() -> None:
    found = places_of("emitter", {"kafka": {"bootstrap": "k1:9093, k2:9093"}})
    assert [place.address for place in found] == ["k1:9093", "k2:9093"]


def test_a_store_of_leases_in_memory_is_no_address() -> None:
    assert places_of("router", {"lease_store": {"address": "memory"}, "database_url": ""}) == []


def test_no_user_and_no_password_of_a_url_is_kept() -> None:
    found = places_of("router", {"database_url": "postgresql://me:hidden@db/keys"})
    assert "hidden" not in repr(found)
    assert "me" not in repr(found).replace("Name", "")


def test_files_are_secret_unless_they_are_known_not_to_be() -> None:
    settings = {
        "listen": {"address": "x:1", "tls": TLS},
        "pepper_file": "pepper",
        "ticket_public_keys": {1: "ticket-1.pub"},
        "transfers": {"requester_key_files": {"ada": "ada.pem"}},
        "database_file": "router.sqlite",
        "kafka": {"sasl": {"password_file": "password"}},
        "model_path": "model",
    }
    found = {file.path: (file.key, file.is_secret, file.is_certificate) for file in files_of("p", settings)}
    assert found == {
        "ca.pem": ("p.listen.tls.ca_file", False, True),
        "own.pem": ("p.listen.tls.certificate_file", False, True),
        "own.key": ("p.listen.tls.private_key_file", True, False),
        "pepper": ("p.pepper_file", True, False),
        "ticket-1.pub": ("p.ticket_public_keys.1", False, False),
        "ada.pem": ("p.transfers.requester_key_files.ada", False, False),
        "password": ("p.kafka.sasl.password_file", True, False),
    }
