"""A folder of secrets is made once, whatever interrupts it, and renewed without a new key."""

import itertools
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.stack.errors import StackError
from services.cli.secrets import layout
from services.cli.secrets.folder import SecretFiles
from services.cli.secrets.layout import Names
from services.cli.secrets.making import SecretsMaking
from services.runtime.settings import environment

NOW, DAY = 1_790_000_000.0, 86_400.0


def init(root: Path, names: Names | None = None, **more: Any) -> SecretsMaking:
    making = SecretsMaking(SecretFiles(root), more.get("now", NOW), 365)
    making.init(names or Names())
    return making


def renew(root: Path, now: float) -> list[str]:
    making = SecretsMaking(SecretFiles(root), now, 365)
    making.renew(30 * DAY)
    return making.renewed


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "secrets"
    init(root)
    return root


def test_a_second_run_changes_nothing(whole: Path) -> None:
    before = contents(whole)
    again = init(whole)
    assert (again.made, again.renewed) == ([], [])
    assert contents(whole) == before


def test_only_its_owner_enters_and_only_the_authoritys_key_is_kept_from_who_mounts(whole: Path) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(whole) == 0o700
    assert mode(whole / "authority") == 0o700
    kept = {name for name in contents(whole) if mode(whole / name) != 0o444}
    assert kept == {".lock", layout.CA_KEY}
    assert mode(whole / layout.CA_KEY) == 0o600


def test_servers_know_digests_and_generators_the_public_half(whole: Path) -> None:
    for path in layout.RANDOM:
        secret = (whole / path).read_text().strip()
        holders = {name for name, text in contents(whole).items() if secret.encode() in text}
        assert holders <= {path, "postgres/password"}, path
    seed = bytes.fromhex((whole / layout.SIGNING_KEY).read_text())
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert (whole / layout.PUBLIC_KEY).read_text().strip() == public.hex()


def test_each_certificate_says_one_process_of_the_region(whole: Path) -> None:
    for bearer in layout.BEARERS:
        certificate = x509.load_pem_x509_certificate((whole / bearer.folder / "tls.crt").read_bytes())
        said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = said.get_values_for_type(x509.UniformResourceIdentifier)
        assert uris == [f"spiffe://comptoir.internal/region/eu-fr/process/{bearer.process}"]
        dns = said.get_values_for_type(x509.DNSName)
        assert f"{bearer.hosts[0]}.eu-fr.comptoir.internal" in dns
        certificate.verify_directly_issued_by(
            x509.load_pem_x509_certificate((whole / layout.CA_CERTIFICATE).read_bytes())
        )


class Stopped(BaseException):
    """What a kill is to the code that it hits."""


def test_a_run_that_stopped_before_any_one_write_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step but one is taken once in all: a new folder goes on from where the last stop left it."""
    root = tmp_path / "secrets"
    make = SecretFiles.make
    seen: dict[str, bytes] = {}
    made: list[str] = []

    def stop_at_second(self: SecretFiles, name: str, *content: Any, **more: Any) -> None:
        if len(made) == 1:
            raise Stopped
        made.append(name)
        make(self, name, *content, **more)

    for step in itertools.count():
        made.clear()
        with monkeypatch.context() as patch:
            patch.setattr(SecretFiles, "make", stop_at_second)
            try:
                init(root)
            except Stopped:
                pass
            else:
                break
        now = contents(root)
        assert seen.items() <= now.items(), "an earlier file changed"
        seen = now
        assert step < 200
    assert set(contents(root)) == {*seen, *made}
    assert init(root).made == []


def test_what_a_kill_in_the_middle_leaves_is_repaired(tmp_path: Path) -> None:
    root = tmp_path / "secrets"
    program = (
        "import os, signal, sys; from services.cli.secrets.folder import SecretFiles as F\n"
        "fill, left = F._fill, [int(sys.argv[2])]\n"
        "def dying(path, content, mode):\n"
        "    left[0] -= 1\n"
        "    if left[0] == 0:\n"
        "        path.write_bytes(content[: len(content) // 2]); os.kill(os.getpid(), signal.SIGKILL)\n"
        "    fill(path, content, mode)\n"
        "F._fill = staticmethod(dying)\n"
        "sys.argv = ['comptoir', 'secrets', 'init', sys.argv[1]]\n"
        "from services.cli.__main__ import main; main()\n"
    )
    for step in (3, 12):
        done = subprocess.run(
            [sys.executable, "-c", program, str(root), str(step)],
            env=environment(),
            cwd=Path(__file__).parents[4],
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        assert list(root.rglob(".*.????????"))
    init(root)
    assert not list(root.rglob(".*.????????"))
    assert init(root).made == []


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "work" / ".notes.0a1b2c3d"
    own.parent.mkdir()
    own.write_text("mine")
    tmp_path.chmod(0o755)
    with pytest.raises(StackError, match="empty"):
        init(tmp_path)
    assert contents(tmp_path) == {"work/.notes.0a1b2c3d": b"mine"}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_certificates_that_end_are_signed_anew_for_the_same_keys(tmp_path: Path) -> None:
    root = tmp_path / "secrets"
    init(root)
    before = contents(root)
    assert renew(root, NOW + 300 * DAY) == []
    renewed = renew(root, NOW + 340 * DAY)
    after = contents(root)
    assert {name for name in after if after[name] != before[name]} == set(renewed)
    assert {Path(name).name for name in renewed} == {"tls.crt", "tls.pem"}
    assert len(renewed) == len(layout.BEARERS) + 1 + len(layout.IN_ONE_FILE)


def test_a_further_host_of_the_edge_is_a_line_in_the_folder_and_a_renewal(tmp_path: Path) -> None:
    root = tmp_path / "secrets"
    init(root)
    file = root / layout.NAMES
    file.chmod(0o600)
    file.write_text(file.read_text().replace("- localhost", "- localhost\n- llm.example.eu"))
    assert renew(root, NOW) == ["edge-http/tls.crt"]


def test_other_names_than_those_of_the_folder_are_refused(whole: Path) -> None:
    with pytest.raises(StackError, match=r"names\.yaml"):
        init(whole, Names(region="eu-de"))


def test_a_lost_authority_is_not_replaced_by_one_that_nobody_knows(tmp_path: Path) -> None:
    root = tmp_path / "secrets"
    init(root)
    (root / layout.CA_CERTIFICATE).unlink()
    (root / layout.CA_KEY).rename(tmp_path / "kept")
    with pytest.raises(StackError, match="put them back"):
        init(root)
    (tmp_path / "kept").rename(root / layout.CA_KEY)
    assert init(root).made == [layout.CA_CERTIFICATE]


def test_an_authority_whose_key_is_kept_elsewhere_signs_nothing_and_says_so(tmp_path: Path) -> None:
    root = tmp_path / "secrets"
    init(root)
    (root / layout.CA_KEY).unlink()
    assert init(root).made == []
    (root / "edge-tls" / "tls.crt").unlink()
    with pytest.raises(StackError, match=r"authority/ca\.key is missing"):
        init(root)


def test_a_secret_that_was_spoilt_is_said_and_not_made_anew(tmp_path: Path) -> None:
    root = tmp_path / "secrets"
    init(root)
    pepper = root / "usage" / "clickhouse-password"
    pepper.chmod(0o600)
    pepper.write_text("short")
    with pytest.raises(StackError, match="backup"):
        init(root)
    assert pepper.read_text() == "short"


def test_two_at_once_make_one_folder(tmp_path: Path) -> None:
    root = tmp_path / "secrets"
    program = (
        "from pathlib import Path; from tests.services.cli.secrets.test_making import init\n"
        f"init(Path({str(root)!r}))"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[4], env=environment())
        for _ in range(2)
    ]
    assert [one.wait(120) for one in both] == [0, 0]
    assert init(root).made == []
