"""An authority and what it signs, as PEM: keys, certificates, and what is in one."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS: Final = 3650
# Clocks of other machines may be behind.
_BACKDATED: Final = dt.timedelta(hours=1)
_USAGES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class NoKeyError(Exception):
    """A file holds no private key, or no certificate, that could be used."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a certificate says: its names, and from when to when it is good."""

    common_name: str
    dns_names: Sequence[str]
    uri: str
    now_seconds: float
    days: float


def new_key() -> bytes:
    """Returns a private key, as PKCS#8 that every server here reads."""
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def authority(key: bytes, now_seconds: float) -> bytes:
    """Returns the certificate by which everybody knows what this key signed."""
    own = _private(key)
    wanted = Wanted("comptoir", (), "", now_seconds, AUTHORITY_DAYS)
    return _pem(_builder(wanted, own, own, _named("comptoir"), is_authority=True).sign(own, hashes.SHA256()))


def signed(key: bytes, wanted: Wanted, ca_key: bytes, ca_certificate: bytes) -> bytes:
    """Returns a certificate of `key` under the authority."""
    signer, issuer = _private(ca_key), _certificate(ca_certificate).subject
    others: list[x509.GeneralName] = [x509.DNSName(name) for name in wanted.dns_names]
    if wanted.uri:
        others.append(x509.UniformResourceIdentifier(wanted.uri))
    builder = _builder(wanted, _private(key), signer, issuer, is_authority=False)
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.SubjectAlternativeName(others), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
    return _pem(builder.sign(signer, hashes.SHA256()))


def fits(key: bytes, certificate: bytes) -> bool:
    """Tells whether a certificate is of this private key."""
    return _certificate(certificate).public_key() == _private(key).public_key()


def is_signed_by(certificate: bytes, ca_certificate: bytes) -> bool:
    """Tells whether the authority of that certificate signed this one."""
    signed_one, signer = _certificate(certificate), _certificate(ca_certificate)
    try:
        signed_one.verify_directly_issued_by(signer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def seconds_left(certificate: bytes, now_seconds: float) -> float:
    """Returns for how long a certificate is good; negative, where it is over."""
    return _certificate(certificate).not_valid_after_utc.timestamp() - now_seconds


def names_of(certificate: bytes) -> frozenset[str]:
    """Returns what it can be called by."""
    try:
        found = _certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(str(name.value) for name in found.value)


def _builder(
    wanted: Wanted,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    *,
    is_authority: bool,
) -> x509.CertificateBuilder:
    now = dt.datetime.fromtimestamp(wanted.now_seconds, dt.UTC)
    used = {"key_cert_sign", "crl_sign"} if is_authority else {"digital_signature"}
    constraints = x509.BasicConstraints(ca=is_authority, path_length=0 if is_authority else None)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(wanted.common_name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + dt.timedelta(days=wanted.days))
        .add_extension(constraints, critical=True)
        .add_extension(x509.KeyUsage(**{name: name in used for name in _USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )


def _private(key: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        found = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError):
        raise NoKeyError from None
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise NoKeyError
    return found


def _certificate(content: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError:
        raise NoKeyError from None


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
