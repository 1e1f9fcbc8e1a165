"""Lists that are printed page by page, so that a router may have any number of keys and tenants."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from services.cli.adapters.admin import Stub, call_admin, pages
from services.cli.administering import REFUSED, as_text


def print_list(  # noqa: PLR0913 - what is asked, and how it is shown
    data_dir: Path,
    admin: str,
    rpc: str,
    request: Any,
    *,
    field: str,
    table: Callable[[Iterable[Any]], Table],
    as_json: bool,
) -> None:
    """Prints what a listing RPC has under a field: a table for each page, or one JSON object of all.

    StackError where a page cannot be had; what was printed before it is no whole object.
    """
    console = Console(markup=False, emoji=False)

    async def every_page(stub: Stub) -> None:
        is_first = True
        async for page in pages(getattr(stub, rpc), request):
            if as_json:
                _write(field, getattr(page, field), is_first=is_first)
            else:
                console.print(table(getattr(page, field)))
            is_first = False

    call_admin(data_dir, admin, every_page, REFUSED)
    if as_json:
        # As the answer of one call that had them all.
        sys.stdout.write('], "next_page_token": ""}\n')


def _write(field: str, listed: Iterable[Any], *, is_first: bool) -> None:
    if is_first:
        sys.stdout.write(f"{{{json.dumps(field)}: [")
    for one in listed:
        sys.stdout.write(("" if is_first else ", ") + as_text(one))
        is_first = False
