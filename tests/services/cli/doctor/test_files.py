"""Modes of secrets and times of certificates."""

import pytest

from services.cli.doctor.facts import Certificate, SeenFile
from services.cli.doctor.files import of_certificate, of_file
from services.cli.doctor.finding import Level
from services.cli.doctor.places import NamedFile

DAY = 86_400
SECRET = NamedFile("router.pepper_file", "/etc/comptoir/pepper", is_secret=True, is_certificate=False)
PUBLIC = NamedFile("router.tls.ca_file", "/etc/comptoir/ca.pem", is_secret=False, is_certificate=True)


@pytest.mark.parametrize(
    ("mode", "level"),
    [
        (0o600, Level.OK),
        (0o400, Level.OK),
        # As Kubernetes gives a secret to the group of a pod.
        (0o440, Level.OK),
        (0o660, Level.WARN),
        (0o644, Level.FAIL),
        (0o602, Level.FAIL),
        (0o100604, Level.FAIL),
    ],
)
def test_a_secret_is_kept_from_others(mode: int, level: Level) -> None:
    (finding,) = of_file(SeenFile(SECRET, mode=mode), now_seconds=0)
    assert finding.level is level
    assert f"{mode & 0o777:04o}" in finding.sentence


def test_a_public_file_may_be_read_by_everyone() -> None:
    certificate = Certificate(("router",), 0, 100 * DAY)
    found = list(of_file(SeenFile(PUBLIC, mode=0o644, certificates=(certificate,)), now_seconds=DAY))
    assert [finding.level for finding in found] == [Level.OK, Level.OK]


def test_a_file_that_is_not_there_or_holds_nothing_fails() -> None:
    (missing,) = of_file(SeenFile(SECRET, exists=False), now_seconds=0)
    assert (missing.level, missing.sentence) == (Level.FAIL, "There is no file pepper.")
    *_, empty = of_file(SeenFile(PUBLIC, mode=0o644, certificates=None), now_seconds=0)
    assert (empty.level, empty.check) == (Level.FAIL, "certificates")
    (hidden,) = of_file(SeenFile(SECRET, is_readable=False), now_seconds=0)
    assert hidden.level is Level.WARN


@pytest.mark.parametrize(
    ("now_days", "ends_days", "level", "says"),
    [
        (0, 365, Level.OK, "is good for 365 days"),
        (340, 365, Level.WARN, "expires in 25 days"),
        (366, 365, Level.FAIL, "expired 24.0 hours ago"),
        (-1, 365, Level.FAIL, "begins only in 24.0 hours"),
        # One that something renews each day is fresh with half a day left, and forgotten with two hours.
        (0.5, 1, Level.OK, "is good for 12.0 hours"),
        (0.9, 1, Level.WARN, "expires in 2.4 hours"),
    ],
)
def test_a_certificate_is_judged_by_its_time(
    now_days: float, ends_days: float, level: Level, says: str
) -> None:
    finding = of_certificate("k", Certificate(("router.example", "r2"), 0, ends_days * DAY), now_days * DAY)
    assert finding.level is level
    assert f"for router.example, r2 {says}" in finding.sentence


def test_of_a_chain_the_first_to_end_counts() -> None:
    chain = (Certificate(("leaf",), 0, 400 * DAY), Certificate(("middle",), 0, 10 * DAY))
    *_, finding = of_file(SeenFile(PUBLIC, mode=0o644, certificates=chain), now_seconds=11 * DAY)
    assert (finding.level, "middle" in finding.sentence) == (Level.FAIL, True)
