"""One sentence says what an operator has to know first."""

from services.console.domain.health import Health, Process, State

READY = Process("edge", State.READY)


def test_all_ready_is_said_with_their_number() -> None:
    assert Health((READY,)).sentence == "All 1 processes are ready."


def test_who_is_not_ready_is_named_with_the_reason() -> None:
    health = Health((READY, Process("usage", State.UNREADY, "log away"), Process("router", State.SILENT)))
    assert health.sentence == "2 of 3 processes are not ready. usage: log away; router: no answer."
    assert [each.name for each in health.ill] == ["usage", "router"]
