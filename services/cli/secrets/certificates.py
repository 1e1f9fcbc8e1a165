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


class EndedAuthorityError(Exception):
    """The authority is over: what it signs would never be good."""


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
    # Two are believed while one takes the other's place, so each has a name of its own.
    digest = x509.SubjectKeyIdentifier.from_public_key(own.public_key()).digest.hex()
    name = f"comptoir {digest[:8]}"
    wanted = Wanted(name, (), "", now_seconds, AUTHORITY_DAYS)
    ends = _after(now_seconds, AUTHORITY_DAYS)
    builder = _builder(wanted, own, own, _named(name), is_authority=True).not_valid_after(ends)
    return _pem(builder.sign(own, hashes.SHA256()))


def signed(key: bytes, wanted: Wanted, ca_key: bytes, ca_certificate: bytes) -> bytes:
    """Returns a certificate of `key` under the authority, which it does not outlive; EndedAuthorityError."""
    signer, authority = _private(ca_key), _certificate(ca_certificate)
    ends = min(_after(wanted.now_seconds, wanted.days), authority.not_valid_after_utc)
    if ends.timestamp() <= wanted.now_seconds:
        raise EndedAuthorityError
    issuer = authority.subject
    others: list[x509.GeneralName] = [x509.DNSName(name) for name in wanted.dns_names]
    if wanted.uri:
        others.append(x509.UniformResourceIdentifier(wanted.uri))
    builder = _builder(wanted, _private(key), signer, issuer, is_authority=False).not_valid_after(ends)
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


def each_of(bundle: bytes) -> tuple[bytes, ...]:
    """Returns the certificates of a file that holds one or more; NoKeyError where it holds anything else."""
    try:
        return tuple(map(_pem, x509.load_pem_x509_certificates(bundle)))
    except ValueError:
        raise NoKeyError from None


def of_key(bundle: Sequence[bytes], key: bytes) -> bytes | None:
    """Returns the certificate among them that is this key's."""
    return next((certificate for certificate in bundle if fits(key, certificate)), None)


def check_key(key: bytes) -> None:
    """Raises NoKeyError where a file holds no private key."""
    _private(key)


def check_certificate(certificate: bytes) -> None:
    """Raises NoKeyError where a file does not hold one certificate and nothing else."""
    if len(each_of(certificate)) != 1:
        raise NoKeyError


def is_authority(certificate: bytes) -> bool:
    """Tells whether a certificate may sign others."""
    try:
        found = _certificate(certificate).extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return found.value.ca


def is_for_both_sides(certificate: bytes) -> bool:
    """Tells whether who shows it is believed as a server and as a caller."""
    try:
        found = _certificate(certificate).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} <= set(found.value)


def seconds_until_good(certificate: bytes, now_seconds: float) -> float:
    """Returns how long it is until a certificate begins; 0 or less where it has begun."""
    return _certificate(certificate).not_valid_before_utc.timestamp() - now_seconds


def is_newest(certificate: bytes, among: Sequence[bytes]) -> bool:
    """Tells whether none of the others began later."""
    return all(seconds_until_good(other, 0.0) <= seconds_until_good(certificate, 0.0) for other in among)


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
        .add_extension(constraints, critical=True)
        .add_extension(x509.KeyUsage(**{name: name in used for name in _USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )


def _after(now_seconds: float, days: float) -> dt.datetime:
    # To whole seconds, as it is written.
    return dt.datetime.fromtimestamp(int(now_seconds), dt.UTC) + dt.timedelta(days=days)


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
