"""Certificates and kubeconfigs of a small cluster's parts, made for one run of the tests."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# What the API server calls itself by, to its callers and in the cluster.
SERVER_NAMES: Final = ("localhost", "kubernetes.default.svc")
SERVER_ADDRESSES: Final = ("127.0.0.1", "10.0.0.1")
# Who each part is, by the file of its certificate: common name and group.
PARTS: Final = {
    "apiserver": ("kube-apiserver", ""),
    "admin": ("admin", "system:masters"),
    "controllers": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "front": ("front-proxy", ""),
}


class Identities:
    """Files below a folder: ca.crt, a pair for each part, and the pair that signs tokens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._authority = _name("authority", "")
        ca = self._signed(self._authority, self._key, is_authority=True)
        self._write("ca.crt", ca.public_bytes(serialization.Encoding.PEM))
        for file, (common_name, group) in PARTS.items():
            self._issue(file, common_name, group)
        tokens = ec.generate_private_key(ec.SECP256R1())
        self._write("tokens.key", _private(tokens))
        self._write("tokens.pub", _public(tokens))

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def kubeconfig(self, part: str, server: str) -> Path:
        """Writes and returns the file by which a part knows the API server and is known there."""
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "small",
            "contexts": [{"name": "small", "context": {"cluster": "small", "user": part}}],
            "clusters": [
                {
                    "name": "small",
                    "cluster": {"server": server, "certificate-authority": self.path("ca.crt")},
                }
            ],
            "users": [
                {
                    "name": part,
                    "user": {
                        "client-certificate": self.path(f"{part}.crt"),
                        "client-key": self.path(f"{part}.key"),
                    },
                }
            ],
        }
        file = self.folder / f"{part}.kubeconfig"
        file.write_text(yaml.safe_dump(document))
        return file

    def _issue(self, file: str, common_name: str, group: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(_name(common_name, group), key, is_authority=False)
        self._write(f"{file}.crt", certificate.public_bytes(serialization.Encoding.PEM))
        self._write(f"{file}.key", _private(key))

    def _write(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._authority)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(_server_names()), critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _server_names() -> Sequence[x509.GeneralName]:
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in SERVER_ADDRESSES]
    return [*(x509.DNSName(name) for name in SERVER_NAMES), *addresses]


def _name(common_name: str, group: str) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    # As the API server's own tools write them.
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
