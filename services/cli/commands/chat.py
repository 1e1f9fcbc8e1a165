"""`comptoir chat`: one question, its answer as it is generated, and what it cost."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.state import missing_state, read_state
from services.runtime.settings import environment

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types.chat import ChatCompletionChunk


def chat(
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    data_dir: Annotated[Path, typer.Option(help="The data folder of a local stack.")] = DEFAULT_DATA_DIR,
    base_url: Annotated[str, typer.Option(help="Another endpoint than the local stack's.")] = "",
    model: Annotated[str, typer.Option(help="Another model than the local stack's.")] = "",
    max_tokens: Annotated[int | None, typer.Option(min=1, help="The most output tokens.")] = None,
    temperature: Annotated[float, typer.Option(min=0.0, max=2.0)] = 0.7,
) -> None:
    """Stream one answer, then print TTFT, tokens per second and token counts.

    The key is COMPTOIR_API_KEY, or the one that `comptoir up` left in the data folder.
    """
    paths = DataPaths(data_dir.resolve())
    if not base_url or not model:
        state = read_state(paths)
        if state is None:
            raise missing_state(paths.root)
        base_url = base_url or state["base_url"]
        model = model or state["model"]
    import openai  # noqa: PLC0415 - takes a second, which no other command needs

    client = openai.OpenAI(base_url=base_url, api_key=_api_key(paths), max_retries=2)
    text = sys.stdin.read() if prompt == "-" else prompt
    try:
        with client:
            _stream(client, model, text, max_tokens, temperature)
    except openai.APIStatusError as error:
        raise StackError(f"{base_url} refused: {error.message}") from None
    except openai.APIConnectionError:
        raise StackError(f"{base_url} cannot be reached; is it running? `comptoir status` tells.") from None
    except openai.APIError as error:
        raise StackError(f"The answer broke off: {error.message}") from None


def _stream(client: "OpenAI", model: str, text: str, max_tokens: int | None, temperature: float) -> None:
    started = time.monotonic()
    first = last = 0.0
    usage = None
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        stream=True,
        stream_options={"include_usage": True},
        temperature=temperature,
        max_completion_tokens=max_tokens,
    )
    for chunk in stream:
        usage = chunk.usage or usage
        if piece := _content(chunk):
            last = time.monotonic()
            first = first or last
            sys.stdout.write(piece)
            sys.stdout.flush()
    sys.stdout.write("\n")
    if usage is None:
        return
    first = first or time.monotonic()
    decode_seconds = last - first
    rate = (usage.completion_tokens - 1) / decode_seconds if decode_seconds > 0 else 0.0
    Console(stderr=True).print(
        f"TTFT {1000 * (first - started):.0f} ms, {rate:.0f} output tokens/s, "
        f"{usage.prompt_tokens} input tokens, {usage.completion_tokens} output tokens",
        highlight=False,
        style="dim",
    )


def _content(chunk: "ChatCompletionChunk") -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


def _api_key(paths: DataPaths) -> str:
    given = environment().get("COMPTOIR_API_KEY", "")
    if given:
        return given
    try:
        return paths.api_key.read_text(encoding="ascii").strip()
    except OSError:
        raise StackError(
            f"There is no API key: set COMPTOIR_API_KEY, or name the folder of a local stack with --data-dir "
            f"(looked in {paths.secrets}{os.sep})."
        ) from None
