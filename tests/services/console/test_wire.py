"""Messages of the router become what the page shows, also those of a router that knows less."""

from comptoir.router.v1 import admin_pb2

from services.console import wire


def test_a_replica_is_told_with_shares_and_seconds() -> None:
    answer = admin_pb2.ListReplicasResponse(
        replicas=[
            admin_pb2.Replica(
                number=4,
                model="f3",
                region="eu-fr",
                state=admin_pb2.REPLICA_STATE_DRAINING,
                kv_usage_permille=250,
                report_age_milliseconds=1500,
            )
        ],
        routers_with_own_quotas=2,
    )
    fleet = wire.fleet(answer)
    (replica,) = fleet.replicas
    assert (replica.state, replica.kv_usage, replica.report_age_seconds) == ("draining", 0.25, 1.5)
    assert fleet.routers_with_own_quotas == 2


def test_it_says_why_batch_is_held_back() -> None:
    held = admin_pb2.BATCH_HOLD_PEAK_WINDOW
    states = [
        admin_pb2.BatchState(model="a"),
        admin_pb2.BatchState(model="b", held_by=held, peak_left_seconds=60),
        admin_pb2.BatchState(model="c", held_by=held, interactive_ttft_p95_milliseconds=1500),
        admin_pb2.BatchState(model="d", held_by=held),
    ]
    said = [hold.why for hold in wire.fleet(admin_pb2.ListReplicasResponse(batch=states)).holds]
    assert said == [
        "",
        "a peak window, 1 min more",
        "interactive requests wait 1.50 s (p95)",
        "interactive requests wait for a replica",
    ]


def page(token: str = "", *, has_spending: bool = True) -> admin_pb2.ListTenantsResponse:
    quota = admin_pb2.Quota(tokens_per_day=100, money_per_month_cents=5)
    return admin_pb2.ListTenantsResponse(
        tenants=[admin_pb2.Tenant(name="acme", currency="EUR", quota=quota)],
        spending=[admin_pb2.Spending(tokens_of_day=7)] if has_spending else [],
        next_page_token=token,
    )


def test_pages_of_tenants_become_one_list() -> None:
    found = wire.tenants([page("2"), page()])
    assert (len(found.tenants), found.currency, found.is_known, found.is_whole) == (2, "EUR", True, True)
    assert (found.tenants[0].tokens_of_day, found.tenants[0].tokens_per_day) == (7, 100)
    assert not wire.tenants([page("2")]).is_whole
    assert wire.tenants([]).tenants == ()


def test_where_no_page_says_what_was_used_it_is_not_known() -> None:
    found = wire.tenants([page(), page(has_spending=False)])
    assert not found.is_known
    assert [tenant.tokens_of_day for tenant in found.tenants] == [0, 0]
