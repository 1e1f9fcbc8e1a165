"""Puts another catalog into a settings file: all else in it stays as it is, with its comments."""

import os
import secrets
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from deploy.local.stack.errors import StackError
from services.cli.problems import first_problem
from services.kernel.catalog import Catalog
from services.runtime.settings import SECTIONS

_CATALOG: Final = "catalog"


class SettingsFile:
    """A settings file as it was read; StackError where it cannot be, or has no catalog that is one."""

    def __init__(self, path: Path) -> None:
        # Where the name is a link, such as to a file of a release, it stays one.
        self._path = path.resolve()
        self.name = path.name
        self._text = self._read()
        document = self._parsed(self._text)
        if not isinstance(document, dict) or not isinstance(document.get(_CATALOG), dict):
            raise StackError(f"{self.name} must be the settings file of the processes, with a catalog.")
        self._document: dict[str, Any] = document
        try:
            self.catalog = Catalog.model_validate(document[_CATALOG])
        except ValidationError as error:
            raise StackError(f"{self.name}, catalog: {first_problem(error, 'the catalog')}") from None

    @property
    def processes(self) -> list[str]:
        """The processes that the file has a section for: each reads the catalog at its start."""
        return [section for section in SECTIONS if section in self._document]

    def check(self, catalog: Catalog) -> None:
        """Raises StackError where the rest of the file names what a catalog does not have."""
        models, region = {model.name for model in catalog.models}, self._document.get("region", "eu-fr")
        if catalog.region_by_name(region) is None:
            raise StackError(f"{self.name} is of region {region}, which the declared catalog does not have.")
        router, generator = self._section("router"), self._section("generator")
        named = [rules.get("model") for rules in router.get("scaling") or () if isinstance(rules, dict)]
        missing = [
            name for name in (*named, generator.get("model")) if name is not None and name not in models
        ]
        if missing:
            raise StackError(
                f"{self.name} uses the model {missing[0]}, which the declared catalog does not have."
            )

    def write(self, catalog: Catalog) -> None:
        """Puts a catalog into the file, whole or not at all; StackError where it cannot be written."""
        regions = [one.model_dump(mode="json", exclude_defaults=True) for one in catalog.regions]
        # The regions too where they are the default: people look for them there.
        content = {"regions": regions} | catalog.model_dump(mode="json", exclude_defaults=True)
        text = self._with(yaml.safe_dump({_CATALOG: content}, sort_keys=False, allow_unicode=True, width=110))
        if not _says(text, {**self._document, _CATALOG: content}):
            raise StackError(
                f"{self.name} refers to its catalog elsewhere, or it from there; write it by hand."
            )
        if self._read() != self._text:
            raise StackError(f"{self.name} was changed meanwhile; apply it again.")
        _replace(self._path, text)
        self._text, self._document, self.catalog = text, {**self._document, _CATALOG: content}, catalog

    def _with(self, section: str) -> str:
        root = yaml.compose(self._text, Loader=yaml.SafeLoader)
        if not isinstance(root, yaml.MappingNode) or root.flow_style:
            raise StackError(f"{self.name} is one mapping in braces; write its catalog by hand.")
        key, value = next((key, value) for key, value in root.value if key.value == _CATALOG)
        end = _end_of(value)
        # The rest of the last line is at most a comment of what is replaced.
        is_whole = self._text[end - 1] == "\n"
        after = self._text[end:] if is_whole else self._text[end:].partition("\n")[2]
        return self._text[: key.start_mark.index] + section + after

    def _section(self, name: str) -> dict[str, Any]:
        section = self._document.get(name)
        return section if isinstance(section, dict) else {}

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            raise StackError(f"{self.name} cannot be read.") from None

    def _parsed(self, text: str) -> Any:  # what the YAML says
        try:
            return yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise StackError(f"{self.name} is not valid YAML.") from None


def _says(text: str, document: dict[str, Any]) -> bool:
    try:
        return bool(yaml.safe_load(text) == document)
    except yaml.YAMLError:
        # Such as an anchor that stood in what is replaced.
        return False


def _end_of(node: yaml.Node) -> int:
    """Returns where a node ends: in YAML a mapping in lines goes on to the next key, and what is between."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end_of(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _replace(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        before = path.stat()
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            # The processes that read it are often of other users than the operator who writes it.
            os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fchmod(descriptor, before.st_mode & 0o7777)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        raise StackError(f"{path.name} cannot be written with the owner and mode that it has.") from None
    finally:
        aside.unlink(missing_ok=True)
