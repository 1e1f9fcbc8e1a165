"""Makes what is missing in a folder of secrets, and renews certificates that end; overwrites no secret."""

import secrets
from dataclasses import dataclass, field
from typing import Final

import yaml
from pydantic import ValidationError

from deploy.local.stack.errors import StackError
from services.cli.problems import first_problem
from services.cli.secrets import certificates, layout
from services.cli.secrets.certificates import NoKeyError, Wanted
from services.cli.secrets.derived import SOURCES, derived
from services.cli.secrets.folder import SecretFiles
from services.cli.secrets.layout import Names
from services.cli.secrets.signing import Authority, Signing

UNREADABLE: Final = (
    "A key or certificate in that folder cannot be read: `comptoir secrets check` says which; "
    "put it back from your backup, or remove it and run this again."
)
_BYTES: Final = 32
_DAY_SECONDS: Final = 86_400


@dataclass(slots=True)
class SecretsMaking:
    """One run on one folder; `made` and `renewed` say afterwards which files it wrote, and no content."""

    files: SecretFiles
    now_seconds: float
    days: float
    made: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    # Whether a certificate is good for shorter than was asked, since its authority ends before.
    is_cut_short: bool = False

    def init(self, chosen: Names) -> None:
        """Makes every file that is missing; what a run before was interrupted in is finished."""
        # In this order: another run that made files meanwhile made names.yaml before them.
        if self.files.has_anything() and self.files.read(layout.NAMES) is None:
            raise StackError(
                "That folder holds other files and no names.yaml: name one that is empty or not there; "
                "if secrets are in it, put names.yaml back from your backup."
            )
        with self.files.alone():
            self._choose(chosen)
            self.make_all(renew_below_seconds=None)

    def renew(self, below_seconds: float, *, until_authority_ends: bool = False) -> None:
        """Has certificates signed anew that end within `below_seconds` or have other names than now.

        Where the authority itself ends within that time, only if `until_authority_ends`.
        """
        if self.files.read(layout.NAMES) is None:
            raise StackError("That is no folder of secrets: `comptoir secrets init` makes one.")
        with self.files.alone():
            self.make_all(renew_below_seconds=below_seconds, until_authority_ends=until_authority_ends)

    def _choose(self, chosen: Names) -> None:
        if self.files.read(layout.NAMES) is None:
            content = yaml.safe_dump(chosen.model_dump(mode="json"), sort_keys=False)
            self._make(layout.NAMES, content.encode())
        elif read_names(self.files) != chosen:
            raise StackError(
                "That folder has certificates of other names: leave the options out, or change names.yaml "
                "in it and run `comptoir secrets renew`."
            )

    def make_all(self, *, renew_below_seconds: float | None, until_authority_ends: bool = True) -> None:
        """Makes what is missing and what is due, in a folder that nobody else changes meanwhile."""
        names = read_names(self.files)
        try:
            signing = Signing(self._authority(), renew_below_seconds)
            if not until_authority_ends:
                signing.check_is_worth_it(self.now_seconds)
            for bearer in layout.BEARERS:
                wanted = self._wanted(bearer.name, bearer.dns_names(names), bearer.uri(names))
                self._certificate(bearer.folder, wanted, signing)
            self._certificate(layout.EDGE_HTTP, self._wanted("edge", names.edge_http, ""), signing)
        except NoKeyError:
            raise StackError(UNREADABLE) from None
        self._random()
        self._following()

    def _authority(self) -> Authority:
        key, bundle = self.files.read(layout.CA_KEY), self.files.read(layout.CA_CERTIFICATE)
        if bundle is not None:
            return Authority.of(key, bundle)
        if key is None:
            if any(self.files.read(f"{bearer.folder}/tls.crt") for bearer in layout.BEARERS):
                raise StackError(
                    "ca.crt and authority/ca.key are missing, and certificates that they signed are there: "
                    "put them back from your backup; with new ones every certificate would have to be new."
                )
            key = self._make(layout.CA_KEY, certificates.new_key(), is_kept=True)
        content = self._make(layout.CA_CERTIFICATE, certificates.authority(key, self.now_seconds))
        return Authority.of(key, content)

    def _certificate(self, folder: str, wanted: Wanted, signing: Signing) -> None:
        path = f"{folder}/tls.crt"
        key = self.files.read(f"{folder}/tls.key")
        old = _readable(self.files.read(path))
        if key is None:
            # A certificate without its key is of no use to anybody.
            key, old = self._make(f"{folder}/tls.key", certificates.new_key()), None
        if old is None or signing.is_due(old, wanted) or not certificates.fits(key, old):
            new = signing.signed(key, wanted)
            self._put(path, new)
            self.is_cut_short |= (
                certificates.seconds_left(new, self.now_seconds) < wanted.days * _DAY_SECONDS - 1
            )
        if folder != layout.EDGE_HTTP:
            self._put(f"{folder}/ca.crt", signing.authority.bundle)
        if folder in layout.IN_ONE_FILE:
            self._put(f"{folder}/tls.pem", key + (self.files.read(path) or b""))

    def _random(self) -> None:
        for name in layout.RANDOM:
            if self.files.read(name) is None:
                self._make(name, f"{secrets.token_bytes(_BYTES).hex()}\n".encode())

    def _following(self) -> None:
        for name, source in SOURCES.items():
            self._put(name, derived(name, self._secret(source)))

    def _secret(self, name: str) -> str:
        content = (self.files.read(name) or b"").decode("ascii", "replace").strip()
        if not layout.is_hex_secret(content):
            raise StackError(f"{name} does not hold 32 bytes as hex: put it back from your backup.")
        return content

    def _wanted(self, name: str, dns_names: tuple[str, ...], uri: str) -> Wanted:
        return Wanted(name, dns_names, uri, self.now_seconds, self.days)

    def _make(self, name: str, content: bytes, *, is_kept: bool = False) -> bytes:
        self.files.make(name, content, is_kept=is_kept)
        self.made.append(name)
        return content

    def _put(self, name: str, content: bytes) -> None:
        """Writes what follows from other files of the folder, where it is not so already."""
        old = self.files.read(name)
        if old is None:
            self._make(name, content)
        elif old != content:
            self.files.replace(name, content)
            self.renewed.append(name)


def _readable(certificate: bytes | None) -> bytes | None:
    """Returns a certificate that is one: what holds none is no secret, and is made anew."""
    if certificate is None:
        return None
    try:
        certificates.check_certificate(certificate)
    except NoKeyError:
        return None
    return certificate


def read_names(files: SecretFiles) -> Names:
    """Returns `names.yaml`; StackError where it breaks a rule."""
    try:
        return Names.model_validate(yaml.safe_load(files.read(layout.NAMES) or b""))
    except ValidationError as error:
        raise StackError(f"names.yaml: {first_problem(error, 'the file')}") from None
    except yaml.YAMLError:
        raise StackError("names.yaml is no YAML.") from None
