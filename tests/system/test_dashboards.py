"""Every panel of every dashboard, asked of a real Prometheus that reads a whole stack, and of its store."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from services.kernel.clock import SystemClock
from tests.deploy.dashboards.documents import PANELS, queries_of, statements_of
from tests.deploy.queries import REPOSITORY
from tests.deploy.runbooks import commands_of
from tests.system.grafana import Reader
from tests.system.prometheus_process import Prometheus, running_prometheus
from tests.system.stack_process import Stack, eventually

pytestmark = pytest.mark.system

READ_SECONDS = 120
# Rows of views of hours have the hour's beginning.
SEEN_SECONDS = 2 * 3600
TENANTS = "SELECT sum(requests) AS requests FROM comptoir.usage_by_tenant"
# What one machine without a fault, an accelerator, a price, a certificate or a second region has nothing of.
EMPTY_HERE = {
    "Free accelerator memory, the least",
    "Free memory",
    "Free memory, of all",
    "Replicas that there should be",
    "Refusals by reason",
    "Cost of an hour, and what of it was idle",
    "Cost per million tokens by hour",
    "Cost by day and tenant",
    "Refusals by hour and reason, of the store",
    "Tries to leave a replica",
    "Calls that emitters refuse",
    "Events given up on, and of another clock or schema",
    "Frames that cannot be stored, and that are lost",
    "Certificates, until they expire",
    "Transfer records, until they end",
}


def scraped(stack: Stack) -> list[dict[str, Any]]:
    """Scrape configurations of the stack's processes, as deploy/alerts/prometheus.yaml has them."""
    return [
        {
            "job_name": f"comptoir-{process}",
            "static_configs": [{"targets": [url.split("/")[2]], "labels": {"region": "eu-fr"}}],
        }
        for process, url in stack.description["metrics"].items()
    ]


def ask(client: openai.OpenAI, model: str) -> None:
    """One streamed request."""
    message: Any = {"role": "user", "content": "Bonjour"}
    for _ in client.chat.completions.create(
        model=model, messages=[message], max_completion_tokens=4, stream=True
    ):
        pass


@pytest.fixture(scope="module")
def prometheus(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus that has read the stack before, during and after a dozen requests."""
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(folder, scraped(stack)) as running, stack.client() as client:
        ask(client, stack.model)
        series = 'comptoir_generator_requests_total{outcome="length"}'
        counted = eventually(lambda: running.instant(series), bool, READ_SECONDS)
        before = float(counted[0]["value"][1])
        for _ in range(12):
            ask(client, stack.model)
        eventually(
            lambda: running.instant(f"{series} >= {before + 12}"),
            bool,
            READ_SECONDS,
        )
        eventually(
            lambda: running.instant("region_model:gen_ai_server_time_to_first_token_seconds:p95_rate5m > 0"),
            bool,
            READ_SECONDS,
        )
        eventually(
            lambda: stack.rows(TENANTS)[0]["requests"],
            lambda requests: requests >= 12,
            READ_SECONDS,
        )
        yield running


@pytest.fixture
def reader(stack: Stack) -> Reader:
    """Who looks at the last two hours, with all there is chosen."""
    now = SystemClock().wall_microseconds() / 1_000_000
    return Reader(now - SEEN_SECONDS, now, {"region": ["eu-fr"], "model": [stack.model, "another"]})


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_shows_what_the_stack_did(
    panel: dict[str, Any], prometheus: Prometheus, reader: Reader, stack: Stack
) -> None:
    is_graph = panel["type"] == "timeseries"

    def shown() -> list[Any]:
        found: list[Any] = []
        for query in map(reader.promql, queries_of(panel)):
            found += (
                prometheus.over_time(query, start=reader.end - 300, end=reader.end)
                if is_graph
                else prometheus.instant(query)
            )
        for statement in map(reader.sql, statements_of(panel)):
            found += stack.rows(statement)
        return found

    # What a process says that did not answer in time is not there until the next look at it.
    eventually(shown, lambda found: bool(found) or panel["title"] in EMPTY_HERE, READ_SECONDS)


def test_what_may_be_empty_here_are_panels() -> None:
    titles = {parameters.values[0]["title"] for parameters in PANELS}
    assert titles >= EMPTY_HERE


def test_no_alert_fires_on_a_stack_without_a_fault(prometheus: Prometheus) -> None:
    # They fire at once here: a target that a busy machine kept from answering is down until the next look.
    eventually(lambda: prometheus.instant('ALERTS{alertstate="firing"}'), lambda firing: firing == [], 60)


def test_every_rule_is_evaluated_without_an_error(prometheus: Prometheus) -> None:
    def health() -> set[str]:
        return {rule["health"] for group in prometheus.ask("rules")["groups"] for rule in group["rules"]}

    # Each group has its first turn at a time of its own.
    assert eventually(health, lambda found: "unknown" not in found, READ_SECONDS) == {"ok"}


def test_queries_of_the_runbooks_can_be_asked(prometheus: Prometheus, stack: Stack) -> None:
    pages = sorted((REPOSITORY / "docs" / "runbooks").glob("*.md"))
    queries, statements = commands_of(pages)
    assert len(queries) > len(pages)
    assert statements
    for query in queries:
        prometheus.instant(query)
    for statement in statements:
        stack.rows(statement.replace("FROM ", "FROM comptoir."))
