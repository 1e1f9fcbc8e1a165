"""Links that sign an operator in to a console, made by who may read its secret."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.stack.errors import StackError
from deploy.local.stack.paths import DataPaths
from services.runtime.sign_in_link import NoLinkError, console_url, section_link, sign_in_link


def link_of(state: Mapping[str, Any], *, wait_seconds: float = 0.0) -> str:
    """Returns a link for the console of a stack that runs; empty where it has no console."""
    url = state.get("console")
    if not url:
        return ""
    secret_file = DataPaths(Path(str(state["data_dir"]))).console_secret
    try:
        return sign_in_link([str(url)], secret_file, wait_seconds=wait_seconds)
    except NoLinkError as error:
        raise StackError(str(error)) from None


def url_of(section: Mapping[str, Any]) -> str:
    """Returns where browsers find the console of a settings file; StackError where that does not say it."""
    try:
        return console_url(section)
    except NoLinkError as error:
        raise StackError(str(error)) from None


def link_of_section(section: Mapping[str, Any]) -> str:
    """Returns a link for the console of a settings file, which runs; StackError where none can be made."""
    try:
        return section_link(section)
    except NoLinkError as error:
        raise StackError(str(error)) from None
