"""LiteLLM's proxy with a master key in front of one upstream, as its own documentation starts it."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.bench.beside.chat import Endpoint
from tests.bench.beside.servers import server


@contextmanager
def proxy(
    folder: Path, model: str, python: Path, port: int
) -> "Iterator[tuple[subprocess.Popen[bytes], Endpoint]]":
    """The proxy of what listens on `port`, and how it is asked; it listens on the next port."""
    key = f"sk-{secrets.token_hex(16)}"
    config = folder / "litellm.yaml"
    config.write_text(yaml.safe_dump(_config(model, port)), encoding="utf-8")
    command = [str(python.with_name("litellm")), "--config", str(config), "--host", "127.0.0.1"]
    command += ["--port", str(port + 1), "--num_workers", "1"]
    variables = {
        "LITELLM_MASTER_KEY": key,
        # Its own file of prices instead of one from the network, and nothing reported.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
    }
    log = folder / "litellm.log"
    with server(log, command, variables, port + 1, "/health/liveliness") as process:
        yield process, Endpoint(port + 1, model, key)


def _config(model: str, port: int) -> dict[str, Any]:
    upstream = {"model": f"hosted_vllm/{model}", "api_base": f"http://127.0.0.1:{port}/v1", "api_key": "none"}
    return {
        "model_list": [{"model_name": model, "litellm_params": upstream}],
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
        "litellm_settings": {"telemetry": False},
    }
