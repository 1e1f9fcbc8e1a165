"""The options of `comptoir bench`, as its help tells them."""

from pathlib import Path
from typing import Annotated, Final

import typer

from services.cli.bench.arrivals import ArrivalProcess

_WHERE: Final = "Endpoint"
_LOAD: Final = "Load"
_ASKED: Final = "Prompts and answers"
_JUDGED: Final = "Objectives and prices"
_WRITTEN: Final = "Result"

Url = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="Another endpoint than the local stack's, such as http://127.0.0.1:8000/v1.",
        rich_help_panel=_WHERE,
    ),
]
Model = Annotated[
    str, typer.Option(help="Its model; left out, the only one that it lists.", rich_help_panel=_WHERE)
]
ApiName = Annotated[
    str, typer.Option(metavar="chat|completions", help="Which endpoint of it.", rich_help_panel=_WHERE)
]
Stream = Annotated[
    bool,
    typer.Option("--stream/--no-stream", help="Whole answers have no TTFT.", rich_help_panel=_WHERE),
]
ApiKeyFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A key, in place of COMPTOIR_API_KEY.", rich_help_panel=_WHERE),
]
CaFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The authority that signed its certificate.", rich_help_panel=_WHERE),
]
Timeout = Annotated[
    str, typer.Option(metavar="DURATION", help="The longest request.", rich_help_panel=_WHERE)
]
DataDir = Annotated[Path, typer.Option(help="The data folder of a local stack.", rich_help_panel=_WHERE)]
Concurrency = Annotated[
    str,
    typer.Option(
        metavar="N[,N…]",
        help="Closed load: so many users, each of whom asks again once answered; several are a sweep.",
        show_default="4 users",
        rich_help_panel=_LOAD,
    ),
]
Rate = Annotated[
    str,
    typer.Option(
        metavar="R[,R…]",
        help="Open load: so many requests per second, whatever the endpoint does; several are a sweep.",
        rich_help_panel=_LOAD,
    ),
]
Arrivals = Annotated[
    ArrivalProcess | None,
    typer.Option(
        help="How requests of --rate come.",
        show_default="poisson, with --burstiness gamma",
        rich_help_panel=_LOAD,
    ),
]
Burstiness = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        max=1000,
        help="Shape of gamma: 1 is Poisson, below it come bursts.",
        rich_help_panel=_LOAD,
    ),
]
Trace = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Lengths, and arrivals where it has them: a line of JSON per request with input_length, "
        "output_length and timestamp (ms).",
        rich_help_panel=_LOAD,
    ),
]
MaxInFlight = Annotated[
    int,
    typer.Option(
        min=1, help="Of an open load, at most; who waits for a place is late.", rich_help_panel=_LOAD
    ),
]
Processes = Annotated[
    int,
    typer.Option(
        min=1,
        max=256,
        help="That send, of the one load: more where the sender is busy, which the result says.",
        rich_help_panel=_LOAD,
    ),
]
Requests = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="How many at each level.",
        show_default="100, without --duration and --trace",
        rich_help_panel=_LOAD,
    ),
]
Duration = Annotated[
    str,
    typer.Option(
        metavar="DURATION",
        help="No further one begins after, such as 60s; those under way are waited for.",
        rich_help_panel=_LOAD,
    ),
]
WarmupRequests = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Sent before each level, and not measured.",
        show_default="one for each user",
        rich_help_panel=_LOAD,
    ),
]
InputTokens = Annotated[
    str,
    typer.Option(
        metavar="LENGTHS",
        help="Of prompts: N, uniform:LEAST,MOST, normal:MEAN,DEVIATION or lognormal:MEDIAN,SIGMA; the "
        "last two may end in ,LEAST,MOST.",
        rich_help_panel=_ASKED,
    ),
]
OutputTokens = Annotated[
    str, typer.Option(metavar="LENGTHS", help="Of answers, at most.", rich_help_panel=_ASKED)
]
IgnoreEos = Annotated[
    bool,
    typer.Option(
        "--ignore-eos",
        help="Ask for answers of just that length, where the endpoint knows vLLM's field.",
        rich_help_panel=_ASKED,
    ),
]
Languages = Annotated[
    str,
    typer.Option(
        metavar="L[,L…]",
        help="Of prompts: de, en, es, fr, it, nl.",
        show_default="all",
        rich_help_panel=_ASKED,
    ),
]
Tokenizer = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="A tokenizer.json, or its folder: prompts of just that length, and a count where there "
        "is no usage.",
        rich_help_panel=_ASKED,
    ),
]
ExtraBody = Annotated[
    str,
    typer.Option(
        metavar="JSON",
        help="Laid over each request, such as '{\"temperature\": 0}'.",
        rich_help_panel=_ASKED,
    ),
]
Seed = Annotated[
    int, typer.Option(help="The same seed asks the same at the same moments.", rich_help_panel=_ASKED)
]
Slo = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME:DURATION",
        help="The longest ttft, tpot or e2e, such as ttft:500ms: goodput counts who met all.",
        rich_help_panel=_JUDGED,
    ),
]
GpuPricePerHour = Annotated[
    float | None, typer.Option(min=0, help="Of one accelerator.", rich_help_panel=_JUDGED)
]
Gpus = Annotated[
    int, typer.Option(min=1, help="How many accelerators serve the model.", rich_help_panel=_JUDGED)
]
Price = Annotated[
    list[str] | None,
    typer.Option(
        metavar="input|output:AMOUNT",
        help="Of a million tokens, by a list of prices.",
        rich_help_panel=_JUDGED,
    ),
]
Currency = Annotated[str, typer.Option(help="Of all prices.", rich_help_panel=_JUDGED)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.", rich_help_panel=_WRITTEN)]
Output = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the JSON there, for `bench compare`.", rich_help_panel=_WRITTEN),
]
Html = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write a page with plots there, which asks nobody for anything.",
        rich_help_panel=_WRITTEN,
    ),
]
Name = Annotated[str, typer.Option(help="What the result is called on the page.", rich_help_panel=_WRITTEN)]
