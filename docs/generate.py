"""Writes what follows from the code into pages and a schema, or checks with --check that it is there."""

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from deploy.local.clickhouse.settings import LocalClickHouseSettings
from deploy.local.kafka.settings import LocalKafkaSettings
from deploy.local.stack.config import PORTS_CHOOSE, build_config
from deploy.local.stack.options import Addresses, StackOptions
from deploy.local.stack.paths import DataPaths
from docs import bench_tables, capacity_tables, chart_schema, error_tables, metric_tables, model_tables
from docs.openai_tables import openai_sdk
from pipelines.usage.settings import UsageSettings
from services.console.settings import ConsoleSettings
from services.edge.settings import EdgeSettings
from services.emitter.settings import EmitterSettings
from services.generator.settings import GeneratorSettings
from services.router.settings import RouterSettings
from services.runtime.addresses import TlsFiles
from services.runtime.settings import ENVIRONMENT_PREFIX, SHARED_KEYS, ProcessSettings
from services.runtime.settings_table import Table

DOCS: Final = Path(__file__).resolve().parent
# By section; each is told with the sentence of its class.
SETTINGS: Final[dict[str, type[ProcessSettings]]] = {
    "edge": EdgeSettings,
    "router": RouterSettings,
    "generator": GeneratorSettings,
    "emitter": EmitterSettings,
    "usage": UsageSettings,
    "console": ConsoleSettings,
    "local_kafka": LocalKafkaSettings,
    "local_clickhouse": LocalClickHouseSettings,
}
_APART: Final[dict[type[BaseModel], str]] = {TlsFiles: "[TLS files](#tls-files)"}


def settings() -> Iterator[str]:
    """Yields a table per section of the settings file, and one of what a stack sets itself."""
    yield from ("", "## Shared keys", "", "At the top of the file, for every process.", "")
    yield from Table(ENVIRONMENT_PREFIX).lines(ProcessSettings)
    for section, model in SETTINGS.items():
        yield from ("", f"## `{section}`", "")
        prefix = f"{ENVIRONMENT_PREFIX}{section.upper()}__"
        yield from Table(prefix, frozenset(SHARED_KEYS), _APART).lines(model)
    yield from ("", "## TLS files", "", "Below every key of that kind.", "")
    yield from Table().lines(TlsFiles)
    yield from ("", "## Set by `comptoir up`", "")
    yield from _of_a_stack()
    yield ""


def _of_a_stack() -> Iterator[str]:
    folder = Path("/data")
    options = StackOptions(folder, model="tiny-eu", engine="simulated")
    document = build_config(options, Addresses(options.port), DataPaths(folder))
    yield "| Section | Keys | Of these not by `--config` |"
    yield "|---|---|---|"
    for section in SETTINGS:
        keys = document[section]
        chosen = ", ".join(f"`{key}`" for key in keys if key in PORTS_CHOOSE)
        yield f"| `{section}` | {', '.join(f'`{key}`' for key in keys)} | {chosen} |"


# By the name between the marks: the page, and what writes the lines between them.
PARTS: Final[dict[str, tuple[str, Callable[[], Iterator[str]]]]] = {
    "reasons": ("errors.md", error_tables.overview),
    "reasons-one-by-one": ("errors.md", error_tables.entries),
    "refusals-of-http": ("errors.md", error_tables.of_http),
    "settings": ("settings.md", settings),
    "metrics": ("metrics.md", metric_tables.overview),
    "spans": ("metrics.md", metric_tables.spans),
    "assumptions": ("scaling.md", capacity_tables.assumptions),
    "costs": ("scaling.md", capacity_tables.costs),
    "plans": ("scaling.md", capacity_tables.plans),
    "first-to-break": ("scaling.md", capacity_tables.first_to_break),
    "bench-result": ("bench.md", bench_tables.result_fields),
    "known-models": ("models.md", model_tables.known),
    "openai-sdk": ("openai-compatibility.md", openai_sdk),
}


def written(page: str, name: str, lines: Iterator[str]) -> str:
    """Returns `page` with `lines` between the marks of `name`; ValueError where they do not stand once."""
    begin, end = f"<!-- {name}: written by docs/generate.py -->", f"<!-- {name}: end -->"
    part = "\n".join((begin, *lines, end))
    text, count = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: part, page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the marks of {name} stand {count} times")
    return text


def _stale_schema(*, is_check: bool) -> list[str]:
    """Returns the name of the chart's schema where it was stale, and writes it unless told to check."""
    schema = chart_schema.FILE.read_text(encoding="utf-8")
    fresh = chart_schema.refreshed(schema, SETTINGS)
    if fresh == schema:
        return []
    if not is_check:
        chart_schema.FILE.write_text(fresh, encoding="utf-8")
    return [chart_schema.FILE.name]


def main() -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a page is stale")
    is_check = parser.parse_args().check
    stale = []
    for name, (file, lines) in PARTS.items():
        page = (DOCS / file).read_text(encoding="utf-8")
        fresh = written(page, name, lines())
        if fresh != page:
            stale.append(file)
            if not is_check:
                (DOCS / file).write_text(fresh, encoding="utf-8")
    stale += _stale_schema(is_check=is_check)
    if is_check and stale:
        print(f"stale: {', '.join(stale)}; run make docs, and commit the result")
    return int(is_check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
