"""Certificates made on the fly: one authority, and the names that it signs."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.runtime.addresses import TlsFiles


class Authority:
    """Signs certificates for 127.0.0.1 and writes them as the three files that a process is given."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("authority")
        certificate = self._signed(self._name, self._key, is_authority=True)
        self._file = folder / "ca.pem"
        self._file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def files(
        self, name: str, *, dns: str = "", uri: str = "", second_uri: str = "", is_expired: bool = False
    ) -> TlsFiles:
        """A new certificate and key of `name` and its other names, with this authority's own certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        others = [x509.DNSName(it) for it in dns.split()]
        uris = [x509.UniformResourceIdentifier(it) for it in (uri, second_uri) if it]
        certificate = self._signed(
            _named(name), key, *others, *uris, is_authority=False, is_expired=is_expired
        )
        files = TlsFiles(
            certificate_file=self._folder / f"{name}.pem",
            private_key_file=self._folder / f"{name}.key",
            ca_file=self._file,
        )
        files.certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files.private_key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *others: x509.GeneralName,
        is_authority: bool,
        is_expired: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *others])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + (timedelta(minutes=-1) if is_expired else timedelta(days=1)))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
