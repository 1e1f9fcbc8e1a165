"""A transfer record takes two people, each with a key, and one of them to end it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from typer.testing import CliRunner

from deploy.local.stack.errors import StackError
from services.cli.program import app
from services.kernel.clock import SystemClock
from services.runtime.settings import ProcessSettings, load_settings
from services.runtime.transfers.records import TransferRecords

MODEL = {"number": 1, "name": "tiny-eu", "context_tokens": 512, "max_output_tokens": 256}
US_EAST = {"number": 3, "name": "us-east", "country": "US", "jurisdiction": "United States", "is_eu": False}
PEOPLE = {"ada": "requester_key_files", "bea": "approver_key_files", "eve": ""}


class Office:
    """A folder with settings, keys of three people, one of whom nobody knows, and an assessment."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "comptoir.yaml"
        transfers: dict[str, object] = {"folder": str(folder / "transfers")}
        (folder / "transfers").mkdir()
        (folder / "assessment.pdf").write_bytes(b"assessed")
        for name, role in PEOPLE.items():
            key = Ed25519PrivateKey.generate()
            private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (folder / f"{name}.key").write_bytes(private)
            public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (folder / f"{name}.pub").write_bytes(public)
            if role:
                transfers[role] = {name: str(folder / f"{name}.pub")}
        regions = [{"number": 1, "name": "eu-fr"}, US_EAST]
        document = {"catalog": {"regions": regions, "models": [MODEL]}, "transfers": transfers}
        self.config.write_text(yaml.safe_dump(document))

    def run(self, *arguments: str) -> str:
        """What a command prints."""
        command = ["transfer", *arguments, "--config", str(self.config)]
        return CliRunner().invoke(app, command, catch_exceptions=False, standalone_mode=False).stdout

    def request(self, name: str = "ada", **changes: str) -> str:
        """What is printed to who asks for a record."""
        later = datetime.now(UTC) + timedelta(days=30)
        options = {
            "region": "us-east",
            "home": "eu-fr",
            "importer": "Comptoir US, Inc.",
            "mechanism": "scc",
            "assessment": str(self.folder / "assessment.pdf"),
            "until": later.strftime("%Y-%m-%d"),
            **changes,
        }
        told = [part for option, value in options.items() for part in (f"--{option}", value)]
        return self.run("request", "--key", str(self.folder / f"{name}.key"), *told).strip()

    def sign(self, command: str, number: str, name: str) -> str:
        """What is printed to who approves or revokes."""
        return self.run(command, number, "--key", str(self.folder / f"{name}.key"))

    def states(self) -> list[str]:
        """The states of all records."""
        return [row["state"] for row in json.loads(self.run("list", "--json"))["records"]]

    def in_force(self) -> int:
        """The record that a router with these settings goes by."""
        settings = load_settings(ProcessSettings, section="router", path=self.config, environ={})
        return TransferRecords(settings.transfers, SystemClock()).number_for("us-east", "eu-fr")


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_record_is_in_force_from_its_approval_to_its_revocation(office: Office) -> None:
    assert office.request() == "1"
    assert (office.states(), office.in_force()) == (["requested"], 0)
    assert office.sign("approve", "1", "bea") == "Record 1: ada asked, bea approved.\n"
    assert (office.states(), office.in_force()) == (["in force"], 1)
    row = json.loads(office.run("list", "--json"))["records"][0]
    assert (row["region"], row["home_regions"], row["mechanism"]) == ("us-east", ["eu-fr"], "scc")
    assert (row["requester"], row["approver"], row["importer"]) == ("ada", "bea", "Comptoir US, Inc.")
    told = office.run("list")
    assert told.startswith("1  in force\n   us-east for eu-fr, by scc\n   importer Comptoir US, Inc.\n")
    assert told.endswith("asked by ada, approved by bea\n")
    assert office.sign("revoke", "1", "ada") == "Record 1 is revoked by ada.\n"
    assert (office.states(), office.in_force()) == (["revoked"], 0)
    # A number is not given twice.
    assert office.request() == "2"


def test_nobody_signs_what_is_not_theirs(office: Office) -> None:
    for name in ("bea", "eve"):
        with pytest.raises(StackError, match="may ask for"):
            office.request(name)
    office.request()
    for name in ("ada", "eve"):
        with pytest.raises(StackError, match="may approve"):
            office.sign("approve", "1", name)
    with pytest.raises(StackError, match="may revoke"):
        office.sign("revoke", "1", "eve")
    assert office.in_force() == 0


def test_who_holds_both_roles_does_not_approve_what_they_asked_for(office: Office) -> None:
    document = yaml.safe_load(office.config.read_text())
    document["transfers"]["approver_key_files"]["ada"] = str(office.folder / "ada.pub")
    office.config.write_text(yaml.safe_dump(document))
    office.request()
    with pytest.raises(StackError, match="second person"):
        office.sign("approve", "1", "ada")
    assert office.in_force() == 0


@pytest.mark.parametrize(
    "changes", [{"region": "eu-fr"}, {"region": "ae"}, {"home": "eu-pl"}, {"until": "2031-01-01"}]
)
def test_a_record_that_could_permit_nothing_is_refused_at_once(
    office: Office, changes: dict[str, str]
) -> None:
    with pytest.raises(StackError):
        office.request(**changes)
    assert office.states() == []


def test_a_record_that_begins_later_or_has_ended_is_said_to_be_so(office: Office) -> None:
    soon, later = datetime.now(UTC) + timedelta(days=9), datetime.now(UTC) - timedelta(days=9)
    office.request(**{"from": soon.strftime("%Y-%m-%d")})
    office.request(**{"from": "2026-01-01", "until": later.strftime("%Y-%m-%d")})
    for number in ("1", "2"):
        office.sign("approve", number, "bea")
    assert (office.states(), office.in_force()) == (["not yet", "expired"], 0)


def test_what_is_approved_or_revoked_is_not_so_twice(office: Office) -> None:
    office.request()
    office.sign("approve", "1", "bea")
    with pytest.raises(StackError):
        office.sign("approve", "1", "bea")
    office.sign("revoke", "1", "bea")
    with pytest.raises(StackError):
        office.sign("revoke", "1", "bea")
    with pytest.raises(StackError):
        office.sign("approve", "9", "bea")
