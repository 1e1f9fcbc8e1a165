"""bench: a load on an endpoint, its tables, its files, its exit statuses, and comparisons."""

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from deploy.local.stack.paths import DataPaths
from services.cli.bench.results import Result
from tests.paced_endpoint import application
from tests.services.cli.bench.results import result
from tests.services.cli.http_server import serving_http
from tests.services.cli.running import Terminal
from tests.services.cli.terminal_process import on_a_terminal

QUICK = ("--requests", "6", "--concurrency", "3", "--output-tokens", "4", "--languages", "fr")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A paced endpoint whose tokens come quickly."""
    with _serving(((20, 5),)) as url:
        yield url


@contextmanager
def _serving(paces: tuple[tuple[float, float], ...]) -> Iterator[str]:
    started, loop = threading.Event(), asyncio.new_event_loop()
    ports: list[int] = []

    async def serve() -> None:
        runner = web.AppRunner(application(paces), shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        ports.append(runner.addresses[0][1])
        started.set()
        await stopping.wait()
        await runner.cleanup()

    stopping = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(60)
        yield f"http://127.0.0.1:{ports[0]}/v1"
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        loop.close()


def test_help_teaches(terminal: Terminal) -> None:
    said = terminal.comptoir("bench", "--help")
    for word in ("--concurrency", "--rate", "--slo", "--html", "compare", "COMPTOIR_API_KEY", "100 requests"):
        assert word in said.out


def test_a_bench_prints_tables_and_writes_json_and_a_page(
    terminal: Terminal, endpoint: str, tmp_path: Path
) -> None:
    out, page = tmp_path / "r.json", tmp_path / "r.html"
    where = ("--base-url", endpoint, "--data-dir", str(tmp_path), "--output", str(out), "--html", str(page))
    judged = ("--slo", "ttft:10m", "--gpu-price-per-hour", "2", "--price", "output:1", "--name", "first")
    said = terminal.comptoir("bench", *where, *QUICK, *judged)
    assert said.status == 0
    for word in ("3 users", "TTFT", "TPOT", "ITL", "E2E", "(100 %)", "EUR", "the endpoint's usage"):
        assert word in said.out
    assert "3 users begins." in said.err
    written = Result.model_validate_json(out.read_text())
    assert written.workload.model == "paced"
    (run,) = written.runs
    assert (run.requests.succeeded, run.tokens.output) == (6, 24)
    assert run.latencies.itl_seconds is not None
    assert run.latencies.itl_seconds.count == 18
    assert run.latencies.ttft_seconds is not None
    assert run.latencies.ttft_seconds.at(0) >= 0.02
    assert "<h1>first</h1>" in page.read_text()


def test_json_is_one_object_without_a_word_or_a_key(
    terminal: Terminal, endpoint: str, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("cptr_secret\n")
    where = ("--base-url", endpoint, "--data-dir", str(tmp_path), "--api-key-file", str(key))
    said = terminal.comptoir("bench", *where, *QUICK, "--json", "--api", "completions", "--rate", "50,99")
    assert said.status == 1
    assert "give one of them" in said.err
    load = ("--requests", "3", "--rate", "50,99", "--output-tokens", "3")
    said = terminal.comptoir("bench", *where, *load, "--json", "--api", "completions")
    content = json.loads(said.out)
    assert [run["load"]["rate_per_second"] for run in content["runs"]] == [50, 99]
    assert not any(word in said.out for word in ("cptr_secret", "mot"))


def test_a_refusal_ends_it_before_the_load(terminal: Terminal, paths: DataPaths) -> None:
    body = json.dumps({"error": {"code": "invalid_api_key"}}).encode()
    asked: list[tuple[str, bytes, str]] = []
    with serving_http({"/v1/chat/completions": (401, body)}, asked) as url:
        where = ("--base-url", f"{url}/v1", "--model", "m", "--data-dir", str(paths.root))
        sentence = terminal.refusal("bench", *where)
    assert "401 invalid_api_key" in sentence
    assert "COMPTOIR_API_KEY" in sentence
    # The folder's key opens another endpoint.
    assert {authorization for _, _, authorization in asked} == {""}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--api", "responses"), "chat or completions"),
        (("--input-tokens", "many"), "--input-tokens"),
        (("--api-key-file", "nowhere"), "--api-key-file"),
        (("--html", "no/folder/x.html"), "cannot be written"),
        (("--tokenizer", "nowhere"), "tokenizer.json"),
        (("--ca-file", "nowhere"), "--ca-file"),
        (("--timeout", "5"), "30s"),
        (("--processes", "3", "--max-in-flight", "2"), "--max-in-flight"),
    ],
)
def test_options_that_cannot_be_used_are_one_sentence(
    terminal: Terminal, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    where = ("--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--data-dir", str(tmp_path))
    assert words in terminal.refusal("bench", *where, *options)


def test_a_bench_that_is_refused_leaves_no_file(terminal: Terminal, tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    where = ("--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--data-dir", str(tmp_path))
    terminal.refusal("bench", *where, "--output", str(out))
    assert not out.exists()


def test_an_endpoint_of_several_models_must_be_told_which(terminal: Terminal, tmp_path: Path) -> None:
    body = json.dumps({"data": [{"id": "a"}, {"id": "b"}]}).encode()
    with serving_http({"/v1/models": (200, body)}) as url:
        sentence = terminal.refusal("bench", "--base-url", f"{url}/v1", "--data-dir", str(tmp_path))
    assert "2 models" in sentence
    assert "--model" in sentence


def test_ctrl_c_ends_it_with_what_was_measured(tmp_path: Path) -> None:
    out = tmp_path / "r.json"
    with _serving(((1, 1),)) as url:
        load = ("--concurrency", "2", "--duration", "1h", "--warmup-requests", "0", "--languages", "fr")
        where = ("--base-url", url, "--data-dir", str(tmp_path), "--output", str(out))
        with on_a_terminal("bench", *where, *load, variables={"TERM": "xterm"}) as running:
            running.until("TTFT p50 lately")
            running.type("\x03")
            status = running.ended()
    assert status == 128 + signal.SIGINT
    assert "Interrupted" in running.appeared
    written = Result.model_validate_json(out.read_text())
    assert not written.is_complete
    assert written.runs[-1].requests.succeeded > 0
    assert written.runs[-1].requests.interrupted <= 2


def test_two_results_are_compared(terminal: Terminal, tmp_path: Path) -> None:
    before, after = tmp_path / "a.json", tmp_path / "b.json"
    before.write_text(result(1, 4).model_dump_json())
    after.write_text(result(4, pace=0.1).model_dump_json())
    said = terminal.comptoir("bench", "compare", str(before), str(after))
    assert said.status == 0
    assert "4 users" in said.out
    assert "+100.0 %" in said.out
    assert "worse" in said.out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("{", "no result"),
        ("[]", "no result"),
        ('{"schema_version": "x/1"}', "comptoir.bench/1"),
    ],
)
def test_what_is_no_result_is_one_sentence(
    terminal: Terminal, tmp_path: Path, content: str | None, words: str
) -> None:
    path = tmp_path / "r.json"
    if content is not None:
        path.write_text(content)
    assert words in terminal.refusal("bench", "compare", str(path), str(path))
