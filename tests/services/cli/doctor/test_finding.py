"""Findings are counted by level."""

from services.cli.doctor.finding import counts_of, fail, ok, warn


def test_every_level_is_counted_those_with_none_too() -> None:
    assert counts_of([]) == {"ok": 0, "warn": 0, "fail": 0}
    found = [ok("a", "b", "c"), fail("a", "b", "c", "d"), ok("a", "b", "c"), warn("a", "b", "c", "d")]
    assert counts_of(found) == {"ok": 2, "warn": 1, "fail": 1}
