"""keys, tenants and models: what a change asks of the router, and that lists hide no limit."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from comptoir.router.v1 import admin_pb2, router_pb2

from deploy.local.stack.paths import DataPaths
from services.kernel.errors import ComptoirError, Numbers, Reason
from tests.services.cli.admin_service import AdminService, admin_service
from tests.services.cli.running import Said, Terminal

KEY = admin_pb2.Key(
    number=3,
    tenant_name="a-tenant-with-a-rather-long-name",
    label="the nightly batch of the accounting department",
    models=["tiny-eu", "mistral-small-3.2-24b-instruct"],
    quota=admin_pb2.Quota(requests_per_minute=4_294_967_295, tokens_per_minute=4_294_967_294, concurrency=7),
    endpoints=[router_pb2.ENDPOINT_CHAT_COMPLETIONS, router_pb2.ENDPOINT_EMBEDDINGS],
    regions=["eu-fr", "eu-de"],
    expires_at_seconds=4_102_444_800,
    previous_until_seconds=4_102_444_800,
    last_used_seconds=1_790_002_800,
    best_priority=router_pb2.PRIORITY_BATCH,
)
TENANT = admin_pb2.Tenant(number=1, name="acme", home_region="eu-fr", is_disabled=True)


@pytest.fixture
def admin(paths: DataPaths) -> Iterator[AdminService]:
    with admin_service(paths) as service:
        yield service


@pytest.fixture
def comptoir(terminal: Terminal, paths: DataPaths) -> Any:
    def run(*arguments: str) -> Said:
        return terminal.comptoir(*arguments, "--data-dir", str(paths.root))

    return run


def test_a_list_fits_eighty_columns_and_hides_no_limit(
    comptoir: Any, admin: AdminService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    admin.answers["ListKeys"] = admin_pb2.ListKeysResponse(keys=[KEY])
    said = comptoir("keys", "list")
    assert max(map(len, said.out.splitlines())) <= 80
    for shown in (
        "4294967295 requests/min",
        "4294967294 tokens/min",
        "7 at once",
        "ends 2100-01-01",
        "old to 2100-01-01",
        "used 2026-09-21 15h",
        "active",
    ):
        assert shown in said.out
    folded = "".join(line.split("│")[4].strip() for line in said.out.splitlines() if "│" in line)
    # Words are broken where the column ends, so spaces are lost.
    assert folded.replace(" ", "") == (
        "tiny-eu,mistral-small-3.2-24b-instructchat.completions,embeddingseu-fr,eu-debatch"
    )


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, "active"),
        ({"is_disabled": True}, "disabled"),
        ({"expires_at_seconds": 1}, "expired"),
        ({"revoked_at_seconds": 1, "is_disabled": True}, "revoked"),
    ],
)
def test_a_list_says_whether_a_key_is_taken(
    comptoir: Any, admin: AdminService, fields: dict[str, Any], shown: str
) -> None:
    admin.answers["GetKey"] = admin_pb2.GetKeyResponse(key=admin_pb2.Key(number=3, **fields))
    said = comptoir("keys", "show", "3")
    assert shown in said.out
    assert "used never" in said.out
    assert "no limit" in said.out
    assert admin.asked[0].number == 3


def test_a_list_asks_for_all_pages_and_is_one(comptoir: Any, admin: AdminService) -> None:
    def page(request: admin_pb2.ListKeysRequest) -> admin_pb2.ListKeysResponse:
        after = int(request.page_token or 0)
        keys = [admin_pb2.Key(number=after + 1)]
        return admin_pb2.ListKeysResponse(keys=keys, next_page_token=str(after + 1) if after < 2 else "")

    admin.answers["ListKeys"] = page
    listed = json.loads(comptoir("keys", "list", "--tenant", "acme", "--json").out)
    assert [key["number"] for key in listed["keys"]] == [1, 2, 3]
    assert listed["next_page_token"] == ""
    assert {request.tenant for request in admin.asked} == {"acme"}


def test_an_update_names_what_changes_and_nothing_else(comptoir: Any, admin: AdminService) -> None:
    admin.answers["GetKey"] = admin_pb2.GetKeyResponse(key=KEY)
    admin.answers["UpdateKey"] = admin_pb2.UpdateKeyResponse(key=KEY)
    comptoir("keys", "update", "3", "--label", "", "--endpoint", "counts", "--endpoint", "direct")
    (request,) = admin.asked
    assert request == admin_pb2.UpdateKeyRequest(
        number=3,
        label="",
        endpoints=admin_pb2.EndpointScope(endpoints=[router_pb2.ENDPOINT_COUNTS, router_pb2.ENDPOINT_DIRECT]),
    )
    comptoir("keys", "update", "3", "--concurrency", "0", "--expires-in-days", "0", "--all-models")
    assert admin.asked[-1] == admin_pb2.UpdateKeyRequest(
        number=3,
        models=admin_pb2.ModelScope(),
        quota=admin_pb2.Quota(requests_per_minute=4_294_967_295, tokens_per_minute=4_294_967_294),
        expires_at_seconds=0,
    )
    comptoir("keys", "update", "3", "--priority", "interactive", "--region", "eu-de")
    assert admin.asked[-1] == admin_pb2.UpdateKeyRequest(
        number=3,
        regions=admin_pb2.RegionScope(names=["eu-de"]),
        best_priority=router_pb2.PRIORITY_INTERACTIVE,
    )


def test_a_rotated_key_stands_alone_on_standard_output(comptoir: Any, admin: AdminService) -> None:
    admin.answers["RotateKey"] = admin_pb2.RotateKeyResponse(key=KEY, api_key="cptr_fresh")
    said = comptoir("keys", "rotate", "3", "--overlap-hours", "0.5")
    assert said.out == "cptr_fresh\n"
    assert "old secret ends 2100-01-01 00:00 UTC" in said.err
    assert admin.asked[0] == admin_pb2.RotateKeyRequest(number=3, overlap_seconds=1800)


def test_a_rotation_that_would_end_a_secret_in_use_is_refused_with_the_moment_and_the_way_out(
    comptoir: Any, terminal: Terminal, admin: AdminService, paths: DataPaths
) -> None:
    admin.refusal = ComptoirError(Reason.OVERLAP_NOT_OVER, numbers=Numbers(limit=4_102_444_800))
    said = terminal.refusal("keys", "rotate", "3", "--data-dir", str(paths.root))
    assert "2100-01-01 00:00 UTC" in said
    assert "--force" in said
    admin.refusal = None
    comptoir("keys", "rotate", "3", "--force")
    assert admin.asked[-1] == admin_pb2.RotateKeyRequest(number=3, overlap_seconds=86_400, ends_earlier=True)


@pytest.mark.parametrize(
    ("arguments", "rpc", "sentence"),
    [
        (("keys", "disable", "3"), "DisableKey", "Key 3 of tenant acme is disabled.\n"),
        (("keys", "enable", "3"), "EnableKey", "Key 3 of tenant acme is enabled.\n"),
        (("keys", "delete", "3"), "DeleteKey", "Key 3 of tenant acme is deleted.\n"),
        (("tenants", "disable", "acme"), "DisableTenant", "Tenant acme is disabled: its keys are refused.\n"),
        (("tenants", "enable", "acme"), "EnableTenant", "Tenant acme is enabled.\n"),
        (
            ("tenants", "delete", "acme"),
            "DeleteTenant",
            "Tenant acme is deleted; its number 1 is not given again.\n",
        ),
    ],
)
def test_what_was_done_is_one_sentence_or_one_object(
    comptoir: Any, admin: AdminService, arguments: tuple[str, ...], rpc: str, sentence: str
) -> None:
    answer: Any = getattr(admin_pb2, f"{rpc}Response")()
    if arguments[0] == "keys":
        answer.key.MergeFrom(admin_pb2.Key(number=3, tenant_name="acme"))
    else:
        answer.tenant.MergeFrom(TENANT)
    admin.answers[rpc] = answer
    assert comptoir(*arguments).out == sentence
    assert type(admin.asked[0]).__name__ == f"{rpc}Request"
    (content,) = json.loads(comptoir(*arguments, "--json").out).values()
    assert content["number"] in {1, 3}


def test_a_tenant_is_shown_with_its_state(comptoir: Any, admin: AdminService) -> None:
    admin.answers["GetTenant"] = admin_pb2.GetTenantResponse(tenant=TENANT)
    said = comptoir("tenants", "show", "acme")
    assert "acme" in said.out
    assert "disabled" in said.out


def test_models_are_listed_with_what_they_do(comptoir: Any, admin: AdminService) -> None:
    model = router_pb2.Model(
        number=1, name="tiny-eu", task=router_pb2.TASK_GENERATE, context_tokens=1024, max_output_tokens=512
    )
    admin.answers["GetCatalog"] = admin_pb2.GetCatalogResponse(region="eu-fr", models=[model])
    said = comptoir("models", "list")
    assert all(word in said.out for word in ("tiny-eu", "generate", "1024", "512"))
    assert json.loads(comptoir("models", "list", "--json").out)["region"] == "eu-fr"


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (ComptoirError(Reason.TENANT_HAS_KEYS), "has keys"),
        (ComptoirError(Reason.NOT_FOUND, field="tenant"), "no such tenant"),
    ],
)
def test_what_cannot_be_deleted_is_one_sentence(
    terminal: Terminal, paths: DataPaths, admin: AdminService, refusal: ComptoirError, says: str
) -> None:
    admin.refusal = refusal
    assert says in terminal.refusal("tenants", "delete", "acme", "--data-dir", str(paths.root))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("keys", "delete", "3"), "There is no key 3.\n"),
        (("tenants", "delete", "acme"), "There is no tenant acme.\n"),
    ],
)
def test_what_is_gone_already_is_well_where_that_was_said(
    comptoir: Any,
    terminal: Terminal,
    paths: DataPaths,
    admin: AdminService,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    admin.refusal = ComptoirError(Reason.NOT_FOUND, field="name")
    assert "no such tenant" in terminal.refusal(*arguments, "--data-dir", str(paths.root))
    assert comptoir(*arguments, "--missing-ok").out == says
    (content,) = json.loads(comptoir(*arguments, "--missing-ok", "--json").out or "{}").values() or ({},)
    assert not content
    admin.refusal = ComptoirError(Reason.TENANT_HAS_KEYS)
    assert "has keys" in terminal.refusal(*arguments, "--missing-ok", "--data-dir", str(paths.root))


def test_a_change_of_a_revoked_key_says_that_this_is_for_ever(
    terminal: Terminal, paths: DataPaths, admin: AdminService
) -> None:
    admin.refusal = ComptoirError(Reason.REQUEST_INVALID, field="number")
    assert "for ever" in terminal.refusal("keys", "rotate", "3", "--data-dir", str(paths.root))
