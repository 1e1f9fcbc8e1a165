"""What is wrong with a kind of event is said with its number; nothing wrong is nothing said."""

from dataclasses import replace

from services.console.domain.completeness import Kind, Stored

WELL = Kind("generation", 1_000, 0, 0, 0, 0, 2, "")


def test_a_store_without_faults_is_complete() -> None:
    assert WELL.faults == ()
    assert Stored((WELL,), 14).is_complete
    assert Stored((), 14).behind_seconds == 0


def test_each_fault_is_said() -> None:
    kind = replace(WELL, missing_rows=1_200, overdue_rows=3, paused_for="store_refused", behind_seconds=90)
    assert kind.faults == ("1,200 missing", "3 overdue", "paused: store refused")
    found = Stored((WELL, kind), 14)
    assert not found.is_complete
    assert found.behind_seconds == 90
