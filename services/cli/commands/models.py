"""`comptoir models`: the models that a router's settings name."""

import typer
from comptoir.router.v1 import admin_pb2, router_pb2
from rich.console import Console
from rich.table import Table

from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.administering import Admin, AsJson, DataDir, ask, print_json

models = typer.Typer(no_args_is_help=True, help="List the models of the catalog.")


@models.callback()
def _group() -> None:
    """Keep `list` a command of its own: a group of one would be that command."""


@models.command("list")
def list_models(data_dir: DataDir = DEFAULT_DATA_DIR, admin: Admin = "", as_json: AsJson = False) -> None:
    """List the models that the settings name, whether or not a replica serves them now."""
    answer = ask(data_dir, admin, "GetCatalog", admin_pb2.GetCatalogRequest())
    if as_json:
        print_json(answer)
        return
    table = Table("number", "name", "task", "context", "most output")
    for model in answer.models:
        task = router_pb2.Task.Name(model.task).removeprefix("TASK_").lower()
        row = (model.number, model.name, task, model.context_tokens, model.max_output_tokens or "-")
        table.add_row(*map(str, row))
    Console(markup=False, emoji=False).print(table)
