"""Requests to two models of a whole stack, as reports show them: usage, cost, tenants, and a life."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.system.stack_process import Stack, eventually, running_stack

pytestmark = [pytest.mark.system, pytest.mark.timeout(480)]

MESSAGES: Any = [{"role": "user", "content": "Écris un bref compte rendu."}]
PRICES: Final = {"l40s": 1.8, "h100": 3.6}
SETTINGS: Final = """
catalog:
  models:
  - {number: 1, name: one, context_tokens: 4096, max_output_tokens: 512}
  - {number: 3, name: two, context_tokens: 2048, max_output_tokens: 512}
generators:
- {model: one, settings: {gpu_class: 1, load_event_interval_seconds: 0.5}}
- {model: two, settings: {gpu_class: 2, gpus: 2, load_event_interval_seconds: 0.5}}
usage:
  gpu_prices:
  - {gpu_class: 1, name: l40s, price_per_hour: 1.8}
  - {gpu_class: 2, name: h100, price_per_hour: 3.6, since: 2026-01-01T00:00:00Z}
"""
ASKED: Final = {"one": 3, "two": 2}


def rows_of(stack: Stack, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(stack.comptoir("report", *arguments, "--json").stdout)["rows"]
    return rows


def test_reports_show_what_callers_saw_what_it_cost_and_the_life_of_a_request(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(SETTINGS)
    with running_stack(tmp_path / "data", "--config", str(file), "--engine", "simulated") as stack:
        stack.wait_ready(240)
        used = _asked(stack)
        _assert_usage(stack, used)
        _assert_cost(stack, used)
        _assert_told(stack, *used["two"][0])


def _asked(stack: Stack) -> dict[str, list[tuple[str, Any]]]:
    """The identity of each request, with what its caller was told that it used."""
    used: dict[str, list[tuple[str, Any]]] = {name: [] for name in ASKED}
    with stack.client(max_retries=0, timeout=120) as client:
        for name, requests in ASKED.items():
            for _ in range(requests):
                answer = client.chat.completions.create(
                    model=name, messages=MESSAGES, max_completion_tokens=9
                )
                assert answer.usage is not None
                stack.row_of("generations", str(answer._request_id))
                used[name].append((str(answer._request_id), answer.usage))
    return used


def _assert_usage(stack: Stack, used: dict[str, list[tuple[str, Any]]]) -> None:
    found = {row["model"]: row for row in rows_of(stack, "usage", "--by", "model")}
    for name, requests in used.items():
        assert found[name]["requests"] == len(requests)
        assert found[name]["input_tokens"] == sum(usage.prompt_tokens for _, usage in requests)
        assert found[name]["output_tokens"] == sum(usage.completion_tokens for _, usage in requests)
    (tenant,) = rows_of(stack, "usage", "--by", "tenant")
    assert (tenant["tenant_name"], tenant["requests"]) == ("local", sum(ASKED.values()))


def _assert_cost(stack: Stack, used: dict[str, list[tuple[str, Any]]]) -> None:
    def priced() -> list[dict[str, Any]]:
        return [row for row in rows_of(stack, "cost") if row["cost"]]

    rows = eventually(priced, lambda found: len(found) == len(ASKED), 60)
    for row in rows:
        tokens = sum(usage.total_tokens for _, usage in used[row["model"]])
        assert row["gpu"] == {"one": "l40s", "two": "h100"}[row["model"]]
        assert row["cost"] == pytest.approx(row["gpu_seconds"] * PRICES[row["gpu"]] / 3600)
        assert row["gpu_seconds"] == pytest.approx(
            row["replica_seconds"] * {"one": 1, "two": 2}[row["model"]]
        )
        assert row["priced_tokens"] == tokens
        assert row["cost_per_million_tokens"] == pytest.approx(row["cost"] / tokens * 1e6)
    tenants = {row["tenant_name"]: row for row in rows_of(stack, "cost", "--by", "tenant")}
    assert set(tenants) == {"local", "(idle)"}
    assert tenants["local"]["requests"] == sum(ASKED.values())
    assert sum(row["cost"] for row in tenants.values()) >= sum(row["cost"] for row in rows) * (1 - 1e-9)


def _assert_told(stack: Stack, request_id: str, usage: Any) -> None:
    stack.row_of("edge_requests", request_id)
    told = json.loads(stack.comptoir("request", request_id, "--json").stdout)
    (generation,) = told["generations"]
    assert (generation["input_tokens"], generation["output_tokens"]) == (
        usage.prompt_tokens,
        usage.completion_tokens,
    )
    assert (told["admissions"][0]["decision"], told["edge_requests"][0]["http_status"]) == ("admitted", 200)
    shown = stack.comptoir("request", f"chatcmpl-{request_id}").stdout
    assert "received: chat_completions" in shown
    assert f"ended: length; {usage.prompt_tokens} input tokens" in shown
    unknown = stack.comptoir("request", "0" * 31 + "1", check=False)
    assert unknown.returncode == 1
    assert "It keeps 30 days, of eu-fr so far" in unknown.stderr
