"""apply: what is printed, and that a dry run asks for no change."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from comptoir.router.v1 import admin_pb2

from deploy.local.stack.paths import DataPaths
from services.kernel.errors import ComptoirError, Reason
from tests.services.cli.admin_service import AdminService, admin_service
from tests.services.cli.running import Terminal

DECLARED = "tenants: [{name: acme, keys: [{secret_file: a.key, create_secret: true}]}]"


@pytest.fixture
def admin(paths: DataPaths) -> Iterator[AdminService]:
    with admin_service(paths) as service:
        service.answers["GetCatalog"] = admin_pb2.GetCatalogResponse(region="eu-fr")
        yield service


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "declared").mkdir()
    file = tmp_path / "declared" / "tenants.yaml"
    file.write_text(DECLARED)
    return file


def test_what_changed_is_printed_and_no_secret(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path
) -> None:
    said = terminal.comptoir("apply", "-f", str(file), "--data-dir", str(paths.root))
    assert said.out == "tenant acme: created\nkey a.key of acme: created\n"
    secret = file.with_name("a.key").read_text().strip()
    assert admin.asked[-1].api_key == secret
    assert secret not in said.out + said.err


def test_a_dry_run_says_the_same_and_changes_nothing(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path
) -> None:
    said = terminal.comptoir("apply", "-f", str(file), "--dry-run", "--json", "--data-dir", str(paths.root))
    assert json.loads(said.out) == {
        "changes": ["tenant acme: created", "key a.key of acme: created"],
        "is_dry_run": True,
    }
    assert {type(asked).__name__ for asked in admin.asked} == {"GetCatalogRequest", "ListTenantsRequest"}
    assert not file.with_name("a.key").exists()


def test_nothing_to_change_is_said(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path
) -> None:
    file.write_text("tenants: []")
    said = terminal.comptoir("apply", "-f", str(file), "--data-dir", str(paths.root))
    assert said.out == "Nothing to change.\n"


def test_what_the_router_refuses_is_one_sentence(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path
) -> None:
    admin.refusal = ComptoirError(Reason.INTERNAL)
    assert "INTERNAL" in terminal.refusal("apply", "-f", str(file), "--data-dir", str(paths.root))
