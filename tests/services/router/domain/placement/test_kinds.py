"""Which of a model's replicas may serve a request: its tenant's or everybody's, with what it needs."""

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.engine_features import ALL_FEATURES
from services.router.domain.placement.kinds import NO_KINDS, Kind, KindCounts, Requirement, reach_of

TENANTS, FEATURES = st.integers(0, 3), st.integers(0, 7)
KINDS = st.builds(Kind, TENANTS, FEATURES)


def test_everybodys_replica_serves_a_tenant_and_another_tenants_does_not() -> None:
    assert Kind().may_serve(Requirement(tenant=5))
    assert Kind(tenant=5).may_serve(Requirement(tenant=5))
    assert not Kind(tenant=6).may_serve(Requirement(tenant=5))


def test_an_engine_serves_what_needs_no_more_than_it_has() -> None:
    assert Kind(features=3).may_serve(Requirement(needs=2))
    assert not Kind(features=3).may_serve(Requirement(needs=6))
    assert Kind().may_serve(Requirement(needs=ALL_FEATURES))


@given(st.frozensets(KINDS), st.builds(Requirement, st.integers(1, 3), FEATURES), FEATURES)
def test_who_needs_more_reaches_no_more(kinds: frozenset[Kind], required: Requirement, more: int) -> None:
    reach = reach_of(kinds, required)
    assert reach <= kinds
    assert reach_of(kinds, required._replace(needs=required.needs | more)) <= reach


@given(st.lists(KINDS))
def test_a_kind_is_known_while_a_replica_of_it_is_registered(registered: list[Kind]) -> None:
    counts = KindCounts()
    for kind in registered:
        counts.add(1, kind)
    assert counts.of(1) == frozenset(registered)
    for number, kind in enumerate(registered):
        counts.remove(1, kind)
        assert counts.of(1) == frozenset(registered[number + 1 :])
    assert counts.of(2) == NO_KINDS
