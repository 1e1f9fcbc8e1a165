"""Whether the files that settings name are there, kept from others, and still good for some time; pure."""

from collections.abc import Iterator
from typing import Final

from services.cli.doctor.facts import Certificate, SeenFile
from services.cli.doctor.finding import Finding, fail, ok, warn

FILES: Final = "files"
CERTIFICATES: Final = "certificates"
_DAY_SECONDS: Final = 86_400
_SOON_SECONDS: Final = 30 * _DAY_SECONDS
# What renews short-lived certificates by itself does so when a third of their time is left.
_LEFT_OF_LIFETIME: Final = 0.25
_OTHERS: Final = 0o007
_GROUP_WRITES: Final = 0o020


def of_file(seen: SeenFile, now_seconds: float) -> Iterator[Finding]:
    """Yields the findings about one file, and about the certificates in it."""
    key, name = seen.file.key, seen.file.path.rpartition("/")[2]
    if not seen.exists:
        yield fail(FILES, key, f"There is no file {name}.", "put it there, or correct the path")
        return
    if not seen.is_readable:
        step = "run this as the user of the process; if it is that user, give it the right to read"
        yield warn(FILES, key, f"{name} cannot be read by this user.", step)
        return
    yield _mode(seen, name)
    if seen.certificates is None:
        step = "write a certificate in PEM form into it, with its chain"
        yield fail(CERTIFICATES, key, f"{name} holds no certificate.", step)
    elif seen.certificates:
        # The first to end ends them all.
        yield of_certificate(key, min(seen.certificates, key=lambda one: one.not_after_seconds), now_seconds)


def of_certificate(key: str, certificate: Certificate, now_seconds: float) -> Finding:
    """Returns the finding about the time of one certificate, with its names."""
    names = f" for {', '.join(certificate.names)}" if certificate.names else ""
    left = certificate.not_after_seconds - now_seconds
    if now_seconds < certificate.not_before_seconds:
        step = "look at the clock of this machine, or wait until it begins"
        begins = _span(certificate.not_before_seconds - now_seconds)
        return fail(CERTIFICATES, key, f"The certificate{names} begins only in {begins}.", step)
    if left <= 0:
        step = "have a new one signed and put it in the same files: processes read them again by themselves"
        return fail(CERTIFICATES, key, f"The certificate{names} expired {_span(-left)} ago.", step)
    lifetime = certificate.not_after_seconds - certificate.not_before_seconds
    if left < min(_SOON_SECONDS, _LEFT_OF_LIFETIME * lifetime):
        step = "renew it; where something should do that by itself, look why it did not"
        return warn(CERTIFICATES, key, f"The certificate{names} expires in {_span(left)}.", step)
    return ok(CERTIFICATES, key, f"The certificate{names} is good for {_span(left)}.")


def _mode(seen: SeenFile, name: str) -> Finding:
    key, mode = seen.file.key, f"{seen.mode & 0o777:04o}"
    if not seen.file.is_secret:
        return ok(FILES, key, f"{name} is there.")
    if seen.mode & _OTHERS:
        step = "make it 0600 (`chmod 600`), and a new secret: others may have it by now"
        return fail(FILES, key, f"Every user of this machine may open the secret {name} (mode {mode}).", step)
    if seen.mode & _GROUP_WRITES:
        step = "make it 0640 or 0600: whoever writes it chooses the secret"
        return warn(FILES, key, f"The group of {name} may write the secret (mode {mode}).", step)
    return ok(FILES, key, f"The secret {name} is kept from others (mode {mode}).")


def _span(seconds: float) -> str:
    if seconds >= 2 * _DAY_SECONDS:
        return f"{seconds / _DAY_SECONDS:.0f} days"
    return f"{seconds / 3600:.1f} hours"
