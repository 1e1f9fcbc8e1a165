from services.generator.domain.registration_watch import RegistrationWatch


def test_a_replica_that_no_router_knows_is_not_ready() -> None:
    watch = RegistrationWatch()
    assert not watch.look(is_registered=False, now_seconds=0)
    assert watch.look(is_registered=True, now_seconds=1)


def test_a_router_that_restarts_makes_no_replica_unready_but_one_that_stays_away_does() -> None:
    watch = RegistrationWatch(patience_seconds=5)
    assert watch.look(is_registered=True, now_seconds=10)
    assert watch.look(is_registered=False, now_seconds=15)
    assert not watch.look(is_registered=False, now_seconds=15.1)
    assert watch.look(is_registered=True, now_seconds=16)
    assert watch.look(is_registered=False, now_seconds=21)
