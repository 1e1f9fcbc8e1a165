"""audit: who did what to which number, with names where the operator's side has them."""

import json
import os
import pwd
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from comptoir.router.v1 import admin_pb2

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from services.cli.adapters.store import Store
from services.cli.commands import audit
from services.contract.callers import caller_digest
from tests.services.cli.admin_service import AdminService, admin_service
from tests.services.cli.running import Terminal

REVOKED = {
    "at": datetime(2026, 11, 22, 7, 1, 2, tzinfo=UTC),
    "caller_kind": "socket",
    "caller": os.getuid(),
    "act": "revoke_key",
    "subject": "key",
    "subject_number": 7,
    "outcome": "done",
    "reason": "",
    "requests": 1,
}
REFUSED = {
    **REVOKED,
    "caller_kind": "certificate",
    "caller": caller_digest("generator-7"),
    "act": "create_tenant",
    "subject": "tenant",
    "subject_number": 0,
    "outcome": "refused",
    "reason": "caller_not_allowed",
    "requests": 5,
}


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    asked: dict[int, list[dict[str, Any]]] = {24 * 3600: found, 30 * 60: []}
    monkeypatch.setattr(Store, "acts", lambda _store, seconds: iter(asked[seconds]))
    return found


@pytest.fixture
def router(paths: DataPaths) -> Iterator[AdminService]:
    key = admin_pb2.Key(number=7, tenant=1, tenant_name="acme", label="laptop")
    with admin_service(paths) as service:
        service.answers["ListKeys"] = admin_pb2.ListKeysResponse(keys=[key])
        yield service


def test_acts_are_a_table_with_the_names_that_the_router_has(
    terminal: Terminal, paths: DataPaths, acts: list[dict[str, Any]], router: AdminService
) -> None:
    acts += [REVOKED, REFUSED]
    where = ("--data-dir", str(paths.root), "--caller", "generator-7")
    said = terminal.comptoir("audit", *where)
    rows = [
        [cell.strip() for cell in line.strip("│").split("│")]
        for line in said.out.splitlines()
        if line.startswith("│")
    ]
    user = pwd.getpwuid(os.getuid()).pw_name
    assert rows[0] == ["11-22 07:01:02", user, "revoke key", "key 7 (acme laptop)", "done"]
    assert rows[1][1:3] == ["generator-7", "create tenant"]
    assert all(len(line) <= 120 for line in said.out.splitlines())


def test_acts_are_read_and_named_some_at_a_time(
    terminal: Terminal,
    paths: DataPaths,
    acts: list[dict[str, Any]],
    router: AdminService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit, "_PAGE_ACTS", 2)
    keys = [admin_pb2.Key(number=number, tenant_name=f"t{number}") for number in range(1, 6)]

    def page(request: admin_pb2.ListKeysRequest) -> admin_pb2.ListKeysResponse:
        # As a router from before `numbers`: everything, a page at a time.
        after = int(request.page_token or 0)
        return admin_pb2.ListKeysResponse(
            keys=keys[after : after + 3], next_page_token="3" if not after else ""
        )

    router.answers["ListKeys"] = page
    acts += [{**REVOKED, "subject_number": number} for number in (1, 5, 5, 2, 4)]
    said = terminal.comptoir("audit", "--json", "--data-dir", str(paths.root))
    assert [act["name"] for act in json.loads(said.out)["acts"]] == ["t1", "t5", "t5", "t2", "t4"]
    asked = [list(request.numbers) for request in router.asked if not request.page_token]
    assert asked == [[1, 5], [2, 5], [4]]
    table = terminal.comptoir("audit", "--data-dir", str(paths.root)).out
    assert table.count("time (UTC)") == 1
    assert table.count("revoke key") == 5


def test_programs_read_numbers_names_and_reasons(
    terminal: Terminal, paths: DataPaths, acts: list[dict[str, Any]], router: AdminService
) -> None:
    acts += [REVOKED, REFUSED]
    said = terminal.comptoir("audit", "--json", "--data-dir", str(paths.root))
    revoked, refused = json.loads(said.out)["acts"]
    assert (revoked["act"], revoked["subject"], revoked["number"]) == ("revoke_key", "key", 7)
    assert (revoked["name"], revoked["outcome"], revoked["reason"]) == ("acme laptop", "done", None)
    assert (refused["caller_name"], refused["caller"]) == (None, caller_digest("generator-7"))
    assert (refused["reason"], refused["requests"], refused["number"]) == ("caller_not_allowed", 5, None)


def test_without_a_router_there_are_numbers(
    terminal: Terminal,
    paths: DataPaths,
    acts: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: object) -> None:
        raise StackError("away")

    monkeypatch.setattr(audit, "call_admin", away)
    acts.append(REVOKED)
    said = terminal.comptoir("audit", "--json", "--data-dir", str(paths.root))
    assert json.loads(said.out)["acts"][0]["name"] is None


def test_as_commands_it_is_what_does_it_again_where_the_router_has_what_it_is_about(
    terminal: Terminal, paths: DataPaths, acts: list[dict[str, Any]], router: AdminService
) -> None:
    acts += [{**REVOKED, "subject_number": 8}, REVOKED, REFUSED]
    said = terminal.comptoir("audit", "--as-commands", "--data-dir", str(paths.root))
    assert said.out.splitlines() == ["# 2026-11-22 07:01:02 key 7 revoke", "comptoir keys revoke 7"]


def test_there_are_no_commands_without_a_router_that_says_what_is_there(
    terminal: Terminal,
    paths: DataPaths,
    acts: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: object) -> None:
        raise StackError("away")

    monkeypatch.setattr(audit, "call_admin", away)
    acts.append(REVOKED)
    assert "start it first" in terminal.refusal("audit", "--as-commands", "--data-dir", str(paths.root))


def test_without_acts_there_is_an_empty_list(
    terminal: Terminal, paths: DataPaths, acts: list[dict[str, Any]]
) -> None:
    assert json.loads(terminal.comptoir("audit", "--json", "--data-dir", str(paths.root)).out) == {"acts": []}


def test_how_far_back_is_a_number_and_a_unit(
    terminal: Terminal, paths: DataPaths, acts: list[dict[str, Any]]
) -> None:
    said = terminal.comptoir("audit", "--since", "30m", "--data-dir", str(paths.root))
    assert said.out == "There is no act of the last 30m in the store yet.\n"
    said = terminal.comptoir("audit", "--since", "yesterday", "--data-dir", str(paths.root))
    assert (said.status, said.err) == (1, "comptoir: --since is a number and m, h or d: 30m, 24h, 7d.\n")
