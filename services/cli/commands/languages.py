"""`comptoir languages`: what a model's tokens cost in each language, and in which it answers."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from deploy.local.stack.paths import DataPaths
from services.cli.adapters.language_detection import detecting
from services.cli.adapters.tokenizer import counting_by
from services.cli.administering import AsJson
from services.cli.answering import said_of
from services.cli.bench.errors import BenchError
from services.cli.endpoint import found_endpoint, needed_key
from services.cli.languages.answers import Answered, answering, asked
from services.cli.languages.corpus import LANGUAGES, Language
from services.cli.languages.costs import Counted, counted
from services.cli.languages_view import answers_table, costs_table, document

if TYPE_CHECKING:
    from openai import OpenAI

Count = Callable[[str], int]

_ANSWER_TOKENS: Final = 60
_LETTER: Final = "a"


def languages(  # noqa: PLR0913 - each is an option
    *,
    model: Annotated[str, typer.Option(help="Another model than the local stack's.")] = "",
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="A tokenizer.json, or its folder: counts here, and no endpoint is asked."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--language", help="A language by its code, such as fr; repeatable.")
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1_000_000.0, help="Price of a million input tokens, for the cost of a page."
        ),
    ] = None,
    answers: Annotated[
        bool, typer.Option("--answers/--no-answers", help="Ask whether it answers in the language asked for.")
    ] = True,
    data_dir: Annotated[Path, typer.Option(help="The data folder of a local stack.")] = DEFAULT_DATA_DIR,
    base_url: Annotated[str, typer.Option(help="Another endpoint than the local stack's.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what a page costs in eleven languages of Europe, and whether a model answers in six of them.

    Counts the same text in each language with the model's own tokenizer (`/v1/tokenize`, which spends no
    tokens), then asks three questions for each of six languages, told by the system prompt to answer in it
    (at most 1,080 tokens of answers; --no-answers leaves it out). Answers are looked at and let go.

    comptoir languages --price 0.40
    comptoir languages --tokenizer ./my-model --language fr --language el
    """
    chosen = _chosen(only or [])
    if tokenizer is not None:
        try:
            count = counting_by(tokenizer)
        except BenchError as error:
            raise StackError(str(error)) from None
        _show(tokenizer.name, [_counted(one, count) for one in chosen], [], price, as_json=as_json)
        return
    paths = DataPaths(data_dir.resolve())
    endpoint = found_endpoint(paths, base_url, model)
    import openai  # noqa: PLC0415 - takes a second, which no other command needs

    key = needed_key(endpoint, paths)
    with openai.OpenAI(base_url=endpoint.base_url, api_key=key, max_retries=2) as client:
        try:
            count = _counting(client, endpoint.model)
            costs = [_counted(one, count) for one in chosen]
            said = _answered(client, endpoint.model, chosen) if answers else []
        except openai.APIError as error:
            raise said_of(error, endpoint.base_url) from None
    _show(endpoint.model, costs, said, price, as_json=as_json)


def _chosen(codes: Sequence[str]) -> Sequence[Language]:
    unknown = sorted(set(codes) - set(LANGUAGES))
    if unknown:
        raise StackError(f"--language takes {', '.join(LANGUAGES)}.")
    return [language for code, language in LANGUAGES.items() if not codes or code in codes]


def _counted(language: Language, count: Count) -> Counted:
    return counted(language, [count(paragraph) for paragraph in language.paragraphs])


def _counting(client: "OpenAI", model: str) -> Count:
    def asked(text: str) -> int:
        answer = client.post("/tokenize", body={"model": model, "prompt": text}, cast_to=dict[str, object])
        found = answer.get("count")
        if not isinstance(found, int) or found < 1:
            raise StackError(
                "That endpoint does not say how many tokens a text has; name the model's tokenizer.json with "
                "--tokenizer."
            )
        return found

    # What each prompt begins with, whatever its text: a letter is one token more.
    around_tokens = asked(_LETTER) - 1
    return lambda text: asked(text) - around_tokens


def _answered(client: "OpenAI", model: str, chosen: Sequence[Language]) -> list[Answered]:
    detect, found = detecting(list(LANGUAGES)), list[Answered]()

    def answer(instruction: str, question: str) -> str:
        completion = client.chat.completions.create(
            model=model,
            messages=[{"role": "system", "content": instruction}, {"role": "user", "content": question}],
            max_completion_tokens=_ANSWER_TOKENS,
            temperature=0.0,
        )
        if not completion.choices:
            raise StackError("That endpoint answers a chat without any choice: it is none of OpenAI's.")
        return completion.choices[0].message.content or ""

    for language in answering():
        if language in chosen:
            if sys.stderr.isatty():
                sys.stderr.write(f"asks for {language.name}\n")
            found.append(asked(language, answer, detect))
    return found


def _show(
    model: str, costs: Sequence[Counted], answers: Sequence[Answered], price: float | None, *, as_json: bool
) -> None:
    if as_json:
        sys.stdout.write(f"{json.dumps(document(model, costs, answers, price), indent=2)}\n")
        return
    console = Console()
    console.print(costs_table(model, costs, price))
    if answers:
        console.print(answers_table(model, answers))
