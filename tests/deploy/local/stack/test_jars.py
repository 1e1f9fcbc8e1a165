"""The jars: each report of the broker's process is shown, and its own sentence when it fails."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.kafka.jars import committed_lock
from deploy.local.stack.errors import StackError
from deploy.local.stack.jars import _follow, fetch_jars
from tests.deploy.local.stack.children import until_gone

MEBIBYTE = 2**20
_REPORT = '{{"step": "jars", "jars_done": {0}, "jars_total": 46, "bytes_done": {1}, "bytes_total": 99614720}}'


def _fake_broker(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """In place of Python: `script` in a shell, which is there sooner; with Python's arguments."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))


def _say(jars_done: int, bytes_done: int) -> str:
    return f"echo '{_REPORT.format(jars_done, bytes_done)}'"


async def test_every_step_is_shown_until_all_jars_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [_say(0, 0), _say(3, 10 * MEBIBYTE), _say(46, 95 * MEBIBYTE)]
    noted = f'echo "$*" "$HOME" > {tmp_path}/noted'
    _fake_broker(tmp_path, monkeypatch, "\n".join([noted, *steps]))
    shown: list[str] = []
    await fetch_jars(tmp_path / "comptoir.yaml", {"HOME": "/nowhere"}, shown.append)
    assert shown == ["0 of 46, 0 of 95 MiB", "3 of 46, 10 of 95 MiB", "done"]
    arguments = f"-m deploy.local.kafka.fetching --config {tmp_path}/comptoir.yaml"
    assert (tmp_path / "noted").read_text() == f"{arguments} /nowhere\n"


async def test_jars_that_were_fetched_before_are_done_without_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_broker(tmp_path, monkeypatch, "exit 1")
    lock = committed_lock()
    folder = tmp_path / "cache" / lock.kafka_version
    folder.mkdir(parents=True)
    for jar in lock.jars:
        with (folder / jar.file_name).open("wb") as file:
            file.truncate(jar.size_bytes)
    (folder / "checked").write_text(lock.digest)
    config = tmp_path / "comptoir.yaml"
    model = {"number": 1, "name": "m", "context_tokens": 9, "max_output_tokens": 9}
    catalog = {"regions": [{"number": 1, "name": "eu-fr", "is_eu": True}], "models": [model]}
    kafka = {"data_folder": str(tmp_path), "cache_folder": str(tmp_path / "cache")}
    config.write_text(json.dumps({"region": "eu-fr", "catalog": catalog, "local_kafka": kafka}))
    shown: list[str] = []
    await fetch_jars(config, {}, shown.append)
    assert shown == ["done"]
    (folder / lock.jars[0].file_name).unlink()
    with pytest.raises(StackError):
        await fetch_jars(config, {}, shown.append)


@pytest.mark.parametrize(
    ("complaint", "says"),
    [
        ("comptoir local_kafka: check the network.", "comptoir local_kafka: check the network."),
        (
            "comptoir local_kafka: first.\n{}\ncomptoir local_kafka: last.\nTraceback",
            "comptoir local_kafka: last.",
        ),
        ("Traceback of nobody's business", "The broker's jars could not be fetched."),
        ("", "The broker's jars could not be fetched."),
    ],
)
async def test_a_failure_is_the_brokers_own_last_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complaint: str, says: str
) -> None:
    (tmp_path / "complaint").write_text(complaint)
    script = f"{_say(1, MEBIBYTE)}\ncat {tmp_path}/complaint >&2\nexit 1"
    _fake_broker(tmp_path, monkeypatch, script)
    shown: list[str] = []
    with pytest.raises(StackError) as refusal:
        await fetch_jars(tmp_path / "comptoir.yaml", {"PATH": "/usr/bin:/bin"}, shown.append)
    assert str(refusal.value) == says
    assert shown == ["1 of 46, 1 of 95 MiB"]


async def test_more_complaints_than_a_pipe_holds_block_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "complaint").write_bytes(b"\xff" * MEBIBYTE)
    script = f"cat {tmp_path}/complaint >&2\n{_say(46, 95 * MEBIBYTE)}"
    _fake_broker(tmp_path, monkeypatch, script)
    shown: list[str] = []
    await fetch_jars(tmp_path / "comptoir.yaml", {"PATH": "/usr/bin:/bin"}, shown.append)
    assert shown == ["done"]


async def test_whoever_stops_waiting_leaves_no_download_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"echo $$ > {tmp_path}/pid\n{_say(0, 0)}\nexec sleep 60"
    _fake_broker(tmp_path, monkeypatch, script)
    started = asyncio.Event()
    fetching = asyncio.create_task(
        fetch_jars(tmp_path / "comptoir.yaml", {"PATH": "/usr/bin:/bin"}, lambda _: started.set())
    )
    await asyncio.wait_for(started.wait(), 15)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    until_gone(int((tmp_path / "pid").read_text()))


COUNTS = st.integers(min_value=0, max_value=2**40)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_only_the_last_jar_is_done_and_counts_are_shown_in_mebibytes(
    jars_done: int, jars_left: int, bytes_done: int, bytes_left: int
) -> None:
    report = {
        "jars_done": jars_done,
        "jars_total": jars_done + jars_left,
        "bytes_done": bytes_done,
        "bytes_total": bytes_done + bytes_left,
    }
    (shown,) = asyncio.run(_shown(json.dumps(report).encode() + b"\n"))
    if jars_left == 0:
        assert shown == "done"
    else:
        words = shown.replace(",", "").split()
        assert words[:3] == [str(jars_done), "of", str(jars_done + jars_left)]
        assert abs(int(words[3]) * MEBIBYTE - bytes_done) <= MEBIBYTE / 2
        assert abs(int(words[5]) * MEBIBYTE - bytes_done - bytes_left) <= MEBIBYTE / 2


async def _shown(lines: bytes) -> list[str]:
    reader = asyncio.StreamReader()
    reader.feed_data(lines)
    reader.feed_eof()
    shown: list[str] = []
    await _follow(reader, shown.append)
    return shown
