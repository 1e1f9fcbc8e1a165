"""Another authority takes the place of the present one while processes go on calling one another."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from deploy.local.stack.errors import StackError
from services.cli.secrets import certificates, layout
from services.cli.secrets.folder import SecretFiles
from services.cli.secrets.making import SecretsMaking
from services.cli.secrets.rotation import AuthorityRotation
from services.kernel.clock import SystemClock
from services.runtime.settings import environment
from tests.services.cli.secrets.test_checking import found, said
from tests.services.cli.secrets.test_making import DAY, NOW, Stopped, contents, init, renew

REPOSITORY = Path(__file__).parents[4]
SECONDS = 120
STEPS = ("add", "use", "retire")
FOLDERS = {"server": "router-1-tls", "caller": "edge-tls"}


def step(root: Path, name: str, now: float = NOW) -> SecretsMaking:
    making = SecretsMaking(SecretFiles(root), now, 365)
    getattr(AuthorityRotation(making), name)()
    return making


def authorities(root: Path) -> tuple[bytes, ...]:
    return certificates.each_of((root / layout.CA_CERTIFICATE).read_bytes())


def signer(root: Path, folder: str = "edge-tls") -> bytes:
    shown = (root / folder / "tls.crt").read_bytes()
    (found,) = [one for one in authorities(root) if certificates.is_signed_by(shown, one)]
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    init(tmp_path / "secrets")
    return tmp_path / "secrets"


def test_it_goes_from_one_authority_over_both_to_the_other(root: Path) -> None:
    (old,) = authorities(root)
    keys = {name: text for name, text in contents(root).items() if name.endswith("tls.key")}
    step(root, "add")
    _, new = authorities(root)
    assert authorities(root) == (old, new)
    assert signer(root) == old
    step(root, "use")
    assert authorities(root) == (new, old)
    folders = [*(bearer.folder for bearer in layout.BEARERS), layout.EDGE_HTTP]
    assert {signer(root, folder) for folder in folders} == {new}
    step(root, "retire")
    assert authorities(root) == (new,)
    for bearer in layout.BEARERS:
        assert (root / bearer.folder / "ca.crt").read_bytes() == new
    assert keys.items() <= contents(root).items()
    assert [path.name for path in (root / "authority").iterdir()] == ["ca.key"]
    assert (root / layout.CA_KEY).stat().st_mode & 0o777 == 0o600
    subjects = [x509.load_pem_x509_certificate(one).subject for one in (old, new)]
    assert subjects[0] != subjects[1]


@pytest.mark.parametrize("name", STEPS)
def test_a_folder_is_whole_after_each_step_and_a_step_again_changes_nothing(root: Path, name: str) -> None:
    for before in STEPS[: STEPS.index(name) + 1]:
        step(root, before)
    assert said(root) == []
    after = contents(root)
    assert step(root, name).renewed == []
    assert renew(root, NOW) == []
    assert contents(root) == after


def test_steps_out_of_their_order_are_refused_and_change_nothing(root: Path, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="authority add"):
        step(root, "use")
    step(root, "add")
    before = contents(root)
    with pytest.raises(StackError, match="authority use"):
        step(root, "retire")
    assert contents(root) == before
    step(root, "use")
    with pytest.raises(StackError, match="authority retire"):
        step(root, "add")
    with pytest.raises(StackError, match="no folder of secrets"):
        step(tmp_path / "none", "add")


def test_a_new_authority_needs_no_key_of_one_that_was_lost(root: Path) -> None:
    (root / layout.CA_KEY).unlink()
    for name in STEPS:
        step(root, name)
    assert said(root) == []


@pytest.mark.parametrize("is_key_there", [True, False])
def test_a_step_whose_new_key_is_kept_elsewhere_is_refused_rather_than_skipped(
    root: Path, tmp_path: Path, is_key_there: bool
) -> None:
    (old,), later = authorities(root), NOW + DAY
    step(root, "add", later)
    shutil.copytree(root / layout.AUTHORITY, tmp_path / "safe")
    (root / layout.NEXT_CA_KEY).unlink()
    if not is_key_there:
        (root / layout.CA_KEY).unlink()
    (told,) = [one for one in found(root) if "rotation" in one.sentence]
    assert "authority use" in told.next_step
    with pytest.raises(StackError, match=r"next-ca\.key, .* is not there"):
        step(root, "use", later)
    with pytest.raises(StackError, match="authority use"):
        step(root, "retire", later)
    shutil.copytree(tmp_path / "safe", root / layout.AUTHORITY, dirs_exist_ok=True)
    step(root, "use", later)
    shutil.rmtree(root / layout.AUTHORITY)
    assert step(root, "use", later).renewed == []
    step(root, "retire", later)
    (new,) = authorities(root)
    assert new != old


def test_an_authority_that_is_about_to_end_signs_no_certificate_that_is_due_again_at_once(
    root: Path,
) -> None:
    late = NOW + (certificates.AUTHORITY_DAYS - 20) * DAY
    with pytest.raises(StackError, match="authority add"):
        renew(root, late)
    making = SecretsMaking(SecretFiles(root), late, 365)
    making.renew(30 * DAY, until_authority_ends=True)
    assert making.is_cut_short
    end = certificates.seconds_left(authorities(root)[0], NOW)
    assert certificates.seconds_left((root / "edge-tls" / "tls.crt").read_bytes(), NOW) == end
    for name in STEPS:
        step(root, name, late)
    assert said(root, days=certificates.AUTHORITY_DAYS - 20) == []


def test_an_authority_that_has_ended_signs_nothing(root: Path) -> None:
    (root / "edge-tls" / "tls.crt").unlink()
    with pytest.raises(StackError, match="has ended"):
        init(root, now=NOW + 4000 * DAY)


class OneWrite:
    """A disk that takes one change of a file, and is gone at the second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.changes = 0
        self._make = SecretFiles.make
        for name in ("make", "replace", "remove"):
            monkeypatch.setattr(SecretFiles, name, self._counted(getattr(SecretFiles, name)))

    def _counted(self, method: Callable[..., None]) -> Callable[..., None]:
        def change(files: SecretFiles, name: str, *content: Any, **more: Any) -> None:
            is_there = (files.root / name).exists()
            if is_there != (method is self._make):
                if self.changes == 1:
                    raise Stopped
                self.changes += 1
            method(files, name, *content, **more)

        return change


@pytest.mark.parametrize("name", STEPS)
def test_a_step_that_stopped_after_any_one_change_is_finished_by_the_next_run(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for before in STEPS[: STEPS.index(name)]:
        step(root, before)
    for _ in range(200):
        with monkeypatch.context() as patch:
            OneWrite(patch)
            try:
                step(root, name)
            except Stopped:
                # Whoever reads the folder now believes whoever showed a certificate of it before.
                assert signer(root) in authorities(root)
            else:
                break
    else:
        pytest.fail("it never came to its end")
    assert said(root) == []
    after = contents(root)
    assert step(root, name).renewed == []
    assert contents(root) == after


class Peers:
    """A server and a caller, each with a copy of its folder that is as old as its last sync."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder
        for who in FOLDERS:
            self.sync(who)
        self.server = self._start("serve", str(folder / "server"))
        self.caller = self._start("call", str(folder / "caller"), self._line(self.server))

    def sync(self, who: str) -> None:
        """Each file in one step, as `comptoir secrets` writes it."""
        into = self._folder / who
        into.mkdir(exist_ok=True)
        for path in (self._root / FOLDERS[who]).iterdir():
            aside = into / f".{path.name}"
            shutil.copy(path, aside)
            aside.replace(into / path.name)

    def ask(self) -> str:
        assert self.caller.stdin is not None
        self.caller.stdin.write("ask\n")
        self.caller.stdin.flush()
        return self._line(self.caller)

    def close(self) -> None:
        for process in (self.caller, self.server):
            process.communicate(timeout=SECONDS)
            assert process.returncode == 0

    def _start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.services.cli.secrets.tls_peer", *arguments],
            cwd=REPOSITORY,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def _line(process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        return process.stdout.readline().strip()


@pytest.fixture
def now() -> float:
    return SystemClock().wall_microseconds() / 1e6


@pytest.fixture
def peers(tmp_path: Path, now: float) -> Iterator[Peers]:
    init(tmp_path / "secrets", now=now)
    (tmp_path / "copies").mkdir()
    made = Peers(tmp_path / "secrets", tmp_path / "copies")
    yield made
    made.close()


@pytest.mark.timeout(SECONDS * 3)
def test_two_processes_call_one_another_through_all_of_it_whoever_reads_a_step_first(
    peers: Peers, tmp_path: Path, now: float
) -> None:
    root, answered = tmp_path / "secrets", "answered answered"
    assert peers.ask() == answered
    for order in (("server", "caller"), ("caller", "server")):
        for name in STEPS:
            step(root, name, now)
            for who in order:
                peers.sync(who)
                assert peers.ask() == answered, (name, who)
    # Who reads nothing of a whole rotation shows what is believed no more.
    for name in STEPS:
        step(root, name, now)
    peers.sync("server")
    assert peers.ask().split()[1] == "UNAVAILABLE"
    peers.sync("caller")
    assert peers.ask() == answered
