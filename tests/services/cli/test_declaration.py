"""A file of declarations is read strictly, and what is wrong is named without its value."""

from pathlib import Path

import pytest

from deploy.local.stack.errors import StackError
from services.cli.declaration import read_declaration


def refusal_of(folder: Path, text: str) -> str:
    (folder / "tenants.yaml").write_text(text)
    with pytest.raises(StackError) as refusal:
        read_declaration(folder / "tenants.yaml")
    return str(refusal.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tenants: [{name: acme, plan: hunter2}]", "tenants.0.plan"),
        ("tenants: [{name: HUNTER2}]", "tenants.0.name"),
        ("tenants: [{name: acme, keys: [{label: hunter2}]}]", "tenants.0.keys.0.secret_file"),
        ("tenants: [{name: acme, keys: [{secret_file: a, endpoints: [hunter2]}]}]", "chat.completions"),
        ("tenants: [{name: acme, keys: [{secret_file: a, quota: {hunter2: 1}}]}]", "requests_per_minute"),
        ("tenants: [{name: acme, keys: [{secret_file: a, quota: {concurrency: -1}}]}]", "whole numbers"),
        (
            "tenants: [{name: a, keys: [{secret_file: k, defaults_for_unset: on, quota: {concurrency: 0}}]}]",
            "a limit of 0 is none",
        ),
        ("tenants: [{name: acme, quota: {hunter2: 1}}]", "money_per_month"),
        ("tenants: [{name: acme, quota: {money_per_month: 0.001}}]", "tenants.0.quota"),
        ("tenants: [{name: acme, quota: {tokens_per_day: 281474976710656}}]", "within its bound"),
        ("tenants: [{name: acme, keys: [{secret_file: a, priority: hunter2}]}]", "priority"),
        ("tenants: [{name: acme, keys: [{secret_file: a, expires_on: hunter2}]}]", "expires_on"),
        ("tenants: [{name: acme}, {name: acme}]", "stands twice"),
        (
            "tenants: [{name: a, keys: [{secret_file: k}, {secret_file: k}]}]",
            "stands twice",
        ),
        ("- hunter2", "must be a YAML mapping"),
        ("tenants: {", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(tmp_path: Path, text: str, says: str) -> None:
    said = refusal_of(tmp_path, text)
    assert says in said
    assert "hunter2" not in said.lower()
    assert "\n" not in said


def test_a_file_that_is_gone_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"^tenants\.yaml cannot be read\.$"):
        read_declaration(tmp_path / "tenants.yaml")


def test_files_of_secrets_are_beside_the_declaration_unless_they_say_another_folder(tmp_path: Path) -> None:
    (tmp_path / "tenants.yaml").write_text(
        "tenants: [{name: acme, keys: [{secret_file: a.key}, {secret_file: /run/b.key}]}]"
    )
    (tenant,) = read_declaration(tmp_path / "tenants.yaml").tenants
    assert [key.secret_file for key in tenant.keys] == [tmp_path / "a.key", Path("/run/b.key")]


def test_the_example_of_the_page_about_operations_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    (example,) = [block for block in page.split("```yaml\n") if block.startswith("tenants:")]
    (tmp_path / "tenants.yaml").write_text(example.partition("```")[0])
    (tenant,) = read_declaration(tmp_path / "tenants.yaml").tenants
    assert [key.secret_file.name for key in tenant.keys] == ["acme.key", "old.key"]
    assert tenant.keys[0].message().quota.concurrency == 32
