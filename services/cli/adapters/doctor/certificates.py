"""Certificates as far as a person needs to know them: names, and times."""

from typing import Final

from cryptography import x509

from services.cli.doctor.facts import Certificate

_MOST_NAMES: Final = 4


def described(certificate: x509.Certificate) -> Certificate:
    """Returns a certificate's names, few of many, and when it begins and ends."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = [str(name.value) for name in names]
    except x509.ExtensionNotFound:
        found = [str(part.value) for part in certificate.subject]
    return Certificate(
        tuple(found[:_MOST_NAMES]),
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
    )


def read_certificates(content: bytes) -> tuple[Certificate, ...] | None:
    """Returns those of a file in PEM form, None where it has none that can be read."""
    try:
        return tuple(map(described, x509.load_pem_x509_certificates(content)))
    except ValueError:
        return None
