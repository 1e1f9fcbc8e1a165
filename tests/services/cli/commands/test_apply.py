"""apply: what is printed, and that a dry run asks for no change."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from comptoir.router.v1 import admin_pb2

from deploy.local.stack.paths import DataPaths
from services.kernel.catalog import Catalog
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


def test_a_declared_tenant_is_found_on_whichever_page_it_is(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path
) -> None:
    tenants = [admin_pb2.Tenant(number=number, name=f"t{number}") for number in range(1, 8)]

    def page(request: admin_pb2.ListTenantsRequest) -> admin_pb2.ListTenantsResponse:
        after = int(request.page_token or 0)
        token = str(after + 2) if after + 2 < len(tenants) else ""
        return admin_pb2.ListTenantsResponse(tenants=tenants[after : after + 2], next_page_token=token)

    admin.answers["ListTenants"] = page
    file.write_text("tenants: [{name: t7}, {name: t8}]")
    said = terminal.comptoir("apply", "-f", str(file), "--dry-run", "--data-dir", str(paths.root))
    assert said.out == "tenant t8: created\n"


def test_nothing_to_change_is_said(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path
) -> None:
    file.write_text("tenants: []")
    said = terminal.comptoir("apply", "-f", str(file), "--data-dir", str(paths.root))
    assert said.out == "Nothing to change.\n"


CATALOG = {"models": [{"number": 1, "name": "tiny-eu", "context_tokens": 1024, "max_output_tokens": 512}]}
MORE = {
    "models": [*CATALOG["models"], {"number": 2, "name": "f3", "context_tokens": 9, "max_output_tokens": 3}]
}


def running(admin: AdminService, catalog: dict[str, Any]) -> None:
    """The router runs a catalog."""
    told = json.dumps(Catalog.model_validate(catalog).model_dump(mode="json"))
    admin.answers["GetCatalog"] = admin_pb2.GetCatalogResponse(region="eu-fr", catalog_json=told)


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return tmp_path / "declared" / "comptoir.yaml"


def declare(file: Path, catalog: dict[str, Any], tenants: str = "tenants: []") -> None:
    file.write_text(yaml.safe_dump({"catalog": catalog}) + tenants)


def test_a_declared_catalog_that_the_router_runs_is_nothing_to_change(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path
) -> None:
    running(admin, MORE)
    declare(file, MORE)
    for flags in ((), ("--check",), ("--dry-run",)):
        said = terminal.comptoir("apply", "-f", str(file), *flags, "--data-dir", str(paths.root))
        assert (said.status, said.out) == (0, "Nothing to change.\n")


def test_a_catalog_that_the_router_does_not_run_is_shown_and_keys_wait(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path
) -> None:
    running(admin, CATALOG)
    declare(file, MORE, DECLARED)
    said = terminal.comptoir("apply", "-f", str(file), "--data-dir", str(paths.root))
    assert said.status == 3
    assert all(word in said.out for word in ("model added", "f3", "--settings", "Tenants and keys wait"))
    assert {type(asked).__name__ for asked in admin.asked} == {"GetCatalogRequest"}
    assert not file.with_name("a.key").exists()


def test_a_catalog_is_written_once_and_keys_follow_when_the_router_runs_it(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path, settings: Path
) -> None:
    settings.write_text("# Ours.\n" + yaml.safe_dump({"catalog": CATALOG, "router": {}, "edge": {}}))
    running(admin, CATALOG)
    declare(file, MORE, DECLARED)
    command = ("apply", "-f", str(file), "--settings", str(settings), "--data-dir", str(paths.root))
    before = settings.read_text()
    planned = terminal.comptoir(*command, "--check", "--json")
    assert planned.status == 3
    change = {"what": "added", "kind": "model", "number": 2, "name": "f3", "keys": []}
    expected = {"settings": [change], "is_written": False, "router": [change], "restart": ["router", "edge"]}
    assert json.loads(planned.out) == {"catalog": expected, "changes": [], "is_dry_run": True}
    assert settings.read_text() == before
    said = terminal.comptoir(*command)
    assert said.status == 3
    assert "comptoir.yaml is written." in said.out
    assert "restart router, edge" in said.out
    after = settings.read_text()
    assert after.startswith("# Ours.\n")
    assert "f3" in after
    again = terminal.comptoir(*command)
    assert (again.status, settings.read_text()) == (3, after)
    assert "restart router, edge" in again.out
    running(admin, MORE)
    done = terminal.comptoir(*command)
    assert done.status == 0
    assert done.out == "tenant acme: created\nkey a.key of acme: created\n"


def test_without_a_router_that_runs_a_catalog_is_written_for_its_start(
    terminal: Terminal, tmp_path: Path, file: Path, settings: Path
) -> None:
    settings.write_text(yaml.safe_dump({"catalog": CATALOG, "router": {}}))
    declare(file, MORE)
    command = ("apply", "-f", str(file), "--settings", str(settings), "--data-dir", str(tmp_path / "none"))
    assert terminal.comptoir(*command).status == 0
    assert "f3" in settings.read_text()
    again = terminal.comptoir(*command, "--check", "--json")
    assert again.status == 0
    assert json.loads(again.out)["catalog"] == {
        "settings": [],
        "is_written": False,
        "router": None,
        "restart": [],
    }
    # With tenants the router is needed, and what was written is told all the same.
    declare(file, CATALOG, DECLARED)
    failed = terminal.comptoir(*command)
    assert failed.status == 1
    assert "comptoir.yaml is written." in failed.out
    assert "cannot be reached" in failed.err


@pytest.mark.parametrize(
    ("catalog", "says"),
    [
        ({"models": [{**CATALOG["models"][0], "name": "other"}]}, "Model number 1 is that of tiny-eu"),
        ({"models": [{**CATALOG["models"][0], "number": 5}]}, "Model tiny-eu has number 1"),
        ({"models": []}, "catalog.models"),
    ],
)
def test_a_catalog_that_must_not_be_changes_nothing(
    terminal: Terminal, admin: AdminService, file: Path, settings: Path, catalog: dict[str, Any], says: str
) -> None:
    settings.write_text(yaml.safe_dump({"catalog": CATALOG}))
    running(admin, CATALOG)
    declare(file, catalog)
    where = ("--data-dir", str(settings.parent.parent))
    assert says in terminal.refusal("apply", "-f", str(file), *where)
    assert says in terminal.refusal("apply", "-f", str(file), "--settings", str(settings), *where)
    assert yaml.safe_load(settings.read_text()) == {"catalog": CATALOG}


def test_settings_without_a_declared_catalog_are_refused(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path, settings: Path
) -> None:
    settings.write_text(yaml.safe_dump({"catalog": CATALOG}))
    where = ("--settings", str(settings), "--data-dir", str(paths.root))
    assert "declares none" in terminal.refusal("apply", "-f", str(file), *where)


def test_a_router_that_does_not_tell_its_catalog_is_to_be_updated(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path
) -> None:
    declare(file, CATALOG)
    assert "update it" in terminal.refusal("apply", "-f", str(file), "--data-dir", str(paths.root))


def test_what_the_router_refuses_is_one_sentence(
    terminal: Terminal, paths: DataPaths, admin: AdminService, file: Path
) -> None:
    admin.refusal = ComptoirError(Reason.INTERNAL)
    assert "INTERNAL" in terminal.refusal("apply", "-f", str(file), "--data-dir", str(paths.root))
