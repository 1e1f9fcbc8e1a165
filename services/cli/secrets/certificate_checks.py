"""What is wrong with the certificates and keys of a folder of secrets; pure but for cryptography."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from services.cli.doctor.finding import Finding, fail, warn
from services.cli.secrets import certificates, layout
from services.cli.secrets.certificates import NoKeyError
from services.cli.secrets.layout import Names

AUTHORITY: Final = "authority"
CERTIFICATES: Final = "certificates"
_DAY_SECONDS: Final = 86_400
# What `renew` signs by default: from then on, certificates end with their authority.
_LEAF_SECONDS: Final = 365 * _DAY_SECONDS
_RENEW: Final = "`comptoir secrets renew` signs another one"
_ADD: Final = "begin another one: `comptoir secrets authority add`"
_BACKUP: Final = "put it back from your backup"
_MOST_AUTHORITIES: Final = 2


@dataclass(frozen=True, slots=True)
class CertificateChecks:
    """Looks at files by their content; what is missing is not among them, and said elsewhere."""

    contents: Mapping[str, bytes]
    # None where names.yaml cannot be read.
    names: Names | None
    now_seconds: float
    below_seconds: float

    def findings(self) -> Iterator[Finding]:
        """Yields what is wrong, and what will be."""
        believed = yield from self._authority()
        wanted = {bearer.folder: self._bearer_names(bearer) for bearer in layout.BEARERS}
        wanted[layout.EDGE_HTTP] = None if self.names is None else frozenset(self.names.edge_http)
        for folder, said in wanted.items():
            yield from self._of_folder(folder, said, believed)

    def _bearer_names(self, bearer: layout.Bearer) -> frozenset[str] | None:
        if self.names is None:
            return None
        return frozenset({*bearer.dns_names(self.names), bearer.uri(self.names)})

    def _authority(self) -> Generator[Finding, None, tuple[bytes, ...]]:
        """Yields findings, and returns who is believed, the one that signs first."""
        bundle, subject = self.contents.get(layout.CA_CERTIFICATE), layout.CA_CERTIFICATE
        if bundle is None:
            return ()
        try:
            believed = certificates.each_of(bundle)
        except NoKeyError:
            yield fail(AUTHORITY, subject, "It holds no certificate, or a damaged one.", _BACKUP)
            return ()
        if not all(map(certificates.is_authority, believed)):
            yield fail(AUTHORITY, subject, "It holds a certificate that may sign nothing.", _BACKUP)
        yield from self._keys(believed)
        yield from self._end_of_authority(believed[0])
        if len(believed) > _MOST_AUTHORITIES:
            yield fail(AUTHORITY, subject, "It holds more than two certificates.", _BACKUP)
        elif len(believed) > 1:
            is_used = layout.FORMER_CA_KEY in self.contents or certificates.is_newest(believed[0], believed)
            is_next = layout.NEXT_CA_KEY in self.contents or not is_used
            step = f"`comptoir secrets authority {'use' if is_next else 'retire'}`, once all have read this"
            yield warn(AUTHORITY, subject, "A rotation is under way: two authorities are believed.", step)
        return believed

    def _keys(self, believed: tuple[bytes, ...]) -> Iterator[Finding]:
        key = self.contents.get(layout.CA_KEY)
        if key is None:
            step = "nothing; put it back when something has to be signed"
            yield warn(AUTHORITY, layout.CA_KEY, "It is not there: kept elsewhere, as it should be.", step)
        for name, at in ((layout.CA_KEY, believed[:1]), (layout.NEXT_CA_KEY, believed[1:])):
            key = self.contents.get(name)
            if key is None:
                continue
            try:
                is_ours = certificates.of_key(at, key) is not None
            except NoKeyError:
                yield fail(AUTHORITY, name, "It holds no private key, or a damaged one.", _BACKUP)
                continue
            if not is_ours and name == layout.CA_KEY:
                step = f"{_BACKUP}; while a rotation is under way: repeat its step"
                yield fail(AUTHORITY, name, "It is not the key of the first certificate in ca.crt.", step)
            elif not is_ours:
                step = "`comptoir secrets authority add` once more"
                yield fail(AUTHORITY, name, "ca.crt does not hold its certificate.", step)

    def _end_of_authority(self, signer: bytes) -> Iterator[Finding]:
        yield from self._time(AUTHORITY, layout.CA_CERTIFICATE, signer, _ADD)
        left = certificates.seconds_left(signer, self.now_seconds)
        if self.below_seconds <= left < _LEAF_SECONDS:
            sentence = f"It ends in {left / _DAY_SECONDS:.0f} days, and no certificate outlives it."
            yield warn(AUTHORITY, layout.CA_CERTIFICATE, sentence, _ADD)

    def _of_folder(
        self, folder: str, said: frozenset[str] | None, believed: tuple[bytes, ...]
    ) -> Iterator[Finding]:
        shown, key = f"{folder}/tls.crt", f"{folder}/tls.key"
        certificate, private = self.contents.get(shown), self.contents.get(key)
        if certificate is not None:
            try:
                yield from self._of_certificate(shown, certificate, said, believed)
            except NoKeyError:
                yield fail(CERTIFICATES, shown, "It holds no certificate, or a damaged one.", _RENEW)
                certificate = None
        if private is not None:
            yield from self._of_key(key, private, shown, certificate)
        yield from self._copies(folder, certificate, private)

    def _of_certificate(
        self, name: str, certificate: bytes, said: frozenset[str] | None, believed: tuple[bytes, ...]
    ) -> Iterator[Finding]:
        certificates.check_certificate(certificate)
        yield from self._time(CERTIFICATES, name, certificate, _RENEW)
        if said is not None and certificates.names_of(certificate) != said:
            yield fail(CERTIFICATES, name, "It says other names than follow from names.yaml.", _RENEW)
        if certificates.is_authority(certificate) or not certificates.is_for_both_sides(certificate):
            yield fail(CERTIFICATES, name, "It is not one of a server and caller.", _RENEW)
        if believed and not certificates.is_signed_by(certificate, believed[0]):
            is_former = any(certificates.is_signed_by(certificate, one) for one in believed[1:])
            by = "by the former authority" if is_former else "by no authority in ca.crt"
            yield fail(CERTIFICATES, name, f"It was signed {by}.", _RENEW)

    def _of_key(self, name: str, private: bytes, shown: str, certificate: bytes | None) -> Iterator[Finding]:
        try:
            if certificate is None:
                certificates.check_key(private)
            elif not certificates.fits(private, certificate):
                yield fail(CERTIFICATES, shown, f"It is of another key than {name}.", _RENEW)
        except NoKeyError:
            step = f"{_BACKUP}; or remove it, and `comptoir secrets init` makes another one"
            yield fail(CERTIFICATES, name, "It holds no private key, or a damaged one.", step)

    def _copies(self, folder: str, certificate: bytes | None, private: bytes | None) -> Iterator[Finding]:
        wanted = {f"{folder}/ca.crt": self.contents.get(layout.CA_CERTIFICATE)}
        if certificate is not None and private is not None:
            wanted[f"{folder}/tls.pem"] = private + certificate
        for name, content in wanted.items():
            found = self.contents.get(name)
            if found is not None and content is not None and found != content:
                of = "ca.crt" if name.endswith("ca.crt") else f"{folder}/tls.key and tls.crt"
                step = "`comptoir secrets renew` writes it anew"
                yield fail(CERTIFICATES, name, f"It does not hold what {of} holds.", step)

    def _time(self, check: str, name: str, certificate: bytes, step: str) -> Iterator[Finding]:
        begins = certificates.seconds_until_good(certificate, self.now_seconds)
        left = certificates.seconds_left(certificate, self.now_seconds)
        if begins > 0:
            clock = "look at the clock of this machine"
            yield fail(check, name, f"It begins only in {begins / 3600:.1f} hours.", clock)
        elif left <= 0:
            yield fail(check, name, f"It ended {-left / _DAY_SECONDS:.0f} days ago.", step)
        elif left < self.below_seconds:
            yield fail(check, name, f"It ends in {left / _DAY_SECONDS:.0f} days.", step)
