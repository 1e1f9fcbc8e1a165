"""vLLM's own HTTP server on `tiny-eu`, as a process of its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from services.generator.adapters.vllm.environment import engine_variables
from tests.bench.beside.servers import server
from tests.contracts.engine_requests import CONTEXT_TOKENS, RUNNING_REQUESTS
from tests.ports import free_port

MODEL: Final = Path(__file__).parents[5] / "deploy" / "models" / "tiny-eu"
# Half of its start is imports: those that are thrown away are left out, and its engine is a copy of it.
_START: Final = """
import gc, runpy
from services.generator.adapters.vllm.imports import hasten_imports
gc.disable()
hasten_imports()
runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__", alter_sys=True)
"""
# As the engine in process has them: blocks for three contexts, so that some are preempted.
_KV_CACHE_BYTES: Final = 3 * 1024 * 1024


@contextmanager
def vllm_server(folder: Path, *options: str) -> Iterator[str]:
    """The server's URL; started as docs/engines.md says, for a CPU, and with these options."""
    port = free_port()
    command = [sys.executable, "-c", _START, "--model", str(MODEL)]
    command += ["--served-model-name", "tiny-eu", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--max-model-len", str(CONTEXT_TOKENS), "--max-num-seqs", str(RUNNING_REQUESTS)]
    command += ["--scheduling-policy", "priority", "--enable-prompt-tokens-details"]
    command += ["--generation-config", "vllm", "--prefix-caching-hash-algo", "sha256"]
    command += ["--disable-uvicorn-access-log", "--uvicorn-log-level", "warning", "--no-enable-log-requests"]
    # Of a CPU alone.
    command += ["--dtype", "float32", "--enforce-eager", "--kv-cache-memory-bytes", str(_KV_CACHE_BYTES)]
    command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "2048", *options]
    variables = engine_variables(is_download_allowed=False, cpu_threads=1)
    variables["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
    # Its handlers are for our own log.
    del variables["VLLM_LOGGING_CONFIG_PATH"]
    with server(folder / "vllm.log", command, variables, port, "/health"):
        yield f"http://127.0.0.1:{port}"
