"""What must be so before vLLM is imported: nothing phones home, nothing is logged in its own words."""

import ctypes
import gc
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from services.generator.adapters.vllm.log import hush

_LIBC: Final = ctypes.CDLL(None)
_PR_SET_PDEATHSIG: Final = 1
_LOGGING: Final = Path(__file__).with_name("log.json")

_ALWAYS: Final = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    # vLLM logs sampling parameters when it crashes, stop strings among them.
    "VLLM_LOGGING_CONFIG_PATH": str(_LOGGING),
    "VLLM_LOGGING_LEVEL": "WARNING",
    # Keeps the model in the engine's own process: one process fewer, and half the start-up time.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # Threads tied to cores spin while another process has the core: twelve times slower on a busy machine.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "TOKENIZERS_PARALLELISM": "false",
    # What does not fit a grammar would be told on stderr.
    "LLGUIDANCE_LOG_LEVEL": "0",
}


def set_environment(*, is_download_allowed: bool, cpu_threads: int) -> None:
    """Sets the variables that vLLM and the libraries below it read when they are imported."""
    variables = engine_variables(is_download_allowed=is_download_allowed, cpu_threads=cpu_threads)
    os.environ.update(variables)  # noqa: TID251 - vLLM reads nothing else


def engine_variables(*, is_download_allowed: bool, cpu_threads: int) -> dict[str, str]:
    """Returns these variables, for an engine in another process too."""
    variables = {**_ALWAYS, "OMP_NUM_THREADS": str(cpu_threads)}
    if not is_download_allowed:
        variables |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return variables


def fork_workers() -> None:
    """Lets the engine's process be a copy of this one, so that it need not import everything again.

    The copy ends with this process, even where this one is killed: nothing else would end it, and on a GPU
    it would keep the memory that the next one needs. What it says, it says through the log's handler.
    Where this process has used the GPU already, vLLM starts a new one instead.
    """
    os.register_at_fork(after_in_child=_be_a_quiet_child)
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"  # noqa: TID251 - vLLM reads nothing else


@contextmanager
def quiet_import() -> Iterator[None]:
    """Imports a fifth faster, and without the warnings that libraries have for their own authors.

    Millions of objects come into being and none goes away, so collections only cost time;
    frozen, they cost none later either, and a forked engine shares their memory.
    """
    gc.disable()
    try:
        with quiet():
            yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def quiet() -> Iterator[None]:
    """Drops Python warnings, in a process that is forked here too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _be_a_quiet_child() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    hush()
