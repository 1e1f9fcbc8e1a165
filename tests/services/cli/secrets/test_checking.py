"""What is wrong with a folder of secrets is said with what to do, and none of its content."""

from pathlib import Path

import pytest

from services.cli.secrets import layout
from services.cli.secrets.checking import problems
from services.cli.secrets.folder import SecretFiles
from tests.services.cli.secrets.test_making import DAY, NOW, init


@pytest.fixture
def root(tmp_path: Path) -> Path:
    init(tmp_path / "secrets")
    return tmp_path / "secrets"


def said(root: Path, *, days: float = 0) -> list[str]:
    return list(problems(SecretFiles(root), NOW + days * DAY, 30 * DAY))


def overwrite(path: Path, text: str) -> None:
    path.chmod(0o600)
    path.write_text(text)


def test_a_whole_folder_has_no_problem(root: Path) -> None:
    assert said(root) == []


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    assert said(tmp_path) == ["That is no folder of secrets: `comptoir secrets init` makes one."]


def test_certificates_that_end_and_have_ended_are_counted_in_days(root: Path) -> None:
    assert (
        said(root, days=340)[0]
        == "edge-tls/tls.crt ends in 25 days: `comptoir secrets renew` signs a new one."
    )
    assert "ended 35 days ago" in said(root, days=400)[0]
    assert "ca.crt ends in 20 days: begin a new folder, and replace the whole of the old one." in said(
        root, days=3630
    )


def test_a_folder_that_others_enter_is_said(root: Path) -> None:
    root.chmod(0o755)
    assert said(root)[0].startswith("Others may enter the folder")


@pytest.mark.parametrize("name", [*layout.RANDOM, *layout.FOLLOWING, layout.PUBLIC_KEY])
def test_a_missing_file_is_named(root: Path, name: str) -> None:
    (root / name).unlink()
    assert said(root) == [f"{name} is missing: `comptoir secrets init` makes it."]


def test_a_spoilt_secret_is_named_without_what_it_holds(root: Path) -> None:
    overwrite(root / "router" / "pepper", "canary")
    assert said(root) == ["router/pepper does not hold 32 bytes as hex: put it back from your backup."]


def test_keys_and_certificates_that_do_not_belong_together_are_said(root: Path) -> None:
    other = (root / "usage-tls" / "tls.key").read_text()
    overwrite(root / "edge-tls" / "tls.key", other)
    assert said(root) == ["edge-tls/tls.crt is of another key: `comptoir secrets init` makes it anew."]
    overwrite(root / "edge-tls" / "tls.key", "canary")
    assert said(root)[0].startswith("edge-tls cannot be read")


def test_a_certificate_of_another_authority_is_said(root: Path, tmp_path: Path) -> None:
    init(tmp_path / "other")
    for name in ("tls.crt", "tls.key"):
        overwrite(root / "edge-tls" / name, (tmp_path / "other" / "edge-tls" / name).read_text())
    assert said(root) == [
        "edge-tls/tls.crt was not signed by ca.crt: remove it, then `comptoir secrets init`."
    ]


def test_names_that_were_changed_since_are_said(root: Path) -> None:
    overwrite(root / layout.NAMES, "edge_hosts: [llm.example.eu]\n")
    assert said(root) == ["edge-http/tls.crt says other names than names.yaml: `comptoir secrets renew`."]


def test_an_authority_that_is_kept_elsewhere_is_said(root: Path) -> None:
    (root / layout.CA_KEY).unlink()
    assert said(root) == ["authority/ca.key is not there: put it back when something has to be signed."]
