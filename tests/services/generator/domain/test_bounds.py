from services.generator.domain.bounds import Bounds


def test_a_hang_is_noticed_long_after_the_load_was_last_reported() -> None:
    bounds = Bounds()
    assert bounds.load_event_interval_seconds * 2 < bounds.engine_hang_seconds
