"""Of each file that is not what it has to be it is said which, what is wrong and what to do; no content."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli.doctor.finding import Finding, Level
from services.cli.secrets import layout
from services.cli.secrets.checking import findings
from services.cli.secrets.derived import SOURCES
from services.cli.secrets.folder import SecretFiles
from tests.services.cli.secrets.test_making import DAY, NOW, init, renew

CANARY = "canary-im-hafen"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "secrets"
    init(root)
    return root


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("other") / "secrets"
    init(root)
    return root


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "secrets")


def found(root: Path, *, days: float = 0) -> list[Finding]:
    seen = list(findings(SecretFiles(root), NOW + days * DAY, 30 * DAY))
    for one in seen:
        assert one.next_step
        assert CANARY not in f"{one.sentence} {one.next_step}"
    return seen


def said(root: Path, *, days: float = 0) -> list[str]:
    """What is wrong, and with which file; what is to be known alone is left out."""
    return [f"{one.subject}: {one.sentence}" for one in found(root, days=days) if one.level is Level.FAIL]


def overwrite(path: Path, text: str) -> None:
    path.chmod(0o644)
    path.write_text(text)


def test_a_whole_folder_has_no_problem(root: Path) -> None:
    assert found(root) == []


def test_every_file_that_is_made_is_looked_at(whole: Path) -> None:
    made = {str(path.relative_to(whole)) for path in whole.rglob("*") if path.is_file()}
    assert made - {".lock"} == set(layout.every_file()) - {layout.NEXT_CA_KEY, layout.FORMER_CA_KEY}


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    assert said(tmp_path) == said(tmp_path / "none") == ["names.yaml: That is no folder of secrets."]


# Folders of certificates are alike: two stand for all, one of them with both in one file.
EACH_KIND = [
    name
    for name in layout.every_file()
    if name not in {*layout.MAY_BE_AWAY, layout.NAMES}
    and (not name.partition("/")[0].endswith("-tls") or name.startswith(("edge-tls", "kafka-tls")))
]


@pytest.mark.parametrize("name", EACH_KIND)
def test_a_file_that_is_missing_or_empty_or_cut_or_else_no_file_is_named(root: Path, name: str) -> None:
    path = root / name
    content = path.read_bytes()
    path.unlink()
    assert f"{name}: It is missing." in said(root)
    path.symlink_to(root / layout.NAMES)
    assert f"{name}: It is a link, whose file a container does not see." in said(root)
    path.unlink()
    path.mkdir()
    assert f"{name}: It is a folder in a file's place." in said(root)
    path.rmdir()
    for spoilt in (b"", content[: len(content) // 2], content[:-4] + b"xyz\n", CANARY.encode(), b"\xff\x00"):
        path.write_bytes(spoilt)
        assert [one for one in said(root) if one.startswith(f"{name}: ")], spoilt
        path.unlink()
    path.write_bytes(content)
    assert said(root) == []


@pytest.mark.parametrize("name", sorted(layout.MAY_BE_AWAY - {layout.FORMER_CA_KEY}))
def test_a_key_of_an_authority_that_is_none_or_not_its_own_is_named(
    root: Path, other: Path, name: str
) -> None:
    for content in (b"", CANARY.encode(), (other / layout.CA_KEY).read_bytes()):
        (root / name).unlink(missing_ok=True)
        (root / name).write_bytes(content)
        (root / name).chmod(0o600)
        assert [one for one in said(root) if one.startswith(f"{name}: ")]


def test_an_authoritys_key_that_is_kept_elsewhere_is_to_be_known_and_well(root: Path) -> None:
    (root / layout.CA_KEY).unlink()
    (one,) = found(root)
    assert (one.level, one.subject) == (Level.WARN, layout.CA_KEY)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_what_does_not_follow_from_its_secret_is_named_and_mended_by_a_renewal(root: Path, name: str) -> None:
    overwrite(root / name, CANARY)
    assert said(root) == [f"{name}: It is not what follows from {SOURCES[name]}."]
    assert renew(root, NOW) == [name]
    assert said(root) == []


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root, _: overwrite(root / "edge-tls" / "tls.crt", CANARY), "holds no certificate"),
        (lambda root, other: take(root, other, "edge-tls/tls.crt"), "another key"),
        (lambda root, other: take(root, other, "edge-tls/tls.crt", "edge-tls/tls.key"), "no authority"),
        (lambda root, _: take(root, root, "usage-tls/tls.crt", into="edge-tls/tls.crt"), "other names"),
        (lambda root, _: take(root, root, "ca.crt", into="edge-tls/tls.crt"), "not one of a server"),
        (lambda root, _: take(root, root, "usage-tls/tls.key", into="edge-tls/tls.key"), "another key"),
        (lambda root, other: take(root, other, "edge-tls/ca.crt"), "does not hold what ca.crt holds"),
        (lambda root, other: take(root, other, "kafka-tls/tls.pem"), "does not hold what kafka-tls/tls.key"),
    ],
)
def test_a_certificate_that_is_not_what_it_has_to_be_is_named_and_mended_by_a_renewal(
    root: Path, other: Path, spoil: Callable[[Path, Path], None], sentence: str
) -> None:
    spoil(root, other)
    assert [one for one in said(root) if sentence in one], said(root)
    renew(root, NOW)
    assert said(root) == []


def take(root: Path, other: Path, *names: str, into: str = "") -> None:
    for name in names:
        (root / (into or name)).unlink()
        shutil.copy(other / name, root / (into or name))


def test_names_that_were_changed_since_are_said(root: Path) -> None:
    overwrite(root / layout.NAMES, "edge_hosts: [llm.example.eu]\n")
    assert said(root) == ["edge-http/tls.crt: It says other names than follow from names.yaml."]
    for content in ("region: Not A Region\n", "hosts: 1\n", "[", ""):
        overwrite(root / layout.NAMES, content)
        assert [one for one in said(root) if one.startswith("names.yaml: It breaks a rule")] or not content


def test_certificates_that_end_and_have_ended_and_have_not_begun_are_said(root: Path) -> None:
    assert said(root, days=340)[0] == "edge-tls/tls.crt: It ends in 25 days."
    assert said(root, days=400)[0] == "edge-tls/tls.crt: It ended 35 days ago."
    assert "ca.crt: It ends in 20 days." in said(root, days=3630)
    assert "edge-tls/tls.crt: It begins only in 23.0 hours." in said(root, days=-1)


def test_an_authority_that_ends_before_what_it_would_sign_is_said_ahead(root: Path) -> None:
    (one,) = [one for one in found(root, days=3300) if one.subject == layout.CA_CERTIFICATE]
    assert (one.level, one.sentence) == (
        Level.WARN,
        "It ends in 350 days, and no certificate outlives it.",
    )
    assert "comptoir secrets authority add" in one.next_step


@pytest.mark.parametrize(
    ("name", "mode", "sentence"),
    [
        (".", 0o755, "Others may enter the folder."),
        ("authority", 0o750, "Others may enter the folder."),
        (layout.CA_KEY, 0o640, "Others may read it."),
        ("router", 0o777, "Others may put files into it."),
        ("router", 0o700, "A container's user cannot enter it."),
        ("router/pepper", 0o666, "Others may write it."),
        ("router/pepper", 0o600, "A container's user cannot read it."),
    ],
)
def test_a_mode_that_lets_in_whom_it_should_not_or_keeps_out_whom_it_should_not_is_said(
    root: Path, name: str, mode: int, sentence: str
) -> None:
    before = (root / name).stat().st_mode
    (root / name).chmod(mode)
    assert said(root) == [f"{name}: {sentence}"]
    (root / name).chmod(before)


def test_a_folder_in_whose_place_is_a_link_is_said(root: Path, tmp_path: Path) -> None:
    (root / "router").rename(tmp_path / "router")
    (root / "router").symlink_to(tmp_path / "router")
    assert said(root) == ["router: It is no folder, or a link to one."]
