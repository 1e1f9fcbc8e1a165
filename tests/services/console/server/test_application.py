"""Every answer is closed to other sites, numbers are for those who signed on, and names are text."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from services.console.server import application
from services.contract.sign_in_link import LINK_SECONDS, NONCE_BYTES
from services.kernel.clock import ManualClock
from tests.services.console.conftest import ORIGIN, WITH_LINKS, token
from tests.services.console.sources import MARKUP, Sources

Browser = Callable[..., httpx.AsyncClient]


async def test_the_page_has_every_part_with_its_numbers(browser: Browser) -> None:
    page = (await browser().get("/")).text
    for number in ("log away", "120 ms", "450 ms", "12.3k", "1 missing", "4 of 16", "30"):
        assert number in page
    assert "No model has a price" in page


async def test_names_with_markup_are_text_in_the_page_and_in_its_parts(browser: Browser) -> None:
    async with browser() as client:
        page = (await client.get("/")).text
        parts = (await client.get("/parts")).json()["parts"]
    for text in (page, *parts.values()):
        assert "<script>alert" not in text
        assert "<img" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in parts["tenants"]
    data = page.partition('id="charts">')[2].partition("</script>")[0]
    assert json.loads(data)["kv"]["lines"][0]["label"] == MARKUP


async def test_every_answer_forbids_what_the_page_does_not_need(browser: Browser) -> None:
    async with browser() as client:
        for path in ("/", "/parts", "/static/console.css", "/nothing", "/healthz"):
            answer = await client.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "http" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"


async def test_a_name_of_another_site_gets_nothing(browser: Browser) -> None:
    async with browser() as client:
        refused = await client.get("/", headers={"Host": "evil.example"})
        assert refused.status_code == 421
        assert "Comptoir" not in refused.text
    async with browser(public_names=("console.example",)) as client:
        assert (await client.get("/", headers={"Host": "console.example"})).status_code == 200


async def test_the_pages_address_is_only_asked_for_a_known_span(browser: Browser, sources: Sources) -> None:
    async with browser() as client:
        assert 'aria-current="page">Last 7 days' in (await client.get("/?span=week")).text
        await client.get('/?span="><script>')
    assert {"latencies week", "latencies hour"} <= set(sources.asked)


async def test_many_tabs_cost_one_question_of_each_source(browser: Browser, sources: Sources) -> None:
    async with browser() as client:
        for _ in range(10):
            await client.get("/parts")
    assert sorted(sources.asked) == sorted(
        ["health", "fleet", "tenants", "stored", "latencies hour", "loads hour"]
    )


async def test_a_source_that_is_away_says_so_and_what_it_said_stays(
    browser: Browser, sources: Sources, clock: ManualClock
) -> None:
    async with browser() as client:
        await client.get("/parts")
        sources.away = "The store does not answer."
        clock.advance(120)
        parts = (await client.get("/parts")).json()["parts"]
    for name in ("latency", "tenants", "completeness", "replicas"):
        assert "has been away since" in parts[name]
    assert parts["health"].count("no answer") == len(sources.processes)
    assert "The store does not answer." in parts["latency"]
    assert "450 ms" in parts["latency"]


async def test_a_source_that_never_answered_leaves_its_part_empty(browser: Browser, sources: Sources) -> None:
    sources.away = "The store does not answer."
    answer = await browser().get("/")
    assert answer.status_code == 200
    assert "2 of 2 processes are not ready. edge: no answer; usage: no answer." in answer.text
    assert "no request yet" not in answer.text
    assert answer.text.count(">not known<") == 5


async def test_whoever_has_not_signed_on_sees_no_number(browser: Browser, sources: Sources) -> None:
    async with browser(**WITH_LINKS) as client:
        page = await client.get("/")
        assert (page.status_code, page.headers["location"]) == (303, "/sign-in")
        assert (await client.get("/parts")).status_code == 401
        assert (await client.post("/try", json={})).status_code == 401
        assert (await client.get("/sign-in")).status_code == 200
    assert sources.asked == []


async def test_a_link_lets_in_once_and_signing_out_ends_it(browser: Browser) -> None:
    async with browser(**WITH_LINKS) as client:
        link = {"token": await token(client)}
        signed = await client.post("/sign-in", json=link)
        cookie = signed.headers["set-cookie"]
        assert signed.status_code == 200
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/sign-in")).status_code == 303
        assert (await client.post("/sign-in", json=link)).status_code == 403
        kept = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
        assert (await client.post("/sign-out")).status_code == 303
        assert (await client.get("/parts", headers=kept)).status_code == 401


async def test_a_link_ends_with_the_run_it_was_made_for(browser: Browser) -> None:
    async with browser(**WITH_LINKS) as client, browser(**WITH_LINKS) as restarted:
        unused = {"token": await token(client)}
        assert (await restarted.post("/sign-in", json=unused)).status_code == 403
        assert (await client.post("/sign-in", json=unused)).status_code == 200
        assert (await restarted.post("/sign-in", json=unused)).status_code == 403


@pytest.mark.parametrize("wall_seconds", [-7_200, -601, 601, 7_200])
async def test_a_clock_that_is_set_lets_no_link_in_again_and_ends_none(
    browser: Browser, clock: ManualClock, wall_seconds: int
) -> None:
    async with browser(**WITH_LINKS) as client:
        used, unused = await token(client), await token(client, b"u" * NONCE_BYTES)
        assert (await client.post("/sign-in", json={"token": used})).status_code == 200
        clock.advance(LINK_SECONDS - 1)
        clock.set_wall(clock.wall_microseconds() + wall_seconds * 1_000_000)
        assert (await client.post("/sign-in", json={"token": unused})).status_code == 200
        for _ in range(3):
            assert (await client.post("/sign-in", json={"token": used})).status_code == 403
            clock.advance(LINK_SECONDS)


async def test_an_old_link_is_over(browser: Browser, clock: ManualClock) -> None:
    async with browser(**WITH_LINKS) as client:
        link = await token(client)
        clock.advance(LINK_SECONDS)
        assert (await client.post("/sign-in", json={"token": link})).status_code == 403


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"token": 5}', b'{"token": "x"}', b"\xff", b"9" * 2_000, b"[" * 1_024]
)
async def test_what_is_no_link_lets_nobody_in(browser: Browser, body: bytes) -> None:
    async with browser(**WITH_LINKS) as client:
        assert (await client.post("/sign-in", content=body)).status_code == 403


async def test_who_has_not_signed_on_holds_no_connection_with_a_body_that_never_ends(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application, "_TOKEN_SECONDS", 0.0)

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with browser(**WITH_LINKS) as client, asyncio.timeout(30):
        assert (await client.post("/sign-in", content=body())).status_code == 403


async def test_a_session_ends_by_itself(browser: Browser, clock: ManualClock) -> None:
    async with browser(**WITH_LINKS, session_seconds=60) as client:
        await client.post("/sign-in", json={"token": await token(client)})
        clock.advance(61)
        assert (await client.get("/parts")).status_code == 401


@pytest.mark.parametrize("path", ["/try", "/sign-in", "/sign-out"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ],
)
async def test_another_sites_page_can_post_nothing(
    browser: Browser, sources: Sources, path: str, headers: dict[str, str]
) -> None:
    async with browser() as client:
        assert (await client.post(path, headers=headers, json={})).status_code == 403
    assert sources.trials == []


async def test_a_proxy_lets_in_whom_it_names_and_nobody_passes_it(browser: Browser) -> None:
    proxied = {
        "is_open_to_this_machine": False,
        "proxy": {"addresses": ["10.0.0.0/8"], "header": "x-forwarded-user"},
    }
    named = {"X-Forwarded-User": "ada"}
    async with browser(("10.1.2.3", 1), **proxied) as client:
        assert (await client.get("/parts", headers=named)).status_code == 200
        assert (await client.get("/parts")).status_code == 403
    async with browser(("192.0.2.1", 1), **proxied) as client:
        assert (await client.get("/parts", headers=named)).status_code == 403


async def test_files_are_those_of_the_page_alone(browser: Browser) -> None:
    async with browser() as client:
        script = await client.get("/static/console.js")
        assert script.headers["content-type"] == "text/javascript; charset=utf-8"
        for name in ("uPlot.LICENSE", "..%2f..%2fsettings.py", "nothing.js"):
            assert (await client.get(f"/static/{name}")).status_code == 404
