"""`comptoir up`: every part of Comptoir on one machine, until Ctrl-C."""

from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import (
    DEFAULT_DATA_DIR,
    DEFAULT_EMBEDDING_MODEL,
    DEFAULT_MODEL,
    DEFAULT_PORT,
    MOST_GENERATORS,
    MOST_ROUTERS,
    EngineName,
    StackOptions,
)
from services.cli.detach import run_detached
from services.cli.presenter import JsonPresenter, Presenter, TerminalPresenter
from services.cli.stack_file import absolute_model, options_from_file, overrides_of
from services.runtime.addresses import split_address
from services.runtime.privacy import keep_private
from services.runtime.settings import environment

DataDir = Annotated[Path, typer.Option(help="Folder for data, keys and logs; a second start reuses it.")]

# The key that `comptoir chat` reads is nobody else's; and without bytecode every start compiles vLLM anew.
_NOT_FOR_CHILDREN: Final = ("COMPTOIR_API_KEY", "PYTHONDONTWRITEBYTECODE")


def up(  # noqa: PLR0913, PLR0917 - one argument per option of the command line
    data_dir: DataDir = DEFAULT_DATA_DIR,
    port: Annotated[
        int,
        typer.Option(help="Port of the OpenAI endpoint; the other parts take the ports after it."),
    ] = DEFAULT_PORT,
    model: Annotated[
        list[str],
        typer.Option(
            help="Model folder, or organisation/name of the model hub (downloads it); several are all served."
        ),
    ] = [str(DEFAULT_MODEL)],  # noqa: B006 - what typer shows as the default
    replicas: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_GENERATORS, help="Generators of each model; those but the first start last."
        ),
    ] = 1,
    routers: Annotated[
        int, typer.Option(min=1, max=MOST_ROUTERS, help="Routers; the edge asks the next where one is lost.")
    ] = 1,
    embeddings: Annotated[
        bool,
        typer.Option(
            "--embeddings/--no-embeddings",
            help="Serve tiny-embed-eu too, for POST /v1/embeddings; it starts last.",
        ),
    ] = True,
    console: Annotated[
        bool, typer.Option("--console/--no-console", help="Serve the page for operators; it starts last.")
    ] = True,
    engine: Annotated[
        EngineName, typer.Option(help="vllm generates; simulated only pretends, for load tests.")
    ] = "vllm",
    kafka: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="A Kafka cluster instead of the local broker.")
    ] = "",
    clickhouse: Annotated[
        str, typer.Option(metavar="URL", help="A ClickHouse server instead of the local store.")
    ] = "",
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            is_eager=True,
            callback=options_from_file,
            help="YAML laid over the generated settings, key by key; its mapping `stack` has options of this "
            "command, such as port and data_dir.",
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return once everything runs; stop with `comptoir down`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
    report_to: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Start everything, say how to use it, and drain it on Ctrl-C.

    Data, keys and logs live in --data-dir, and a second start there goes on with them.
    """
    keep_private()
    options = StackOptions(
        data_dir=data_dir.resolve(),
        port=port,
        model=absolute_model(model[0]),
        further_models=tuple(absolute_model(further) for further in model[1:]),
        replicas=replicas,
        routers=routers,
        engine=engine,
        embedding_model=str(DEFAULT_EMBEDDING_MODEL) if embeddings else "",
        console=console,
        kafka=_kafka_address(kafka),
        clickhouse=_store_url(clickhouse),
        overrides=overrides_of(config),
        overrides_file="" if config is None else str(config),
    )
    if report_to >= 0:
        # Lazy, here and below: a process that starts another and waits need not import the supervisor.
        from services.cli.supervising import run_reporting  # noqa: PLC0415

        run_reporting(options, child_environment(), report_to)
        return
    terminal = Console()
    how_to_stop = f"comptoir down --data-dir {options.data_dir}" if detach else "Ctrl-C"
    presenter: Presenter = JsonPresenter(terminal) if as_json else TerminalPresenter(terminal, how_to_stop)
    try:
        if detach:
            run_detached(options, config, presenter)
        else:
            from services.cli.supervising import supervise  # noqa: PLC0415

            supervise(options, child_environment(), presenter)
    finally:
        presenter.close()
    if not as_json and not detach:
        terminal.out("Stopped; nothing was left running.")


def child_environment() -> dict[str, str]:
    """Returns the environment of every process: the caller's, with usage reporting of libraries off."""
    return {
        **{name: value for name, value in environment().items() if name not in _NOT_FOR_CHILDREN},
        "DO_NOT_TRACK": "1",
        # gRPC's C code would write lines of its own, with words of its peers, between ours.
        "GRPC_VERBOSITY": "NONE",
        # gRPC's newer event engine passes each message through more threads before Python has it: 8 switches
        # per message instead of 3.5, and a tenth to a fifth more CPU where few travel together.
        "GRPC_EXPERIMENTS": "-event_engine_client,-event_engine_listener",
        "VLLM_NO_USAGE_STATS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _kafka_address(kafka: str) -> str:
    """Returns the address of `--kafka`; StackError where it is none."""
    if kafka:
        try:
            split_address(kafka)
        except ValueError:
            raise StackError("--kafka must be HOST:PORT, such as kafka.example:9092.") from None
    return kafka


def _store_url(clickhouse: str) -> str:
    """Returns the URL of `--clickhouse`, checked; StackError where it holds a user or is no HTTP address."""
    if not clickhouse:
        return ""
    parts = urlsplit(clickhouse)
    if parts.username or parts.password:
        raise StackError(
            "--clickhouse may not hold a user or password, which would be written down; "
            "set usage.clickhouse.user and usage.clickhouse.password_file in --config."
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise StackError("--clickhouse must be a URL such as https://store.example:8443.")
    return clickhouse.rstrip("/")
