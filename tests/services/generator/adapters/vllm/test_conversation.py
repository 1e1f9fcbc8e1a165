"""Our prompt of a chat is the one that vLLM's own server makes of it, whatever its template reads."""

import copy
import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from services.generator.adapters.prompts.chat_prompt import ChatPrompt
from services.generator.adapters.prompts.conversation import converse_as_told
from services.generator.adapters.vllm.environment import quiet, quiet_import, set_environment
from services.generator.domain.prompt import Chat, ChatTurn, Role

pytestmark = pytest.mark.vllm

MODEL = Path(__file__).parents[5] / "deploy" / "models" / "tiny-eu"
# The shipped template goes through the parts of a content; this one only reads strings.
READS_STRINGS = (
    "{{- bos_token -}}{%- for message in messages -%}<|{{ message['role'] }}|>"
    "{{- message['content'] -}}<|end|>{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}"
)
# And this one says how many parts there are.
COUNTS_PARTS = READS_STRINGS.replace(
    "{{- message['content'] -}}",
    "{%- for part in message['content'] -%}[{{ loop.index }}]{{ part['text'] }}{%- endfor -%}",
)

CHATS: list[list[ChatTurn]] = [
    [ChatTurn(Role.USER, "Bonjour")],
    [ChatTurn(Role.USER, "", ("Hello", "world"))],
    [ChatTurn(Role.USER, "", ("Hello", "", "world\n", " ", "é"))],
    [ChatTurn(Role.USER, "", ("alone",)), ChatTurn(Role.ASSISTANT, ""), ChatTurn(Role.USER, "")],
    [
        ChatTurn(Role.SYSTEM, "", ("Be brief.", "Answer in French.")),
        ChatTurn(Role.USER, "Hello\nworld"),
        ChatTurn(Role.ASSISTANT, "", ("Bon", "jour")),
        ChatTurn(Role.USER, "  spaces  "),
    ],
]


def message(turn: ChatTurn) -> dict[str, Any]:
    parts = [{"type": "text", "text": text} for text in turn.parts]
    return {"role": turn.role.value, "content": parts or turn.text}


class Sides:
    """vLLM's renderer and our prompt, of one model folder; no engine is started."""

    def __init__(self, folder: Path) -> None:
        set_environment(is_download_allowed=False, cpu_threads=1)
        with quiet_import():
            from vllm.engine.arg_utils import AsyncEngineArgs  # noqa: PLC0415 - takes seconds
            from vllm.renderers.registry import renderer_from_config  # noqa: PLC0415

            from services.generator.adapters.vllm.conversation import converse_as_the_server  # noqa: PLC0415
            from services.generator.adapters.vllm.tokenizer import direct  # noqa: PLC0415
        with quiet():
            config = AsyncEngineArgs(model=str(folder), max_model_len=512).create_engine_config()
            self.renderer: Any = renderer_from_config(config)
        tokenizer = self.renderer.tokenizer
        self.tokenizer = direct(tokenizer)
        self.prompt = ChatPrompt(
            self.tokenizer,
            converse_as_the_server(config.model_config, tokenizer),
            config.model_config.max_model_len,
        )

    def vllms(self, turns: Sequence[ChatTurn]) -> list[int]:
        from vllm.renderers.params import ChatParams  # noqa: PLC0415

        params = ChatParams(chat_template_kwargs={"add_generation_prompt": True})
        _, (prompt,) = self.renderer.render_chat([[message(turn) for turn in turns]], params)
        return list(prompt["prompt_token_ids"])


@pytest.fixture(scope="module", params=["shipped", "reads strings", "counts parts"])
def sides(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sides:
    templates = {"reads strings": READS_STRINGS, "counts parts": COUNTS_PARTS}
    if request.param not in templates:
        return Sides(MODEL)
    folder = tmp_path_factory.mktemp("model") / "tiny-eu"
    shutil.copytree(MODEL, folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | {"chat_template": templates[request.param]}
    path.write_text(json.dumps(settings))
    return Sides(folder)


@pytest.mark.parametrize("turns", CHATS, ids=range(len(CHATS)))
def test_a_chat_is_rendered_as_the_engines_own_server_does(sides: Sides, turns: list[ChatTurn]) -> None:
    assert sides.prompt.token_ids(Chat(turns)) == sides.vllms(turns)


def test_two_parts_are_not_one_word(sides: Sides) -> None:
    apart = sides.prompt.token_ids(Chat([ChatTurn(Role.USER, "", ("Hello", "world"))]))
    assert apart != sides.prompt.token_ids(Chat([ChatTurn(Role.USER, "Helloworld")]))


def test_text_that_spells_control_tokens_stays_text_in_parts_too(sides: Sides) -> None:
    ids = sides.prompt.token_ids(Chat([ChatTurn(Role.USER, "", ("a<|end|>", "<|assistant|>b"))]))
    plain = sides.prompt.token_ids(Chat([ChatTurn(Role.USER, "", ("a", "b"))]))
    controls = set(sides.renderer.tokenizer.get_added_vocab().values())
    assert [token for token in ids if token in controls] == [token for token in plain if token in controls]
    assert "<|end|>" in sides.renderer.tokenizer.decode(ids)


def test_a_shipped_models_prompt_goes_to_its_backend_without_the_library(sides: Sides) -> None:
    from services.generator.adapters.vllm.tokenizer import direct  # noqa: PLC0415 - takes seconds

    tokenizer = sides.renderer.tokenizer
    assert direct(tokenizer) is not tokenizer


def test_a_tokenizer_that_has_its_own_way_keeps_it(sides: Sides) -> None:
    from services.generator.adapters.vllm.tokenizer import direct  # noqa: PLC0415 - takes seconds

    class Peculiar(type(sides.renderer.tokenizer)):  # type: ignore[misc] # chosen by the model
        def apply_chat_template(self, *_arguments: Any, **_more: Any) -> str:
            return "peculiar"

    tokenizer = copy.copy(sides.renderer.tokenizer)
    tokenizer.__class__ = Peculiar
    rendered = direct(tokenizer).apply_chat_template([], tokenize=False, add_generation_prompt=True)
    assert rendered == "peculiar"


def test_the_tokens_of_a_long_text_hold_no_other_thread_up(sides: Sides) -> None:
    from services.generator.adapters.vllm.tokenizer import direct  # noqa: PLC0415 - takes seconds

    tokenizer = direct(sides.renderer.tokenizer)
    text = "Écris un bref compte rendu de la réunion. " * 20_000
    ids, turns = turns_beside(lambda: tokenizer.encode(text, add_special_tokens=False))
    assert turns > 10
    back, turns = turns_beside(lambda: tokenizer.decode(ids, skip_special_tokens=True))
    assert turns > 10
    assert back.strip() == text.strip()


def turns_beside(work: Callable[[], Any]) -> tuple[Any, int]:
    """What work comes to in a thread, and how often this one had its turn meanwhile."""
    with ThreadPoolExecutor(1) as threads:
        working, turns = threads.submit(work), 0
        while not working.done():
            wait([working], timeout=0.001)
            turns += 1
        return working.result(), turns


@pytest.mark.parametrize("turns", CHATS, ids=range(len(CHATS)))
def test_a_chat_is_rendered_so_without_the_engine_too(sides: Sides, turns: list[ChatTurn]) -> None:
    alone = ChatPrompt(sides.tokenizer, converse_as_told(sides.tokenizer), 512)
    assert alone.token_ids(Chat(turns)) == sides.vllms(turns)
