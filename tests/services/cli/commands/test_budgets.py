"""Budgets of keys and tenants: what is asked of the router, and what of them is shown."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from comptoir.router.v1 import admin_pb2, router_pb2

from deploy.local.stack.paths import DataPaths
from tests.services.cli.admin_service import AdminService, admin_service
from tests.services.cli.running import Said, Terminal

LARGEST = admin_pb2.Quota(
    requests_per_minute=2**32 - 1,
    tokens_per_minute=2**32 - 2,
    concurrency=2**32 - 3,
    tokens_per_day=2**48 - 1,
    tokens_per_month=2**48 - 2,
    money_per_month_cents=899_999_999,
)
SHOWN = (
    "4294967295 requests/min",
    "4294967294 tokens/min",
    "4294967293 at once",
    "281474976710655 tokens/day",
    "281474976710654 tokens/month",
    "8999999.99 EUR/month",
)
TENANT = admin_pb2.Tenant(
    number=1,
    name="acme-with-a-long-name-of-fifty-letters",
    home_region="us-east",
    quota=LARGEST,
    currency="EUR",
)
KEY = admin_pb2.Key(
    number=3,
    tenant_name="acme",
    quota=LARGEST,
    currency="EUR",
    last_used_seconds=1_790_002_800,
    best_priority=router_pb2.PRIORITY_DEFAULT,
)
SPENDING = admin_pb2.Spending(
    tokens_of_day=5, money_of_month_nanos=1_500_000, day_ends_seconds=1_795_737_600, currency="EUR"
)


@pytest.fixture
def admin(paths: DataPaths) -> Iterator[AdminService]:
    with admin_service(paths) as service:
        yield service


@pytest.fixture
def comptoir(terminal: Terminal, paths: DataPaths, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str) -> Said:
        return terminal.comptoir(*arguments, "--data-dir", str(paths.root))

    return run


def test_every_limit_can_be_given_to_a_key_and_to_a_tenant(comptoir: Any, admin: AdminService) -> None:
    named = (
        *("--requests-per-minute", "1", "--tokens-per-minute", "2", "--concurrency", "3"),
        *("--tokens-per-day", "4", "--tokens-per-month", "281474976710655", "--money-per-month", "250.5"),
    )
    wanted = admin_pb2.Quota(
        requests_per_minute=1,
        tokens_per_minute=2,
        concurrency=3,
        tokens_per_day=4,
        tokens_per_month=2**48 - 1,
        money_per_month_cents=25_050,
    )
    comptoir("keys", "create", *named)
    comptoir("tenants", "create", "acme", *named)
    assert [request.quota for request in admin.asked] == [wanted, wanted]


def test_a_tenant_without_limits_asks_for_none(comptoir: Any, admin: AdminService) -> None:
    comptoir("tenants", "create", "acme")
    assert not admin.asked[0].HasField("quota")


def test_an_update_of_a_tenant_changes_what_is_named_alone(comptoir: Any, admin: AdminService) -> None:
    admin.answers["GetTenant"] = admin_pb2.GetTenantResponse(tenant=TENANT)
    admin.answers["UpdateTenant"] = admin_pb2.UpdateTenantResponse(tenant=TENANT)
    said = comptoir("tenants", "update", "acme", "--money-per-month", "0", "--tokens-per-day", "7")
    wanted = admin_pb2.Quota()
    wanted.CopyFrom(LARGEST)
    wanted.money_per_month_cents, wanted.tokens_per_day = 0, 7
    assert admin.asked[-1] == admin_pb2.UpdateTenantRequest(name="acme", quota=wanted)
    assert "4294967293 at once" in said.out
    comptoir("tenants", "update", "acme")
    assert admin.asked[-1] == admin_pb2.UpdateTenantRequest(name="acme")


@pytest.mark.parametrize("amount", ["0.001", "-1", "9000000", "many", "NaN", "1e400"])
def test_an_amount_that_is_no_budget_is_refused_with_an_example(
    comptoir: Any, admin: AdminService, amount: str
) -> None:
    said = comptoir("tenants", "update", "acme", f"--money-per-month={amount}")
    assert said.status == 2
    assert "250.00" in said.err
    assert not admin.asked


@pytest.mark.parametrize("group", ["keys", "tenants"])
def test_a_list_fits_eighty_columns_and_hides_no_limit(
    comptoir: Any, admin: AdminService, group: str
) -> None:
    admin.answers["ListKeys"] = admin_pb2.ListKeysResponse(keys=[KEY])
    admin.answers["ListTenants"] = admin_pb2.ListTenantsResponse(tenants=[TENANT])
    said = comptoir(group, "list")
    assert max(map(len, said.out.splitlines())) <= 80
    assert [limit for limit in SHOWN if limit not in said.out] == []


@pytest.mark.parametrize(
    ("arguments", "rpc", "answer"),
    [
        (("keys", "show", "3"), "GetKey", admin_pb2.GetKeyResponse(key=KEY)),
        (("tenants", "show", "acme"), "GetTenant", admin_pb2.GetTenantResponse(tenant=TENANT)),
    ],
)
def test_one_is_shown_with_what_it_used(
    comptoir: Any, admin: AdminService, arguments: tuple[str, ...], rpc: str, answer: Any
) -> None:
    admin.answers[rpc] = answer
    assert "not known" in comptoir(*arguments).out
    answer.spending.CopyFrom(SPENDING)
    said = comptoir(*arguments).out
    assert "Used 5 of 281474976710655 tokens of the day to 2026-11-27 00:00 UTC.\n" in said
    assert "Used 0.0015 of 8999999.99 EUR of the month to " in said
    assert json.loads(comptoir(*arguments, "--json").out)["spending"]["money_of_month_nanos"] == "1500000"


def test_models_are_listed_with_weight_and_prices(comptoir: Any, admin: AdminService) -> None:
    dear = router_pb2.Model(
        number=2,
        name="mistral-small-3.2-24b-instruct",
        task=router_pb2.TASK_GENERATE,
        context_tokens=131_072,
        max_output_tokens=32_768,
        token_weight_permille=2500,
        price=router_pb2.Price(input_nanos=150, cached_input_nanos=75, output_nanos=600),
    )
    vectors = router_pb2.Model(
        number=3,
        name="vectors",
        task=router_pb2.TASK_EMBED,
        context_tokens=512,
        token_weight_permille=1000,
        price=router_pb2.Price(input_nanos=20_000_000, cached_input_nanos=20_000_000),
    )
    free = router_pb2.Model(number=1, name="free", token_weight_permille=100)
    admin.answers["GetCatalog"] = admin_pb2.GetCatalogResponse(models=[free, dear, vectors], currency="EUR")
    said = comptoir("models", "list").out
    assert max(map(len, said.splitlines())) <= 80
    shown = ("EUR per million", "2.5", "0.15 input", "0.075 cached input", "0.6 output", "20000 input", "0.1")
    assert [words for words in (*shown, "no price") if words not in said] == []
