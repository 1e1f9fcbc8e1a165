"""The time that is left to certificates."""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import BaseModel

from services.kernel.clock import ManualClock
from services.runtime.addresses import TlsFiles
from services.runtime.metrics.certificates import show_certificates
from tests.services.runtime.metrics.collecting import collected

_DAY = 86_400


class _Target(BaseModel):
    tls: TlsFiles | None = None


class _Settings(BaseModel):
    listen: _Target
    others: tuple[_Target, ...] = ()
    telemetry: _Target = _Target()
    model_path: Path = Path("certificate_file")


def _pem(end_seconds: float) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    end = dt.datetime.fromtimestamp(end_seconds, dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(end - dt.timedelta(days=90)).not_valid_after(end)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _files(folder: Path, name: str) -> TlsFiles:
    return TlsFiles(
        certificate_file=folder / f"{name}.pem",
        private_key_file=folder / f"{name}.key",
        ca_file=folder / "ca.pem",
    )


def test_each_file_of_the_settings_has_the_time_of_the_first_that_ends(tmp_path: Path) -> None:
    clock = ManualClock()
    now_seconds = clock.wall_microseconds() // 1_000_000
    (tmp_path / "a.pem").write_bytes(_pem(now_seconds + 30 * _DAY) + _pem(now_seconds + 10 * _DAY))
    (tmp_path / "b.pem").write_bytes(_pem(now_seconds - _DAY))
    (tmp_path / "ca.pem").write_bytes(b"no certificate")
    a, b = _Target(tls=_files(tmp_path, "a")), _Target(tls=_files(tmp_path, "b"))
    with collected() as shown:
        show_certificates(_Settings(listen=a, others=(a, b), telemetry=b), "edge", ("telemetry",), clock)
        left = {dict(key)["setting"]: value for (_, key), value in shown.series().items()}
        assert left["edge.listen.tls.certificate_file"] == left["edge.others.0.tls.certificate_file"]
        assert abs(left["edge.listen.tls.certificate_file"] - 10 * _DAY) < 1
        assert abs(left["edge.others.1.tls.certificate_file"] + _DAY) < 1
        assert left["edge.listen.tls.ca_file"] == 0
        assert "telemetry.tls.certificate_file" in left
        assert len(left) == 8
        clock.advance(_DAY)
        (tmp_path / "ca.pem").unlink()
        (tmp_path / "b.pem").write_bytes(_pem(now_seconds + 90 * _DAY))
        left = {dict(key)["setting"]: value for (_, key), value in shown.series().items()}
        assert abs(left["edge.listen.tls.certificate_file"] - 9 * _DAY) < 1
        assert abs(left["edge.others.1.tls.certificate_file"] - 89 * _DAY) < 1
        assert left["edge.listen.tls.ca_file"] == 0


def test_authorities_are_good_for_as_long_as_the_last_of_them(tmp_path: Path) -> None:
    clock = ManualClock()
    now_seconds = clock.wall_microseconds() // 1_000_000
    files = _files(tmp_path, "a")
    files.certificate_file.write_bytes(_pem(now_seconds + 90 * _DAY))
    assert files.ca_file is not None
    files.ca_file.write_bytes(b"".join(_pem(now_seconds + days * _DAY) for days in (-700, 400, 10)))
    with collected() as shown:
        show_certificates(_Settings(listen=_Target(tls=files)), "edge", (), clock)
        left = {dict(key)["setting"]: value for (_, key), value in shown.series().items()}
    assert abs(left["edge.listen.tls.ca_file"] - 400 * _DAY) < 1
    assert abs(left["edge.listen.tls.certificate_file"] - 90 * _DAY) < 1


def test_without_a_certificate_there_is_no_metric() -> None:
    with collected() as shown:
        show_certificates(_Settings(listen=_Target()), "edge", (), ManualClock())
        assert not shown.series()
