from pathlib import Path

import pytest

from services.edge.settings import EdgeSettings
from services.runtime.settings import SettingsError, load_settings

COMMON = """
region: eu-fr
catalog:
  regions: [{number: 1, name: eu-fr}]
  models: [{number: 1, name: tiny-eu, context_tokens: 1024, max_output_tokens: 512}]
"""
EDGE = """
edge:
  listen: {port: 8400}
  router: {address: "127.0.0.1:8401"}
  emitter: {address: "127.0.0.1:8403"}
"""


def load(path: Path, text: str) -> EdgeSettings:
    file = path / "comptoir.yaml"
    file.write_text(COMMON + text)
    return load_settings(EdgeSettings, section="edge", path=file, environ={})


def test_four_addresses_are_enough(tmp_path: Path) -> None:
    settings = load(tmp_path, EDGE)
    assert settings.listen.host == "127.0.0.1"
    assert settings.listen.tls is None
    assert settings.max_body_bytes == 1024 * 1024
    assert settings.request_seconds == 600


def test_plaintext_http_stays_on_the_machine(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="needs tls"):
        load(tmp_path, EDGE.replace("port: 8400", "host: 0.0.0.0, port: 8400"))


def test_a_body_over_one_mebibyte_cannot_be_allowed(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="max_body_bytes"):
        load(tmp_path, EDGE + "  max_body_bytes: 2097152\n")


def test_certificates_that_cannot_be_read_are_said_in_one_sentence(tmp_path: Path) -> None:
    tls = f"tls: {{certificate_file: {tmp_path}/a, private_key_file: {tmp_path}/b}}"
    settings = load(tmp_path, EDGE.replace("port: 8400", f"host: 0.0.0.0, port: 8400, {tls}"))
    assert settings.listen.tls is not None
    with pytest.raises(SettingsError, match="TLS files"):
        settings.listen.tls.ssl_context()


def test_the_routers_of_a_region_are_a_list_of_different_addresses_the_nearest_first(tmp_path: Path) -> None:
    further = '  further_routers: [{address: "127.0.0.1:%d"}]\n'
    settings = load(tmp_path, EDGE + further % 8501)
    assert [one.address for one in settings.routers] == ["127.0.0.1:8401", "127.0.0.1:8501"]
    with pytest.raises(SettingsError, match="different addresses"):
        load(tmp_path, EDGE + further % 8401)


def test_one_router_is_asked_as_long_as_it_serves_unless_several_are_told_to_share(tmp_path: Path) -> None:
    assert not load(tmp_path, EDGE).spread_over_routers
    assert load(tmp_path, EDGE + "  spread_over_routers: true\n").spread_over_routers


def test_the_secret_of_prefixes_is_a_file_that_may_be_left_out(tmp_path: Path) -> None:
    assert load(tmp_path, EDGE).prefix_secret_file is None
    said = load(tmp_path, EDGE + "  prefix_secret_file: /run/secrets/prefixes\n")
    assert said.prefix_secret_file == Path("/run/secrets/prefixes")


def test_a_region_of_replicas_needs_certificates_or_every_request_would_be_refused(tmp_path: Path) -> None:
    region = "  generator_peer_region: spiffe://comptoir.internal/region/eu-fr\n"
    with pytest.raises(SettingsError, match="so it needs generator_tls"):
        load(tmp_path, EDGE + region)
    tls = "  generator_tls: {certificate_file: a, private_key_file: b, ca_file: c}\n"
    assert load(tmp_path, EDGE + region + tls).generator_tls is not None
