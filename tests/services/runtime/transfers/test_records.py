"""Records come into force and out of it while a process runs; what is unclear permits nothing."""

import asyncio
import shutil
from pathlib import Path

import pytest

from services.contract.transfer import REVOCATION_TYPE
from services.kernel.clock import ManualClock
from services.runtime.settings_error import SettingsError
from services.runtime.transfer_settings import TransferSettings
from services.runtime.transfers import records as module
from services.runtime.transfers.folder import record_file, revocation_file
from services.runtime.transfers.records import TransferRecords
from tests.services.contract.test_transfer import RECORD
from tests.services.runtime.metrics.collecting import collected
from tests.services.runtime.transfers.signing import put, revoke, settings_in

LATER = RECORD.model_copy(update={"number": 9, "until_seconds": 3_000})


class Followed:
    """A folder, and the records of a process that follows it."""

    def __init__(self, folder: Path) -> None:
        settings = settings_in(folder)
        assert settings.folder is not None
        self.folder, self.clock = settings.folder, ManualClock()
        self.at(1_500)
        self.records = TransferRecords(settings, self.clock)

    def at(self, seconds: float) -> None:
        self.clock.advance(seconds - self.clock.wall_microseconds() / 1e6)

    def number(self) -> int:
        self.records.look()
        return self.records.number_for("us-east", "eu-fr")


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


def test_a_record_that_two_signed_is_in_force_from_when_to_when_it_says(followed: Followed) -> None:
    assert followed.number() == 0
    put(followed.folder, "ada", "bea")
    assert followed.number() == 7
    assert followed.records.permits(7, "us-east", "eu-fr")
    assert not followed.records.permits(7, "us-east", "eu-pl")
    assert not followed.records.permits(8, "us-east", "eu-fr")
    followed.at(2_000)
    assert followed.number() == 0
    assert not followed.records.permits(7, "us-east", "eu-fr")


@pytest.mark.parametrize(
    "names", [(), ("ada",), ("bea",), ("ada", "ada"), ("eve", "bea"), ("ada", "eve"), ("eve",)]
)
def test_nobody_alone_and_no_stranger_brings_one_into_force(
    followed: Followed, names: tuple[str, ...]
) -> None:
    put(followed.folder, *names)
    assert followed.number() == 0


def test_one_person_under_both_roles_is_one_person(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    files = {"ada": tmp_path / "ada.pub", "other": tmp_path / "ada.pub"}
    both = settings.model_copy(update={"requester_key_files": files, "approver_key_files": files})
    assert both.folder is not None
    put(both.folder, "ada", "ada")
    clock = ManualClock()
    clock.advance(1_500 - clock.wall_microseconds() / 1e6)
    assert TransferRecords(both, clock).number_for("us-east", "eu-fr") == 0


def test_a_revocation_ends_it_at_once_and_for_good(followed: Followed) -> None:
    put(followed.folder, "ada", "bea")
    assert followed.number() == 7
    revoke(followed.folder, "ada")
    assert followed.number() == 0
    # Who takes the revocation away does not bring the record back.
    revocation_file(followed.folder, 7).unlink()
    assert followed.number() == 0


def test_a_revocation_that_cannot_be_read_revokes_too(followed: Followed) -> None:
    put(followed.folder, "ada", "bea")
    revocation_file(followed.folder, 7).write_text("half a fi")
    assert followed.number() == 0


def test_a_file_that_is_gone_permits_nothing_and_neither_does_a_folder(followed: Followed) -> None:
    put(followed.folder, "ada", "bea")
    assert followed.number() == 7
    record_file(followed.folder, 7).unlink()
    assert followed.number() == 0
    put(followed.folder, "ada", "bea")
    assert followed.number() == 7
    shutil.rmtree(followed.folder)
    assert followed.number() == 0
    followed.folder.mkdir()
    put(followed.folder, "ada", "bea")
    assert followed.number() == 7


def test_a_record_under_another_number_or_of_another_type_is_none(followed: Followed) -> None:
    put(followed.folder, "ada", "bea")
    record_file(followed.folder, 7).rename(record_file(followed.folder, 8))
    assert followed.number() == 0
    put(followed.folder, "ada", "bea", kind=REVOCATION_TYPE)
    assert followed.number() == 0


def test_of_two_the_one_that_lasts_longer_is_used(followed: Followed) -> None:
    put(followed.folder, "ada", "bea")
    put(followed.folder, "ada", "bea", record=LATER)
    assert followed.number() == 9
    revoke(followed.folder, "bea", LATER)
    assert followed.number() == 7


def test_a_folder_that_holds_too_much_permits_nothing(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(followed.folder, "ada", "bea")
    monkeypatch.setattr("services.runtime.transfers.folder.MAX_FILES", 1)
    put(followed.folder, "ada", "bea", record=LATER)
    assert followed.number() == 0


def test_without_a_folder_there_is_none_and_a_broken_public_key_is_said(tmp_path: Path) -> None:
    assert TransferRecords(TransferSettings(), ManualClock()).number_for("us-east", "eu-fr") == 0
    broken = tmp_path / "ada.pub"
    broken.write_text("-----BEGIN PUBLIC KEY-----")
    with pytest.raises(SettingsError, match=r"ada\.pub"):
        TransferRecords(TransferSettings(requester_key_files={"ada": broken}), ManualClock())


async def test_changes_are_noticed_while_it_runs(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    following = asyncio.create_task(followed.records.follow())
    put(followed.folder, "ada", "bea")
    async with asyncio.timeout(10):
        while not followed.records.number_for("us-east", "eu-fr"):  # noqa: ASYNC110 - it can only be asked
            await asyncio.sleep(0)
    following.cancel()


def test_the_time_that_is_left_to_a_record_is_a_metric_while_it_is_in_force(tmp_path: Path) -> None:
    with collected() as shown:
        followed = Followed(tmp_path)
        left = "comptoir.transfer.record_expires_in"
        assert shown.value(left, record="7") is None
        put(followed.folder, "ada", "bea")
        assert followed.number() == 7
        assert shown.value(left, record="7") == 500
        followed.at(2_000)
        assert shown.value(left, record="7") is None
