"""Bounds that depend on one another keep their order."""

import pytest
from pydantic import ValidationError

from services.generator.domain.bounds import Bounds


def test_a_hang_is_noticed_long_after_the_load_was_last_reported() -> None:
    bounds = Bounds()
    assert bounds.load_event_interval_seconds * 2 < bounds.engine_hang_seconds


def test_samples_come_often_enough_that_one_may_be_lost_and_the_replica_has_its_cost() -> None:
    # A replica whose next sample is more than five minutes away is gone to the views of cost.
    assert 2 * Bounds(load_event_interval_seconds=150).load_event_interval_seconds <= 300
    with pytest.raises(ValidationError, match="load_event_interval_seconds"):
        Bounds(load_event_interval_seconds=151)
