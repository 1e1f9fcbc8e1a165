"""The page of a result: whole, asking nobody, readable without its plots, and safe whatever it shows."""

import html.parser
import json
import re
from pathlib import Path

from services.cli.bench_page import page_of
from tests.services.cli.bench.results import WORKLOAD, result

REPOSITORY = Path(__file__).resolve().parents[3]


class Page(html.parser.HTMLParser):
    """What stands in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str]] = {}
        self.ids: list[str] = []
        self.data: dict[str, str] = {}
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")
            if name == "id":
                self.ids.append(value or "")
        self._open = dict(attrs).get("id") or tag

    def handle_data(self, data: str) -> None:
        self.data[self._open] = self.data.get(self._open, "") + data


def test_the_plotting_library_is_inside_with_its_licence() -> None:
    text = page_of(result())
    static = REPOSITORY / "services" / "console" / "page" / "static"
    assert (static / "uPlot.iife.min.js").read_text() in text
    assert "Leon Sorokin" in text


def test_the_page_asks_nobody_for_anything() -> None:
    page = Page(page_of(result(1, 4)))
    assert not {"src", "href", "srcset", "action"} & page.attributes.keys()
    assert not {"link", "img", "iframe"} & set(page.tags)
    assert any("default-src 'none'" in content for content in page.attributes["content"])
    styles = page.data["style"]
    assert not re.search(r"url\(|@import", styles)


def test_every_plot_has_its_place_and_words_for_those_who_cannot_see_it() -> None:
    page = Page(page_of(result(1, 4)))
    plots = json.loads(page.data["data"])
    names = [plot["id"] for plot in plots]
    assert names == ["sweep", "ttft", "tpot", "e2e", "course-0", "course-1"]
    assert set(names) <= set(page.ids)
    assert len(page.attributes["aria-label"]) == len(names)
    for plot in plots:
        assert {len(series["values"]) for series in plot["series"]} == {len(plot["x"]["values"])}
        assert {series["axis"] for series in plot["series"]} <= set(range(len(plot["y"])))
    assert page.tags.count("table") == 3


def test_names_of_an_endpoint_command_no_browser() -> None:
    evil = "</script><script>alert(1)</script>"
    text = page_of(result(name=evil, workload=WORKLOAD.model_copy(update={"model": evil})))
    assert "<script>alert" not in text
    assert Page(text).tags.count("script") == 4


def test_a_run_in_which_nothing_succeeded_has_its_tables() -> None:
    run = result().runs[0]
    bare = run.latencies.model_copy(update=dict.fromkeys(type(run.latencies).model_fields))
    text = page_of(result(runs=(run.model_copy(update={"latencies": bare, "timeline": ()}),)))
    assert json.loads(Page(text).data["data"]) == []
