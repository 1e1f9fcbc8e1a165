"""`comptoir models`: the models that a router's settings name."""

from decimal import Decimal
from typing import Final

from comptoir.router.v1 import admin_pb2, router_pb2
from rich.console import Console
from rich.table import Table

from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.administering import Admin, AsJson, DataDir, ask, print_json
from services.cli.operator_tls import AdminCommands

models = AdminCommands(no_args_is_help=True, help="List the models of the catalog.")

# A billionth per token is a thousandth per million.
_PER_MILLION: Final = Decimal("0.001")


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
    table = Table()
    for number in ("number", "name", "task", "context", "most output", "weight"):
        table.add_column(number, overflow="fold")
    table.add_column(f"{answer.currency} per million", no_wrap=True)
    for model in answer.models:
        task = router_pb2.Task.Name(model.task).removeprefix("TASK_").lower()
        row = (model.number, model.name, task, model.context_tokens, model.max_output_tokens or "-")
        table.add_row(*map(str, row), _amount(model.token_weight_permille), "\n".join(_prices(model)))
    Console(markup=False, emoji=False).print(table)


def _prices(model: router_pb2.Model) -> list[str]:
    if not model.HasField("price"):
        return ["no price"]
    prices = [f"{_amount(model.price.input_nanos)} input"]
    if model.price.cached_input_nanos != model.price.input_nanos:
        prices.append(f"{_amount(model.price.cached_input_nanos)} cached input")
    if model.task != router_pb2.TASK_EMBED:
        prices.append(f"{_amount(model.price.output_nanos)} output")
    return prices


def _amount(thousandths: int) -> str:
    """Returns thousandths as a number, without zeros at its end."""
    return f"{(thousandths * _PER_MILLION).normalize():f}"
