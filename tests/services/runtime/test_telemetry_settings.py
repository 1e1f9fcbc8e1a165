"""What a collector is called with: an authority, a certificate with its key or none, and nothing in vain."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.runtime.settings_error import SettingsError
from services.runtime.telemetry_settings import CollectorTls, TelemetrySettings
from tests.services.runtime.certificates import Authority


def test_a_certificate_goes_with_its_key(tmp_path: Path) -> None:
    files = Authority(tmp_path / "pki").files("router")
    with pytest.raises(ValidationError, match="certificate_file and private_key_file go together"):
        CollectorTls(ca_file=files.ca_file, certificate_file=files.certificate_file)
    alone = CollectorTls(ca_file=files.ca_file)
    assert alone.files == (files.ca_file,)
    alone.credentials()
    CollectorTls.model_validate(files.model_dump()).credentials()


@pytest.mark.parametrize("plain", [{"is_otlp_insecure": True}, {"otlp_endpoint": "http://collector:4317"}])
def test_files_for_a_way_without_tls_are_refused(tmp_path: Path, plain: dict[str, object]) -> None:
    tls = {"ca_file": tmp_path / "ca.pem"}
    with pytest.raises(ValidationError, match="otlp_tls is of no use"):
        TelemetrySettings.model_validate({"otlp_tls": tls, **plain})


def test_files_that_hold_something_else_are_one_sentence(tmp_path: Path) -> None:
    files = Authority(tmp_path / "pki").files("router")
    wrong = CollectorTls(
        ca_file=files.ca_file, certificate_file=files.certificate_file, private_key_file=files.ca_file
    )
    for tls in (wrong, CollectorTls(ca_file=tmp_path / "none.pem")):
        with pytest.raises(SettingsError, match=r"the files of telemetry\.otlp_tls are no authority"):
            tls.credentials()
