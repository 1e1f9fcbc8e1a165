"""People with keys, and a folder in which they sign transfer records."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.contract.transfer import RECORD_TYPE, REVOCATION_TYPE, Revocation, TransferRecord, digest_of
from services.runtime.transfer_settings import TransferSettings
from services.runtime.transfers.envelope import Envelope
from services.runtime.transfers.folder import record_file, revocation_file
from tests.services.contract.test_transfer import RECORD

PEOPLE = {
    name: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
    for number, name in enumerate(("ada", "bea", "eve"), 1)
}


def settings_in(folder: Path) -> TransferSettings:
    """ada may ask and bea may approve; nobody knows eve."""
    for name, key in PEOPLE.items():
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub").write_bytes(pem)
    (folder / "transfers").mkdir()
    return TransferSettings(
        folder=folder / "transfers",
        requester_key_files={"ada": folder / "ada.pub"},
        approver_key_files={"bea": folder / "bea.pub"},
    )


def signed(record: TransferRecord, *names: str, kind: str = RECORD_TYPE) -> Envelope:
    """The record's envelope with the signatures of some."""
    envelope = Envelope(kind, record.payload())
    for name in names:
        envelope = envelope.signed(name, PEOPLE[name])
    return envelope


def put(folder: Path, *names: str, record: TransferRecord = RECORD, kind: str = RECORD_TYPE) -> None:
    """Writes a record that some have signed."""
    record_file(folder, record.number).write_bytes(signed(record, *names, kind=kind).to_json())


def revoke(folder: Path, name: str, record: TransferRecord = RECORD) -> None:
    """Writes its revocation."""
    ended = Revocation(number=record.number, record_sha256=digest_of(record.payload()), at_seconds=1_500)
    envelope = Envelope(REVOCATION_TYPE, ended.payload()).signed(name, PEOPLE[name])
    revocation_file(folder, record.number).write_bytes(envelope.to_json())
