"""`comptoir up`: every part of Comptoir on one machine, until Ctrl-C."""

from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer
import yaml
from rich.console import Console

from deploy.local.stack.errors import StackError
from deploy.local.stack.generators import GENERATORS
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
        Path | None, typer.Option(metavar="FILE", help="YAML laid over the generated settings, key by key.")
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
        model=_absolute_model(model[0]),
        further_models=tuple(_absolute_model(further) for further in model[1:]),
        replicas=replicas,
        routers=routers,
        engine=engine,
        embedding_model=str(DEFAULT_EMBEDDING_MODEL) if embeddings else "",
        kafka=_kafka_address(kafka),
        clickhouse=_store_url(clickhouse),
        overrides=_overrides(config),
        overrides_file="" if config is None else str(config),
    )
    if report_to >= 0:
        # Lazy, here and below: a process that starts another and waits need not import the supervisor.
        from services.cli.supervising import run_reporting  # noqa: PLC0415

        run_reporting(options, child_environment(), report_to)
        return
    console = Console()
    how_to_stop = f"comptoir down --data-dir {options.data_dir}" if detach else "Ctrl-C"
    presenter: Presenter = JsonPresenter(console) if as_json else TerminalPresenter(console, how_to_stop)
    try:
        if detach:
            run_detached(options, config, presenter)
        else:
            from services.cli.supervising import supervise  # noqa: PLC0415

            supervise(options, child_environment(), presenter)
    finally:
        presenter.close()
    if not as_json and not detach:
        console.out("Stopped; nothing was left running.")


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


def _absolute_model(model: str) -> str:
    path = Path(model)
    return str(path.resolve()) if path.is_dir() else model


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


def _overrides(config: Path | None) -> dict[str, Any]:
    if config is None:
        return {}
    try:
        content = yaml.safe_load(config.read_text(encoding="utf-8"))
    except OSError:
        raise StackError(f"{config} cannot be read; check the path given to --config.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise StackError(
            f"{config} is not valid YAML{_where(error)}; correct it or leave --config out."
        ) from None
    if not isinstance(content, dict):
        raise StackError(f"{config} must be a YAML mapping, such as `usage: {{retention_days: 14}}`.")
    entries = content.get(GENERATORS)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("model"), str):
            entry["model"] = _absolute_model(entry["model"])
    return content


def _where(error: Exception) -> str:
    # The place alone: the parser's words quote the file, which may hold what is nobody's business.
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return "" if mark is None else f" in line {mark.line + 1}"
