"""Schemas are tried in a process that may be killed, and nothing else waits for it."""

import asyncio
import functools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from services.generator.adapters.grammars import grammar_process
from services.generator.adapters.vllm.environment import quiet_import, set_environment
from services.generator.domain.look_around_patterns import WITHOUT_LOOKING
from services.generator.domain.plain_schema import FORMATS
from services.generator.domain.structure import Structure
from services.kernel.errors import ComptoirError, Reason

if TYPE_CHECKING:
    from llguidance import LLTokenizer

    from services.generator.adapters.grammars.grammars import Grammars

pytestmark = pytest.mark.vllm

TOKENIZER = (Path(__file__).parents[5] / "deploy" / "models" / "tiny-eu" / "tokenizer.json").read_text()
USABLE = Structure('{"type": "object"}')
SLEEPS = "import sys, time; r = sys.stdin.buffer; r.read(1); time.sleep(5)"
# Take the tokenizer and a first question; the next one is their end, or takes too long.
STARTS = (
    "import struct, sys, time; r = sys.stdin.buffer\n"
    "for _ in range(2): r.read(struct.unpack('>I', r.read(4))[0])\n"
    "sys.stdout.write('\\n'); sys.stdout.flush(); r.read(4); "
)
DIES = STARTS + "sys.exit(1)"
SLEEPS_LATER = STARTS + "time.sleep(60)"
# The same once, and as it should be from then on.
SLEEPS_ONCE = (
    "import os, pathlib, sys; seen = pathlib.Path({!r})\n"
    "if seen.exists(): os.execv(sys.executable, [sys.executable, '-m', {!r}])\n"
    "seen.touch()\n" + SLEEPS_LATER
)


COMMAND = "services.generator.adapters.grammars.grammars._COMMAND"


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    set_environment(is_download_allowed=False, cpu_threads=1)
    with quiet_import():
        import services.generator.adapters.grammars.grammars  # noqa: F401, PLC0415 - slow, and quiet only here


@contextmanager
def grammars(**bounds: float) -> Iterator["Grammars"]:
    from services.generator.adapters.grammars.grammars import Grammars  # noqa: PLC0415

    made = Grammars(lambda: TOKENIZER, **bounds)
    yield made
    made.close()


@pytest.fixture
def tried() -> Iterator["Grammars"]:
    with grammars() as tried:
        yield tried


async def refusal(tried: "Grammars", structure: Structure) -> ComptoirError:
    with pytest.raises(ComptoirError) as raised:
        await tried.check(structure)
    return raised.value


async def test_a_schema_is_tried_once_and_its_verdict_kept(tried: "Grammars") -> None:
    await tried.check(USABLE)
    with mock.patch.object(tried, "_fault_of", side_effect=AssertionError):
        await tried.check(USABLE)
    never = Structure('{"not": {}}')
    for _ in range(2):
        assert (await refusal(tried, never)).field == "structure.json_schema.not"


async def test_a_word_of_the_caller_is_no_keyword(tried: "Grammars") -> None:
    error = await refusal(tried, Structure(json.dumps({"type": "string", "pattern": "(geheim"})))
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, "structure.json_schema.pattern")
    error = await refusal(tried, Structure('{"const": 5, "enum": ["geheim"]}'))
    assert (error.reason, error.field) == (Reason.PARAMETER_UNSUPPORTED, "structure.json_schema")


@pytest.fixture
def sleeps_once(tmp_path: Path) -> Iterator[None]:
    program = SLEEPS_ONCE.format(str(tmp_path / "seen"), grammar_process.__name__)
    with mock.patch(COMMAND, (sys.executable, "-c", program)):
        yield


async def test_a_schema_that_takes_too_long_costs_its_process_and_the_next_has_another(
    sleeps_once: None,
) -> None:
    with grammars(try_seconds=2) as tried:
        assert (await refusal(tried, Structure("{}"))).field == "structure.json_schema"
        await tried.check(USABLE)


async def test_schemas_that_take_too_long_hold_up_their_tenant_and_nobody_else() -> None:
    with grammars(try_seconds=0.5) as tried:
        await tried.check(USABLE)
        with mock.patch(COMMAND, (sys.executable, "-c", SLEEPS_LATER)):
            tried._end()
            hostile = [asyncio.create_task(tried.check(Structure("[" * n), tenant=1)) for n in range(1, 40)]
            await asyncio.sleep(0)
            await asyncio.wait({hostile[0]})
            quiet = asyncio.create_task(tried.check(Structure('{"type": "null"}'), tenant=2))
            # It is refused too, as no process here answers; what matters is when.
            await asyncio.wait({quiet})
            assert sum(task.done() for task in hostile) <= 3
            assert isinstance(quiet.exception(), ComptoirError)
        for task in hostile:
            task.cancel()
        await asyncio.wait(hostile)


async def test_a_process_that_dies_is_begun_anew(tried: "Grammars") -> None:
    with mock.patch(COMMAND, (sys.executable, "-c", DIES)):
        assert (await refusal(tried, Structure("{}"))).field == "structure.json_schema"
        # The one that follows ends as soon as it is asked, and is not asked once it has ended.
        tried._end()
    await tried.check(USABLE)


async def test_a_process_that_does_not_start_is_no_fault_of_the_schema() -> None:
    with grammars(start_seconds=0.2) as tried, mock.patch(COMMAND, (sys.executable, "-c", SLEEPS)):
        assert (await refusal(tried, USABLE)).reason is Reason.REPLICA_OVERLOADED


async def test_who_gives_up_takes_no_answer_from_the_next(tried: "Grammars") -> None:
    await tried.check(USABLE)
    waiting = asyncio.create_task(tried.check(Structure('{"not": {}}')))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    await tried.check(Structure('{"type": "array"}'))


@functools.cache
def tokenizer() -> "LLTokenizer":
    from llguidance import LLTokenizer  # noqa: PLC0415 - beside the engine's environment

    return LLTokenizer(TOKENIZER)


def fault_of(json_schema: str = "", grammar: str = "") -> str:
    return grammar_process.fault_of(grammar_process.question(json_schema, grammar).decode(), tokenizer())


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"type": "geheim"}, "type"),
        ({"type": 5}, "type"),
        ({"type": "string", "pattern": "(geheim"}, "pattern"),
        ({"type": "string", "pattern": "(?=geheim)"}, "pattern"),
        ({"type": "string", "pattern": r"(geheim)\1"}, "pattern"),
        ({"type": "string", "pattern": r"\bgeheim"}, "pattern"),
        ({"$ref": "#/$defs/geheim"}, "$ref"),
        ({"$ref": "https://geheim.example"}, "$ref"),
        ({"type": "string", "minLength": "geheim"}, "minLength"),
        ({"type": "number", "maximum": "geheim"}, "maximum"),
        ({"type": "number", "multipleOf": 0}, "multipleOf"),
        ({"type": "object", "required": "geheim"}, "required"),
        ({"type": "object", "properties": ["geheim"]}, "properties"),
        ({"enum": "geheim"}, "enum"),
        ({"anyOf": "geheim"}, "anyOf"),
        ({"oneOf": [{"type": "string"}, {"const": "geheim"}]}, "oneOf"),
        ({"type": "string", "format": 5}, "format"),
        ({"not": {"const": "geheim"}}, "not"),
    ],
)
def test_a_schema_that_cannot_be_used_has_its_keyword_named_wherever_it_stands(
    schema: dict[str, object], keyword: str
) -> None:
    inner = json.dumps({"type": "object", "properties": {"a": schema}, "required": ["a"]})
    assert fault_of(json.dumps(schema)) == fault_of(inner) == keyword
    assert fault_of(grammar=f'start: "a" | %json {inner}') == keyword


def test_every_format_that_answers_are_held_to_is_known() -> None:
    for form in FORMATS:
        assert fault_of(json.dumps({"type": "string", "format": form})) == ""


def test_what_stands_for_a_pattern_that_looks_around_can_be_used() -> None:
    for looking, plain in WITHOUT_LOOKING.items():
        assert fault_of(json.dumps({"type": "string", "pattern": looking})) == "pattern"
        assert fault_of(json.dumps({"type": "string", "pattern": plain})) == ""


def test_a_schema_says_what_it_needs_and_nothing_of_itself() -> None:
    assert fault_of('{"type": "array", "uniqueItems": true}') == "uniqueItems"
    assert fault_of("[") == grammar_process.UNNAMED
    assert fault_of(grammar='start: "a" | %json {"type": "array", "uniqueItems": true}') == "uniqueItems"
    assert fault_of(grammar="start: geheim") == grammar_process.UNNAMED
    assert fault_of(grammar='start: "a"') == fault_of('{"type": "object"}') == ""
