from services.generator.domain.readiness import Readiness


def test_a_replica_that_no_router_knows_is_not_ready() -> None:
    readiness = Readiness()
    assert not readiness.look(is_registered=False, now_seconds=0)
    assert readiness.look(is_registered=True, now_seconds=1)


def test_a_router_that_restarts_makes_no_replica_unready_but_one_that_stays_away_does() -> None:
    readiness = Readiness(patience_seconds=5)
    assert readiness.look(is_registered=True, now_seconds=10)
    assert readiness.look(is_registered=False, now_seconds=15)
    assert not readiness.look(is_registered=False, now_seconds=15.1)
    assert readiness.look(is_registered=True, now_seconds=16)
    assert readiness.look(is_registered=False, now_seconds=21)
