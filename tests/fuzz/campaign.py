"""Fuzzes one target for a time; a finding is what fails again alone, without instrumentation."""

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.runtime.settings import environment
from tests.fuzz.targets import Target

REPOSITORY: Final = Path(__file__).parents[2]
# libFuzzer ends itself; this is for one that hangs.
_GRACE_SECONDS: Final = 60
# Of one input, instrumented, on a machine that others use too; what computes for 0.1 s says so itself.
_HANG_SECONDS: Final = 20
_REPLAY_SECONDS: Final = 60
_MOST_MEGABYTES: Final = 2048


class Finding(Exception):  # noqa: N818 - a fault in the code under test
    """An input for which a property does not hold."""


def fuzz(target: Target, folder: Path, *, seconds: float, say: Callable[[str], None]) -> None:
    """Fuzzes for `seconds`, with what was found before in `folder`; raises Finding.

    An input that fails there and not alone, such as a slow one on a busy machine, is reported and the rest
    of the time goes on.
    """
    grown = folder / "corpus"
    grown.mkdir(parents=True, exist_ok=True)
    (folder / "words.txt").write_text("\n".join(map(_quoted, target.words())), encoding="utf-8")
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 1:
        shown = _run(target, folder, max(1, round(left)))
        for artefact in sorted(folder.glob("artefact-*")):
            confirm(target, artefact, shown, say)
        if shown is None:
            return


def _run(target: Target, folder: Path, seconds: int) -> str | None:
    """Returns what libFuzzer said where it stopped for a failure."""
    options = (
        f"-max_total_time={seconds}",
        f"-max_len={target.max_bytes}",
        f"-timeout={_HANG_SECONDS}",
        f"-rss_limit_mb={_MOST_MEGABYTES}",
        f"-artifact_prefix={folder}/artefact-",
        f"-dict={folder}/words.txt",
        # Inputs are grown to their most bytes within the time that there is.
        "-len_control=20",
        "-verbosity=0",
    )
    program = ("-m", "tests.fuzz.run_target", target.name, ",".join(target.covers))
    corpora = (folder / "corpus", target.corpus)
    done = _python(*program, *options, *corpora, timeout_seconds=seconds + _GRACE_SECONDS)
    return None if done.returncode == 0 else done.stdout + done.stderr


def confirm(target: Target, artefact: Path, shown: str | None, say: Callable[[str], None]) -> None:
    """Raises Finding where an input fails alone too, and keeps it; otherwise reports it and forgets it."""
    done = _python("-m", "tests.fuzz.replay", target.name, artefact, timeout_seconds=_REPLAY_SECONDS)
    if done.returncode == 0:
        say(f"{target.name}: {artefact.name} failed under the fuzzer and not alone\n{(shown or '')[-2000:]}")
        artefact.unlink()
        return
    kept = target.corpus / f"found-{hashlib.sha256(artefact.read_bytes()).hexdigest()[:12]}"
    shutil.move(artefact, kept)
    raise Finding(f"{target.name}: {kept}\n{done.stderr[-4000:]}")


def _python(*arguments: str | Path, timeout_seconds: float) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=REPOSITORY,
            env=environment(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return subprocess.CompletedProcess(error.cmd, 124, "", f"no end after {timeout_seconds:.0f} s")


def _quoted(word: str) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in word.encode()) + '"'
