"""`comptoir bench`: load on any OpenAI endpoint, what its users would have seen, and what it costs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_DATA_DIR
from deploy.local.stack.paths import DataPaths
from services.cli import bench_options as options
from services.cli.bench.comparison import compare, differences
from services.cli.bench.errors import BenchError
from services.cli.bench.grids import Grid, comparison_grid, grids_of, notes_of
from services.cli.bench.load import MOST_IN_FLIGHT
from services.cli.bench.results import SCHEMA, Result
from services.cli.endpoint import found_endpoint, key_for

if TYPE_CHECKING:
    from services.cli.adapters.openai_load import Api

bench = typer.Typer(invoke_without_command=True)
_NOT_WHOLE: Final = 1
_INTERRUPTED: Final = 130


@bench.callback()
def run(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    context: typer.Context,
    base_url: options.Url = "",
    model: options.Model = "",
    api: options.ApiName = "chat",
    stream: options.Stream = True,
    api_key_file: options.ApiKeyFile = None,
    ca_file: options.CaFile = None,
    timeout: options.Timeout = "10m",
    data_dir: options.DataDir = DEFAULT_DATA_DIR,
    concurrency: options.Concurrency = "",
    rate: options.Rate = "",
    arrivals: options.Arrivals = None,
    burstiness: options.Burstiness = None,
    trace: options.Trace = None,
    max_in_flight: options.MaxInFlight = MOST_IN_FLIGHT,
    processes: options.Processes = 1,
    requests: options.Requests = None,
    duration: options.Duration = "",
    warmup_requests: options.WarmupRequests = None,
    input_tokens: options.InputTokens = "256",
    output_tokens: options.OutputTokens = "128",
    ignore_eos: options.IgnoreEos = False,
    languages: options.Languages = "",
    tokenizer: options.Tokenizer = None,
    extra_body: options.ExtraBody = "",
    seed: options.Seed = 0,
    slo: options.Slo = None,
    gpu_price_per_hour: options.GpuPricePerHour = None,
    gpus: options.Gpus = 1,
    price: options.Price = None,
    currency: options.Currency = "EUR",
    as_json: options.AsJson = False,
    output: options.Output = None,
    html: options.Html = None,
    name: options.Name = "",
) -> None:
    """Load an OpenAI endpoint, and measure what its users would have seen.

    Without options: 100 requests of 4 users to the local stack of `comptoir up`. Usual next steps:

      comptoir bench --concurrency 1,2,4,8,16 --html sweep.html

      comptoir bench --rate 5 --duration 60s --slo ttft:500ms --slo tpot:50ms

      comptoir bench --base-url http://127.0.0.1:8000/v1 --output before.json

      comptoir bench compare before.json after.json

    Latencies count from when a request was due, so a stall of the endpoint hides nothing. Warm-up is in no
    number. Prompts and answers are kept nowhere. Ctrl-C ends it with what was measured, and exit status 130.
    Exits with 1 where no request succeeded, or a sending process died.

    The key is COMPTOIR_API_KEY or that of --api-key-file, or the one that `comptoir up` left in the data
    folder, which goes to the local stack alone; without one, none is sent.
    """
    if context.invoked_subcommand is not None:
        return
    # Later than other commands': the client of HTTP and the grammars take half a second.
    from services.cli import bench_plan, benching  # noqa: PLC0415
    from services.cli.adapters.openai_load import Target  # noqa: PLC0415
    from services.cli.bench.quantities import duration_seconds  # noqa: PLC0415
    from services.cli.loading.progress import Screen  # noqa: PLC0415

    paths = DataPaths(data_dir.resolve())
    with _sentences():
        endpoint = found_endpoint(paths, base_url, model, needs_model=False)
        target = Target(
            base_url=endpoint.base_url,
            model=endpoint.model,
            api=_api(api),
            is_streamed=stream,
            api_key=_key(api_key_file) if api_key_file else key_for(endpoint, paths) or "",
            timeout_seconds=duration_seconds(timeout),
            extra_body=bench_plan.body_of(extra_body, ignores_eos=ignore_eos),
        )
        text = bench_plan.TextOptions(input_tokens, output_tokens, languages, seed)
        plan = bench_plan.plan_of(
            bench_plan.LoadOptions(
                concurrency,
                rate,
                arrivals,
                burstiness,
                trace,
                max_in_flight,
                requests,
                duration,
                warmup_requests,
                processes,
            ),
            text,
            bench_plan.JudgeOptions(tuple(slo or ()), tuple(price or ()), gpu_price_per_hour, gpus, currency),
        )
        for file in (output, html):
            _check_writable(file)
        result = benching.run_bench(
            benching.Bench(target, plan, text, name, ca_file, tokenizer, processes),
            Screen(Console(stderr=True)),
        )
    _give(result, as_json=as_json, output=output, page=html)


@bench.command("compare")
def compare_results(
    before: Annotated[Path, typer.Argument(help="The JSON of one bench.")],
    after: Annotated[Path, typer.Argument(help="That of another one.")],
) -> None:
    """Print two results beside each other, level by level, and which numbers are better.

    What differs by less than 3 % is "as before": runs of the same thing differ by as much.
    """
    with _sentences():
        results = [_read(path) for path in (before, after)]
        pairs = compare(*results)
    console = Console(highlight=False)
    if different := differences(*results):
        console.print(f"Not the same was asked: {', '.join(different)} differ.", style="yellow")
    for pair in pairs:
        _print(console, comparison_grid(pair))


def _give(result: Result, *, as_json: bool, output: Path | None, page: Path | None) -> None:
    """Prints and writes the result, and ends with the status that it has."""
    console = Console(highlight=False)
    if output is not None:
        output.write_text(result.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if page is not None:
        from services.cli.bench_page import page_of  # noqa: PLC0415 - few ask for it

        page.write_text(page_of(result), encoding="utf-8")
    if as_json:
        console.out(result.model_dump_json(), highlight=False)
    else:
        for grid in grids_of(result):
            _print(console, grid)
        for note in notes_of(result):
            console.print(note, markup=False, soft_wrap=True)
    if status := _status_of(result):
        raise typer.Exit(status)


def _status_of(result: Result) -> int:
    if any(run.client.lost_processes for run in result.runs):
        return _NOT_WHOLE
    if not result.is_complete:
        return _INTERRUPTED
    return 0 if any(run.requests.succeeded for run in result.runs) else _NOT_WHOLE


def _print(console: Console, grid: Grid) -> None:
    table = Table(title=grid.title, title_justify="left", title_style="bold")
    for number, column in enumerate(grid.columns):
        table.add_column(column, justify="left" if number < grid.first_numbers else "right")
    for row in grid.rows:
        table.add_row(*row)
    console.print(table)


def _api(api: str) -> "Api":
    if api == "chat":
        return "chat"
    if api == "completions":
        return "completions"
    raise BenchError("--api is chat or completions.")


def _key(path: Path) -> str:
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise StackError(f"{path} holds no key that can be read; check --api-key-file.") from None
    if not key.isprintable() or " " in key:
        raise StackError(f"{path} must hold a key and nothing else.")
    return key


def _read(path: Path) -> Result:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.get("schema_version") != SCHEMA:
            raise StackError(f"{path} is no result of this version: its schema_version is not {SCHEMA}.")
        return Result.model_validate(content)
    except OSError:
        raise StackError(f"{path} cannot be read.") from None
    except ValueError:
        raise StackError(f"{path} is no result of `comptoir bench --output`.") from None


def _check_writable(path: Path | None) -> None:
    """Says before the load, and not after it, that its result could not be written."""
    if path is None:
        return
    was_there = path.exists()
    try:
        path.open("a", encoding="utf-8").close()
        if not was_there:
            # A bench that is refused leaves nothing.
            path.unlink()
    except OSError:
        raise StackError(f"{path} cannot be written.") from None


@contextmanager
def _sentences() -> Iterator[None]:
    """Turns what a bench refuses into the command line's one sentence."""
    try:
        yield
    except BenchError as error:
        raise StackError(str(error)) from None
