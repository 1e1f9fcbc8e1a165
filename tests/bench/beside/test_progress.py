from tests.bench.beside.progress import Progress, clock_of


def test_what_is_left_is_corrected_by_how_long_the_first_pieces_took() -> None:
    now = [0.0]
    shown: list[str] = []
    progress = Progress(600.0, lambda: now[0], shown.append)
    assert progress.left_seconds == 600
    now[0] = 120.0
    progress.done(60.0)
    assert progress.left_seconds == 1080
    progress.say("round 1")
    assert shown == ["[2:00, about 18:00 left] round 1"]


def test_more_than_was_planned_is_never_less_than_nothing_left() -> None:
    now = [0.0]
    progress = Progress(10.0, lambda: now[0], print)
    now[0] = 30.0
    progress.done(20.0)
    assert progress.left_seconds == 0


def test_seconds_are_shown_as_minutes() -> None:
    assert [clock_of(seconds) for seconds in (0, 59.6, 3599)] == ["0:00", "1:00", "59:59"]
