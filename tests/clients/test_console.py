"""The console in Chromium, over a whole stack: as an operator sees it, with a mouse or without."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import yaml

from tests.clients.tcp_relay import relay_to
from tests.ports import free_port
from tests.system.stack_process import REPOSITORY, Stack, eventually

# The stack's start is the first test's, and so is the first look.
pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

# Bounds of a busy machine; on a quiet one a page is there within a second.
BROWSER_SECONDS = 280
READY_SECONDS = 60
PROMPT = "canary-im-hafen"
MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
CONTROLS = ["model", "key", "max_output_tokens", "prompt", "Send"]


def browse(program: str, **asked: Any) -> dict[str, Any]:
    """What a program saw in Chromium."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("node")), f"tests/clients/{program}", json.dumps(asked)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=BROWSER_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def ask(stack: Stack, requests: int) -> None:
    """Requests that the page is to show, and a while until the store has them."""
    message: Any = {"role": "user", "content": "Bonjour"}
    with stack.client() as client:
        for _ in range(requests):
            client.chat.completions.create(model=stack.model, messages=[message], max_completion_tokens=8)
    query = "SELECT count() AS rows FROM comptoir.generations WHERE output_tokens > 0"
    eventually(lambda: stack.rows(query)[0]["rows"], lambda rows: rows >= requests, READY_SECONDS)


@pytest.fixture(scope="module")
def told(stack: Stack) -> dict[str, Any]:
    """One look at the stack's own console, from the link to signing out."""
    ask(stack, 5)
    stack.wait_ready()
    url = stack.description["console"]
    eventually(lambda: is_served(url), bool, READY_SECONDS)
    link = json.loads(stack.comptoir("console", "--json").stdout)["link"]
    return browse("console.mjs", link=link, key=stack.api_key, model=stack.model, prompt=PROMPT)


def is_served(url: str) -> bool:
    """Whether a console answers, which starts last."""
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_the_link_lets_in_and_leaves_the_address(told: dict[str, Any]) -> None:
    assert "#" not in told["address"]
    assert told["signedOut"] == 401


def test_every_part_shows_what_the_stack_did(told: dict[str, Any], stack: Stack) -> None:
    assert f"All {len(told['health'])} processes are ready." in told["verdict"]
    said = {row.split("ready")[0].strip() for row in told["health"]}
    assert said >= {"edge", "router", "generator", "emitter", "usage"}
    for part in ("capacity", "replicas", "latency"):
        assert any(stack.model in row for row in told[part])
    assert any("local" in row and "EUR" in row for row in told["tenants"])
    kinds = told["completeness"]
    assert any("generation" in row and row.endswith("none") for row in kinds), kinds


def test_charts_are_drawn_and_said_and_are_tables_too(told: dict[str, Any], stack: Stack) -> None:
    assert min(told["drawn"].values()) >= 5
    assert any(f"{stack.model} p95: last" in sentence for sentence in told["sentences"])
    assert told["steps"] >= 1


def test_every_control_is_reached_by_the_keyboard_alone(told: dict[str, Any]) -> None:
    assert told["reached"][0] == "Skip to the numbers"
    assert [name for name in told["reached"] if name in CONTROLS] == CONTROLS
    for name in ("Last hour", "Last 7 days", "Sign out", "Tenants", "Time to first token as a table"):
        assert name in told["reached"]


def test_what_is_tried_out_streams_and_is_counted_on_the_page(told: dict[str, Any]) -> None:
    assert told["said"].startswith("Answered. TTFT ")
    assert "output tokens" in told["said"]
    assert told["answer"]
    assert told["pieces"] > 1
    assert told["refused"].startswith("Refused with 401: ")


def test_neither_key_nor_prompt_rests_anywhere(told: dict[str, Any], stack: Stack) -> None:
    assert told["secrets"] == []
    stored = told["stored"]
    assert (stored["local"], stored["session"], stored["databases"], stored["cookie"]) == (0, 0, 0, "")
    for log in (stack.data_dir / "logs").iterdir():
        content = log.read_text(encoding="utf-8", errors="replace")
        assert PROMPT not in content
        assert stack.api_key not in content


def test_nothing_comes_from_outside_and_nothing_breaks_the_policy(told: dict[str, Any]) -> None:
    assert (told["outside"], told["violations"], told["complaints"]) == ([], [], [])
    assert told["images"] == 0


@pytest.mark.parametrize("look", ["sign-in", "light", "dark", "narrow"])
def test_assistive_technology_stumbles_over_nothing(told: dict[str, Any], look: str) -> None:
    assert told["axe"][look] == []


def test_it_is_dark_for_who_prefers_that_and_fits_a_phone(told: dict[str, Any]) -> None:
    assert told["paper"] == "rgb(20, 23, 26)"
    assert told["width"] <= 360


@contextmanager
def console_of(stack: Stack, folder: Path, **changed: Any) -> Iterator[str]:
    """Another console of the same stack, open to this machine; its URL."""
    document = yaml.safe_load((stack.data_dir / "comptoir.yaml").read_text())
    port = free_port()
    section = document["console"] | {"listen": {"port": port}, "is_open_to_this_machine": True} | changed
    # The stack's own console listens there, and lets in by links.
    del section["secret_file"], section["metrics_listen"]
    document["console"] = section
    document["catalog"]["models"].append(
        {"number": 77, "name": MARKUP, "context_tokens": 8, "max_output_tokens": 8}
    )
    file = folder / "comptoir.yaml"
    file.write_text(yaml.safe_dump(document))
    process = subprocess.Popen([sys.executable, "-m", "services.console", "--config", str(file)])
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: is_served(url), bool, READY_SECONDS)
        yield url
    finally:
        process.terminate()
        assert process.wait(READY_SECONDS) == 0


def test_a_store_that_is_lost_is_said_so_and_the_rest_stays(stack: Stack, tmp_path: Path) -> None:
    ask(stack, 1)
    port = int(stack.description["clickhouse_url"].rpartition(":")[2])
    with (
        relay_to(port) as relay,
        console_of(stack, tmp_path, store={"url": f"http://127.0.0.1:{relay.port}"}) as url,
    ):
        # A source that is slow fills its part at a later look.
        others = {"health": "ready", "replicas": stack.model}
        whole = browse("console_glance.mjs", url=url, words={"latency": stack.model, **others})
        assert "has been away since" not in whole["parts"]["latency"]
        relay.cut()
        lost = browse("console_glance.mjs", url=url, words={"latency": "has been away since", **others})
    assert "The store does not answer." in lost["parts"]["latency"]
    assert stack.model in lost["parts"]["latency"], "what it said last stays"
    assert "away" not in lost["parts"]["replicas"]
    assert "ready" in lost["parts"]["health"]
    for seen in (whole, lost):
        assert MARKUP in seen["models"]
        assert (seen["images"], seen["complaints"]) == (0, [])


def test_a_model_that_was_tried_out_is_refused_as_the_edge_refuses_it(stack: Stack, tmp_path: Path) -> None:
    with console_of(stack, tmp_path) as url, stack.client(max_retries=0) as client:
        with pytest.raises(openai.NotFoundError) as refusal:
            client.chat.completions.create(model=MARKUP, messages=[{"role": "user", "content": "x"}])
        answer = httpx.post(
            f"{url}/try",
            json={"model": MARKUP, "prompt": "x"},
            headers={"Origin": url, "Authorization": f"Bearer {stack.api_key}"},
            trust_env=False,
        )
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == refusal.value.code
