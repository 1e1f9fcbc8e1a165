from services.emitter.domain.outage import Ended, Outage


def test_an_outage_is_news_once_and_once_more_for_another_cause() -> None:
    outage = Outage()
    assert outage.fail("load", "away", 10.0)
    assert not outage.fail("edge", "away", 11.0)
    assert not outage.fail("load", "away", 12.0)
    assert outage.fail("load", "full", 13.0)
    assert not outage.fail("load", "full", 14.0)


def test_it_has_ended_when_all_that_failed_succeed_and_the_next_one_is_news() -> None:
    outage = Outage()
    outage.fail("load", "away", 10.0)
    outage.fail("edge", "away", 11.0)
    assert outage.succeed("probe", 12.0) is None
    assert outage.succeed("edge", 13.0) is None
    outage.fail("edge", "away", 14.0)
    assert outage.succeed("edge", 15.0) is None
    assert outage.succeed("load", 17.5) == Ended(attempts=3, duration_seconds=7.5)
    assert outage.succeed("load", 18.0) is None
    assert outage.fail("load", "away", 20.0)
    assert outage.succeed("load", 20.0) == Ended(attempts=1, duration_seconds=0.0)
