"""Between the router's messages and what the page shows; pure functions."""

from collections.abc import Sequence

from comptoir.router.v1 import admin_pb2

from services.console.domain.capacity import Fleet, Hold, Replica
from services.console.domain.tenants import Tenant, Tenants
from services.console.domain.words import duration, seconds


def fleet(answer: admin_pb2.ListReplicasResponse) -> Fleet:
    """Returns the replicas of an answer."""
    return Fleet(
        tuple(_replica(replica) for replica in answer.replicas),
        tuple(Hold(state.model, _why(state)) for state in answer.batch),
        answer.routers_with_own_quotas,
    )


def tenants(pages: Sequence[admin_pb2.ListTenantsResponse]) -> Tenants:
    """Returns the tenants of all pages; what they used is known where every page has it."""
    is_known = all(len(page.spending) == len(page.tenants) for page in pages)
    found = []
    for page in pages:
        spending = page.spending if is_known else [admin_pb2.Spending()] * len(page.tenants)
        found += [_tenant(one, used) for one, used in zip(page.tenants, spending, strict=True)]
    currency = next((tenant.currency for page in pages for tenant in page.tenants), "")
    is_whole = not pages or not pages[-1].next_page_token
    return Tenants(tuple(found), currency, is_known=is_known, is_whole=is_whole)


def _replica(replica: admin_pb2.Replica) -> Replica:
    state = admin_pb2.ReplicaState.Name(replica.state).removeprefix("REPLICA_STATE_")
    return Replica(
        number=replica.number,
        model=replica.model,
        region=replica.region,
        state=state.lower().replace("_", " "),
        running_requests=replica.running_requests,
        waiting_requests=replica.waiting_requests,
        in_flight_requests=replica.in_flight_requests,
        max_requests=replica.max_requests,
        kv_usage=replica.kv_usage_permille / 1000,
        report_age_seconds=replica.report_age_milliseconds / 1000,
    )


def _why(state: admin_pb2.BatchState) -> str:
    if not state.held_by:
        return ""
    if state.peak_left_seconds:
        return f"a peak window, {duration(state.peak_left_seconds)} more"
    if not state.HasField("interactive_ttft_p95_milliseconds"):
        return "interactive requests wait for a replica"
    return f"interactive requests wait {seconds(state.interactive_ttft_p95_milliseconds / 1000)} (p95)"


def _tenant(tenant: admin_pb2.Tenant, used: admin_pb2.Spending) -> Tenant:
    return Tenant(
        name=tenant.name,
        is_disabled=tenant.is_disabled,
        tokens_of_day=used.tokens_of_day,
        tokens_of_month=used.tokens_of_month,
        money_of_month_nanos=used.money_of_month_nanos,
        tokens_per_day=tenant.quota.tokens_per_day,
        tokens_per_month=tenant.quota.tokens_per_month,
        money_per_month_cents=tenant.quota.money_per_month_cents,
    )
