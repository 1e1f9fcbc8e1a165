"""Every key of every settings file says what it means, in words that stand in the page of settings."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from deploy.local.clickhouse.settings import LocalClickHouseSettings
from deploy.local.kafka.settings import LocalKafkaSettings
from pipelines.usage.settings import UsageSettings
from services.console.settings import ConsoleSettings
from services.edge.settings import EdgeSettings
from services.emitter.settings import EmitterSettings
from services.generator.settings import GeneratorSettings
from services.router.settings import RouterSettings
from services.runtime.settings import SECTIONS, ProcessSettings
from services.runtime.settings_table import nested_in

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "settings.md"
PROCESSES: tuple[type[ProcessSettings], ...] = (
    EdgeSettings,
    RouterSettings,
    GeneratorSettings,
    EmitterSettings,
    UsageSettings,
    ConsoleSettings,
    LocalKafkaSettings,
    LocalClickHouseSettings,
)


def fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Yields every field of a settings class and of what is nested in it."""
    for name, info in model.model_fields.items():
        yield f"{model.__name__}.{name}", info
        nested = nested_in(info)
        if nested is not None:
            yield from fields(nested)


FIELDS = dict(field for process in PROCESSES for field in fields(process))


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_says_what_it_means(name: str) -> None:
    description = FIELDS[name].description
    assert description
    assert not description.endswith("."), "it stands in a table"


def test_every_section_of_the_file_is_in_the_page() -> None:
    told = re.findall(r"^## `(\w+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(SECTIONS)


def test_every_class_of_settings_in_the_tree_is_told() -> None:
    known = {model for process in PROCESSES for model in process.__mro__}
    assert {model for model in subclasses(ProcessSettings) if is_ours(model)} <= known


def subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for below in model.__subclasses__():
        yield below
        yield from subclasses(below)


def is_ours(model: type[BaseModel]) -> bool:
    return model.__module__.startswith(("services.", "pipelines.", "deploy."))


def test_every_setting_is_read_somewhere() -> None:
    read = {name for folder in ("services", "pipelines", "deploy") for name in names_read_in(ROOT / folder)}
    assert [name for name in FIELDS if name.rpartition(".")[2] not in read] == []


def names_read_in(folder: Path) -> Iterator[str]:
    """Yields every attribute that is read, and every name that a call is given to look one up."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                yield node.attr
            elif isinstance(node, ast.Call):
                yield from (str(given.value) for given in node.args if isinstance(given, ast.Constant))
