"""A declaration is made true at a real router, again without a change, and a wrong one changes nothing."""

import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from comptoir.router.v1 import admin_pb2, router_pb2

from deploy.local.stack.errors import StackError
from services.cli.applying import catalog_of, changes_of
from services.cli.declaration import read_declaration
from services.kernel.api_keys import make_key, region_of
from tests.fakes.running_router import RunningRouter, admit, running_router, settings_in

SCOPED: dict[str, Any] = {
    "secret_file": "batch.key",
    "create_secret": True,
    "label": "batch",
    "models": ["tiny-eu", "other-eu"],
    "endpoints": ["embeddings", "chat.completions"],
    "regions": ["eu-fr"],
    "quota": {"requests_per_minute": 600, "concurrency": 3},
    "priority": "batch",
    "expires_on": "2030-01-01",
}
Applied = Callable[[list[dict[str, Any]]], Awaitable[list[str]]]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[RunningRouter]:
    (tmp_path / "router").mkdir()
    async with running_router(settings_in(tmp_path / "router")) as running:
        yield running


@pytest.fixture
def applied(running: RunningRouter, tmp_path: Path) -> Applied:
    async def apply(tenants: list[dict[str, Any]]) -> list[str]:
        file = tmp_path / "tenants.yaml"
        file.write_text(yaml.safe_dump({"tenants": tenants}))
        catalog = await catalog_of(running.admin)
        changes = await changes_of(running.admin, read_declaration(file), catalog)
        for change in changes:
            await change.act()
        return [change.sentence for change in changes]

    return apply


async def the_key(running: RunningRouter, number: int = 1) -> admin_pb2.Key:
    return (await running.admin.GetKey(admin_pb2.GetKeyRequest(number=number))).key


async def test_what_is_declared_is_there_and_the_second_time_nothing_changes(
    running: RunningRouter, applied: Applied, tmp_path: Path
) -> None:
    declared = [
        {"name": "acme", "home_region": "eu-fr", "keys": [SCOPED, {**SCOPED, "secret_file": "other.key"}]}
    ]
    assert await applied(declared) == [
        "tenant acme: created",
        "key batch.key of acme: created",
        "key other.key of acme: created",
    ]
    assert await applied(declared) == []
    key = await the_key(running)
    assert (key.tenant_name, key.label, list(key.models)) == ("acme", "batch", ["other-eu", "tiny-eu"])
    assert list(key.endpoints) == [
        router_pb2.ENDPOINT_CHAT_COMPLETIONS,
        router_pb2.ENDPOINT_EMBEDDINGS,
    ]
    assert (list(key.regions), key.best_priority) == (["eu-fr"], router_pb2.PRIORITY_BATCH)
    assert key.quota == admin_pb2.Quota(requests_per_minute=600, concurrency=3)
    assert key.expires_at_seconds == 1_893_456_000
    assert stat.S_IMODE((tmp_path / "batch.key").stat().st_mode) == 0o600


async def test_a_declared_key_serves(running: RunningRouter, applied: Applied, tmp_path: Path) -> None:
    await applied([{"name": "acme", "keys": [{"secret_file": "a.key", "create_secret": True}]}])
    async with running.replica():
        await running.router.Admit(admit((tmp_path / "a.key").read_text().strip()))


async def test_keys_of_a_tenant_with_its_home_elsewhere_are_of_that_region(
    running: RunningRouter, applied: Applied, tmp_path: Path
) -> None:
    key = {"secret_file": "a.key", "create_secret": True}
    declared = [{"name": "acme", "home_region": "eu-de", "keys": [key]}]
    assert await applied(declared) == ["tenant acme: created", "key a.key of acme: created"]
    assert region_of((tmp_path / "a.key").read_text().strip()) == "eu-de"
    assert await applied(declared) == []
    # Where the file does not say it, the router does.
    further = {"secret_file": "b.key", "create_secret": True}
    assert await applied([{"name": "acme", "keys": [key, further]}]) == ["key b.key of acme: created"]
    made = await running.admin.CreateKey(admin_pb2.CreateKeyRequest(tenant="acme"))
    (tmp_path / "c.key").touch(0o600)
    (tmp_path / "c.key").write_text(made.api_key)
    assert await applied([{"name": "acme", "keys": [{"secret_file": "c.key"}]}]) == []


async def test_a_new_key_without_a_quota_has_the_default_and_keeps_what_it_gets(
    running: RunningRouter, applied: Applied
) -> None:
    declared = [{"name": "acme", "keys": [{"secret_file": "a.key", "create_secret": True}]}]
    await applied(declared)
    default = running.settings.default_quota
    assert (await the_key(running)).quota.concurrency == default.concurrency
    quota = admin_pb2.Quota(concurrency=1)
    await running.admin.UpdateKey(admin_pb2.UpdateKeyRequest(number=1, quota=quota))
    assert await applied(declared) == []


async def test_a_declared_key_has_the_defaults_for_what_it_leaves_out_and_keeps_them(
    running: RunningRouter, applied: Applied
) -> None:
    key = {"secret_file": "a.key", "create_secret": True, "defaults_for_unset": True}
    declared = [{"name": "acme", "keys": [{**key, "quota": {"concurrency": 3}}]}]
    assert await applied(declared) == ["tenant acme: created", "key a.key of acme: created"]
    made, default = (await the_key(running)).quota, running.settings.default_quota
    assert (made.concurrency, made.requests_per_minute) == (3, default.requests_per_minute)
    assert made.tokens_per_minute == default.tokens_per_minute
    assert await applied(declared) == []
    # What was changed beside the declaration stays, as that of a key without a quota.
    by_hand = admin_pb2.Quota(concurrency=3, tokens_per_minute=5)
    await running.admin.UpdateKey(admin_pb2.UpdateKeyRequest(number=1, quota=by_hand))
    assert await applied(declared) == []
    declared[0]["keys"] = [{**key, "quota": {"concurrency": 4}}]
    assert await applied(declared) == ["key a.key of acme: quota"]
    assert (await the_key(running)).quota == admin_pb2.Quota(concurrency=4, tokens_per_minute=5)


async def test_a_declared_budget_is_of_the_tenant_and_what_is_not_declared_stays(
    running: RunningRouter, applied: Applied
) -> None:
    quota = {"tokens_per_day": 2**48 - 1, "money_per_month": 250.1, "concurrency": 5}
    declared = [{"name": "acme", "quota": quota}]
    assert await applied(declared) == ["tenant acme: created"]
    assert await applied(declared) == []
    asked = admin_pb2.GetTenantRequest(name="acme")
    tenant = (await running.admin.GetTenant(asked)).tenant
    assert tenant.quota == admin_pb2.Quota(
        tokens_per_day=2**48 - 1, money_per_month_cents=25_010, concurrency=5
    )
    assert await applied([{"name": "acme"}]) == []
    assert await applied([{"name": "acme", "quota": {}}]) == ["tenant acme: quota"]
    assert (await running.admin.GetTenant(asked)).tenant.quota == admin_pb2.Quota()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quota": {"money_per_month": 5}}, "quota"),
        ({"label": "night"}, "label"),
        ({"models": []}, "models"),
        ({"endpoints": []}, "endpoints"),
        ({"regions": ["eu-de"]}, "regions"),
        ({"quota": {"tokens_per_minute": 5}}, "quota"),
        ({"quota": {}}, "quota"),
        ({"priority": "default"}, "best_priority"),
        ({"expires_on": None}, "expires_at_seconds"),
        ({"is_disabled": True}, "disabled"),
        ({"label": "", "models": ["tiny-eu"]}, "label, models"),
    ],
)
async def test_what_differs_is_changed_and_said(
    running: RunningRouter, applied: Applied, change: dict[str, Any], said: str
) -> None:
    await applied([{"name": "acme", "keys": [SCOPED]}])
    for declared, sentences in ((SCOPED | change, [f"key batch.key of acme: {said}"]), (SCOPED | change, [])):
        assert await applied([{"name": "acme", "keys": [declared]}]) == sentences
    back = await applied([{"name": "acme", "keys": [SCOPED]}])
    assert len(back) == 1
    assert await applied([{"name": "acme", "keys": [SCOPED]}]) == []


async def test_a_tenant_is_disabled_and_enabled(applied: Applied) -> None:
    assert await applied([{"name": "acme", "is_disabled": True}]) == [
        "tenant acme: created",
        "tenant acme: disabled",
    ]
    assert await applied([{"name": "acme", "is_disabled": True}]) == []
    assert await applied([{"name": "acme"}]) == ["tenant acme: enabled"]


async def test_a_key_whose_file_was_made_and_which_the_router_never_heard_of_gets_that_secret(
    applied: Applied, tmp_path: Path
) -> None:
    secret = make_key("eu-fr", b"made before, 16b")
    (tmp_path / "a.key").touch(0o600)
    (tmp_path / "a.key").write_text(secret + "\n")
    declared = [{"name": "acme", "keys": [{"secret_file": "a.key", "create_secret": True}]}]
    assert "key a.key of acme: created" in await applied(declared)
    assert (tmp_path / "a.key").read_text().strip() == secret
    assert await applied(declared) == []


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([{"secret_file": "gone.key"}], "There is no gone.key"),
        ([{"secret_file": "open.key"}], "can be read by others"),
        ([{"secret_file": "junk.key"}], "no key of region eu-fr"),
        ([{"secret_file": "german.key"}], "no key of region eu-fr"),
        ([{"secret_file": "folder.key"}], "read by others|cannot be read"),
        ([{"secret_file": "a.key", "create_secret": True, "models": ["absent"]}], "model or region"),
        ([{"secret_file": "a.key", "create_secret": True, "regions": ["atlantis"]}], "model or region"),
    ],
)
async def test_a_wrong_declaration_changes_nothing(
    running: RunningRouter, applied: Applied, tmp_path: Path, keys: list[dict[str, Any]], says: str
) -> None:
    for name, content in (
        ("open", make_key("eu-fr", bytes(16))),
        ("junk", "junk"),
        ("german", make_key("eu-de", bytes(16))),
    ):
        (tmp_path / f"{name}.key").touch(0o644 if name == "open" else 0o600)
        (tmp_path / f"{name}.key").write_text(content)
    (tmp_path / "folder.key").mkdir(0o700)
    with pytest.raises(StackError, match=says) as refusal:
        await applied([{"name": "acme", "keys": keys}])
    assert "cptr_" not in str(refusal.value)
    assert not (await running.admin.ListTenants(admin_pb2.ListTenantsRequest())).tenants
    assert not (tmp_path / "a.key").exists()


async def test_a_key_of_another_tenant_or_one_that_is_revoked_is_not_taken(
    running: RunningRouter, applied: Applied
) -> None:
    key = {"secret_file": "a.key", "create_secret": True}
    await applied([{"name": "acme", "keys": [key]}, {"name": "beta"}])
    with pytest.raises(StackError, match="one of tenant acme, not of beta"):
        await applied([{"name": "beta", "keys": [key]}])
    with pytest.raises(StackError, match="home in eu-fr"):
        await applied([{"name": "acme", "home_region": "eu-de"}])
    await running.admin.RevokeKey(admin_pb2.RevokeKeyRequest(number=1))
    with pytest.raises(StackError, match="revoked, for ever"):
        await applied([{"name": "acme", "keys": [key]}])
