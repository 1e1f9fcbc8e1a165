"""`comptoir chat`: one question with its answer as it is generated and what it cost, or a whole chat."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from deploy.local.stack.paths import DataPaths
from services.cli.answering import Answer, Ask, said_of, stream_answer
from services.cli.chat_screen import ChatScreen
from services.cli.conversation import NOT_WRITABLE, is_writable, shown
from services.cli.endpoint import found_endpoint, needed_key
from services.runtime.privacy import keep_private

if TYPE_CHECKING:
    from openai import OpenAI


def chat(
    prompt: Annotated[
        str | None,
        typer.Argument(help="What to ask; - reads it from standard input. Left out, a chat begins."),
    ] = None,
    data_dir: Annotated[Path, typer.Option(help="The data folder of a local stack.")] = DEFAULT_DATA_DIR,
    base_url: Annotated[str, typer.Option(help="Another endpoint than the local stack's.")] = "",
    model: Annotated[str, typer.Option(help="Another model than the local stack's.")] = "",
    max_tokens: Annotated[int | None, typer.Option(min=1, help="The most output tokens.")] = None,
    temperature: Annotated[float, typer.Option(min=0.0, max=2.0)] = 0.7,
) -> None:
    """Stream one answer, then print TTFT, tokens per second and token counts; or chat, on a terminal.

    Without PROMPT it is a chat: /help says what can be typed, Ctrl-C stops an answer, Ctrl-D ends. Its turns
    are in memory alone; nothing is written to a disk.

    The key is COMPTOIR_API_KEY, or the one that `comptoir up` left in the data folder, which goes to the
    local stack alone.
    """
    if prompt is None and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise StackError("A chat needs a terminal; say what to ask, or - to read it from standard input.")
    paths = DataPaths(data_dir.resolve())
    endpoint = found_endpoint(paths, base_url, model)
    base_url, api_key = endpoint.base_url, needed_key(endpoint, paths)
    import openai  # noqa: PLC0415 - takes a second, which no other command needs

    ask = Ask(endpoint.model, max_tokens, temperature)
    with openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=2) as client:
        if prompt is None:
            # Every turn is in memory, and a core dump would be a copy of it on the disk.
            keep_private()
            ChatScreen(client, ask).run()
            return
        question = _standard_input() if prompt == "-" else prompt
        if not is_writable(question):
            raise StackError(NOT_WRITABLE)
        try:
            _print_answer(client, ask, question)
        except openai.APIError as error:
            raise said_of(error, base_url) from None


def _print_answer(client: "OpenAI", ask: Ask, prompt: str) -> None:
    answer, is_terminal = Answer(), sys.stdout.isatty()

    def write(piece: str) -> None:
        sys.stdout.write(shown(piece) if is_terminal else piece)
        sys.stdout.flush()

    stream_answer(client, ask, [("user", prompt)], answer, write)
    sys.stdout.write("\n")
    if answer.cost:
        Console(stderr=True).print(answer.cost, highlight=False, style="dim")


def _standard_input() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError:
        raise StackError(NOT_WRITABLE) from None
