"""Transfer records as people make them: asked for, approved and revoked, each in a file of the folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from deploy.local.stack.errors import StackError
from services.contract.transfer import (
    RECORD_TYPE,
    REVOCATION_TYPE,
    Revocation,
    TransferRecord,
    digest_of,
)
from services.kernel.catalog import Catalog, Region
from services.runtime.new_file import new_file
from services.runtime.settings import ProcessSettings, environment, load_settings
from services.runtime.settings_error import SettingsError
from services.runtime.transfers.envelope import Envelope
from services.runtime.transfers.folder import (
    Entry,
    State,
    read_envelope,
    read_folder,
    record_file,
    revocation_file,
)
from services.runtime.transfers.people import People, private_key


@dataclass(frozen=True, slots=True)
class TransferFiles:
    """The folder of a deployment's records, its people, and the regions that a record may be about."""

    folder: Path
    people: People
    catalog: Catalog

    @classmethod
    def of(cls, config: Path) -> Self:
        """Returns what the settings file says; StackError where it says nothing usable."""
        try:
            settings = load_settings(ProcessSettings, section="transfer", path=config, environ=environment())
            people = People.of(settings.transfers)
        except SettingsError as error:
            raise StackError(str(error)) from None
        if settings.transfers.folder is None:
            raise StackError(f"{config.name} has no transfers.folder.")
        return cls(settings.transfers.folder, people, settings.catalog)

    def entries(self) -> dict[int, Entry]:
        """Returns what the folder holds, by number."""
        try:
            return read_folder(self.folder, self.people)
        except OSError:
            raise StackError("The folder of transfer records cannot be read.") from None

    def region_abroad(self, name: str) -> Region:
        """Returns a region that needs a record; StackError for any other name."""
        region = self.catalog.region_by_name(name)
        if region is None or region.is_eu:
            raise StackError("That is no region of the catalog outside the European Union.")
        return region

    def free_number(self) -> int:
        """Returns a number that no record has or had, as far as the folder knows."""
        return max(self.entries(), default=0) + 1

    def request(self, record: TransferRecord, key_file: Path) -> str:
        """Writes a record with the signature of who asks for it; returns who that is."""
        key, name = self._signer(key_file, self.people.requesters, "ask for")
        if {record.region, *record.home_regions} - {region.name for region in self.catalog.regions}:
            raise StackError("A home region is not in the catalog.")
        _create(record_file(self.folder, record.number), _signed(RECORD_TYPE, record.payload(), name, key))
        return name

    def approve(self, number: int, key_file: Path) -> Entry:
        """Adds the signature of another person; returns the record as it then is."""
        key, name = self._signer(key_file, self.people.approvers, "approve")
        entry = self.entries().get(number)
        path = record_file(self.folder, number)
        envelope = read_envelope(path)
        if entry is None or envelope is None or entry.state is not State.REQUESTED:
            raise StackError("Nobody who may ask has asked for that record, or it is approved or revoked.")
        approved = envelope.signed(name, key)
        if self.people.requesters.get(entry.requester) == key.public_key() or entry.requester == name:
            raise StackError("Who asked for a record does not approve it: that takes a second person.")
        _replace(path, approved.to_json())
        return self.entries()[number]

    def revoke(self, number: int, now_seconds: int, key_file: Path) -> str:
        """Ends a record for good; returns who did."""
        key, name = self._signer(key_file, self.people.everyone, "revoke")
        envelope = read_envelope(record_file(self.folder, number))
        if envelope is None:
            raise StackError("There is no record of that number.")
        digest = digest_of(envelope.payload)
        ended = Revocation(number=number, record_sha256=digest, at_seconds=now_seconds)
        content = _signed(REVOCATION_TYPE, ended.payload(), name, key)
        _create(revocation_file(self.folder, number), content)
        return name

    def _signer(
        self, key_file: Path, people: Mapping[str, Ed25519PublicKey], what: str
    ) -> tuple[Ed25519PrivateKey, str]:
        try:
            key = private_key(key_file)
        except SettingsError as error:
            raise StackError(str(error)) from None
        public = key.public_key()
        for name, known in people.items():
            if known == public:
                return key, name
        raise StackError(f"The settings name nobody with that key who may {what} a transfer record.")


def _signed(kind: str, payload: bytes, name: str, key: Ed25519PrivateKey) -> bytes:
    return Envelope(kind, payload).signed(name, key).to_json()


def _create(path: Path, content: bytes) -> None:
    """Writes a file that is there whole or not at all; StackError where it is there already."""
    if path.exists():
        raise StackError(f"{path.name} is there already.")
    try:
        with new_file(path) as aside:
            aside.write_bytes(content)
            # Routers and replicas read it as users of their own; nothing of it is a secret.
            aside.chmod(0o644)
    except OSError:
        raise StackError("The folder of transfer records cannot be written.") from None


def _replace(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.approving")
    try:
        aside.write_bytes(content)
        aside.chmod(0o644)
        aside.replace(path)
    except OSError:
        raise StackError("The folder of transfer records cannot be written.") from None
