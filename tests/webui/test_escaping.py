"""Every function of the page that makes HTML is fed what breaks out of HTML: it must arrive as text, and as nothing else."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from html.parser import HTMLParser
from typing import Any

import pytest
from markupsafe import Markup

from core import charts
from core.params import PaintParams
from core.survey.results import (
    Agreement,
    ArmResult,
    Comparison,
    Correlation,
    Exclusion,
    PairResult,
    Results,
    Summary,
)
from webui import bringing, hanging, pad, theme, views, where
from webui.pictures import Links
from webui.survey import figures
from webui.survey import page as survey_page
from webui.tabs import own_styles
from webui.training import curves as training_curves
from webui.training import page as training_page
from worker.jobs import JobState, JobView
from worker.settings import Settings
from worker.survey.service import QuickSummary
from worker.training import Curves, TrainingView

EVIL = "<script>\"'&"
MODULES = (
    "core.charts",
    "webui.bringing",
    "webui.hanging",
    "webui.pad",
    "webui.survey.figures",
    "webui.survey.page",
    "webui.tabs.own_styles",
    "webui.theme",
    "webui.training.page",
    "webui.views",
    "webui.where",
)
LINKS = Links(b"key")


def job(**values: Any) -> JobView:
    """A job in which every text is evil."""
    known: dict[str, Any] = {
        "id": EVIL,
        "owner": EVIL,
        "source": "web",
        "state": JobState.DONE,
        "params": PaintParams(method=EVIL),
        "photo_key": EVIL,
        "style": EVIL,
        "style_label": EVIL,
        "error": EVIL,
        "width": 30,
        "height": 20,
        "created_at": datetime.now(UTC),
    }
    return JobView.model_validate(known | values)


class Style:
    """A style of the gallery, all of whose texts are evil."""

    name = title = summary = EVIL


SUMMARY = Summary(n=3, mean=2.0, median=2.0, sd=1.0, low=1.5, high=2.5, histogram=(1, 2, 0))
RESULTS = Results(
    study=EVIL,
    title=EVIL,
    state=EVIL,
    scale=(1, 3),
    raters=3,
    complete=3,
    due=3,
    given=3,
    missing=0,
    withdrawn=0,
    excluded=(Exclusion(EVIL, EVIL, EVIL, 2),),
    overall=SUMMARY,
    everybody=SUMMARY,
    pairs=(PairResult(EVIL, EVIL, EVIL, SUMMARY, 1.0, 1.0, 2.0, 3, 0, {"Ls": 0.5}),),
    arms=(ArmResult(EVIL, SUMMARY), ArmResult("b", SUMMARY)),
    agreement=Agreement(None, 3, EVIL),
    comparisons=(Comparison(EVIL, EVIL, EVIL, 3, 0.1, 0.0, 0.2, 1.0, 0.5, 0.5, 0.1, EVIL),),
    correlations=(Correlation(EVIL, 0.1, 0.2, 3),),
    rush=99,
)
PICTURES: dict[tuple[str, str | None], str] = {(EVIL, EVIL): EVIL}
QUICK = [QuickSummary(method=EVIL, ratings=1, raters=1, mean=2.0)]
SETTINGS = Settings(_env_file=None)

CASES: dict[Callable[..., Any], list[Callable[[], str]]] = {
    charts.histogram: [lambda: charts.histogram((1, 0, 2), (1, 3), large=True)],
    charts.whisker: [lambda: charts.whisker(2.0, 1.0, 3.0, (1, 3), label=EVIL, overall=1.5)],
    hanging.history: [lambda: hanging.history([job(), job()], LINKS, EVIL, more=True)],
    hanging.taken_down: [lambda: hanging.taken_down(job())],
    pad.pad: [lambda: pad.pad(1.0, 0.35, job(), LINKS, EVIL)],
    where.shown: [lambda: where.shown(EVIL.encode())],
    where.embedded: [lambda: where.embedded(EVIL.encode())],
    own_styles.tiles: [lambda: own_styles.tiles([(EVIL, EVIL, EVIL)], EVIL)],
    own_styles.sharing: [lambda: own_styles.sharing(LINKS, EVIL)],
    views.header: [views.header],
    views.heading: [lambda: views.heading(1, EVIL, EVIL)],
    views.tiles: [lambda: views.tiles([Style()], EVIL), lambda: views.tiles([])],  # type: ignore[list-item]
    views.tile_group: [lambda: views.tile_group(EVIL, [views.Tile(EVIL, EVIL, EVIL, EVIL)], EVIL)],
    views.choice: [
        lambda: views.choice(EVIL),
        lambda: views.choice(EVIL, "b"),
        lambda: views.choice("a", EVIL),
        lambda: views.choice("", missing=EVIL),
    ],
    views.taken_in: [lambda: views.taken_in(1, EVIL), lambda: views.taken_in(1, "", EVIL)],
    views.beside: [lambda: views.beside(EVIL)],
    views.empty_easel: [views.empty_easel],
    views.waiting_easel: [lambda: views.waiting_easel(job(), LINKS)],
    views.growing_easel: [partial(views.growing_easel, job(), done, LINKS) for done in (None, 0.5)],
    views.empty_sheet: [views.empty_sheet],
    views.sheet: [lambda: views.sheet(job(), LINKS)],
    views.painting: [lambda: views.painting(job(), LINKS, repainting=True)],
    views.download: [lambda: views.download(job(), LINKS, 2048)],
    views.comparison: [
        lambda: views.comparison([job(), job(state=JobState.FAILED)], {EVIL: EVIL}, LINKS),
    ],
    views.empty_comparison: [lambda: views.empty_comparison(3)],
    views.status: [partial(views.status, job(state=state)) for state in (JobState.DEAD, *JobState)],
    views.bar: [lambda: views.bar(EVIL, None), lambda: views.bar(EVIL, 3)],
    views.stopping: [views.stopping],
    views.note: [lambda: views.note(EVIL)],
    views.failure: [lambda: views.failure(EVIL)],
    views.keeping: [lambda: views.keeping(1, 100)],
    figures.histogram: [lambda: figures.histogram(SUMMARY, (1, 3))],
    figures.whisker: [lambda: figures.whisker(SUMMARY, (1, 3), 2.0)],
    figures.headline: [lambda: figures.headline(RESULTS)],
    figures.pair_table: [lambda: figures.pair_table(RESULTS, PICTURES)],
    figures.arms: [lambda: figures.arms(RESULTS)],
    figures.correlations: [lambda: figures.correlations(RESULTS.correlations)],
    figures.exclusions: [lambda: figures.exclusions(RESULTS)],
    figures.quick: [lambda: figures.quick(QUICK)],
    figures.downloads: [lambda: figures.downloads(EVIL)],
    figures.results_html: [lambda: figures.results_html(RESULTS, PICTURES, QUICK)],
    # What these make holds scripts of the page's own; see test_words_of_a_script_stay_words.
    theme.head: [],
    theme.scripts: [],
    theme.words: [],
    theme.text_fonts: [],
    bringing.scripts: [],
    survey_page.scripts: [],
    training_page.scripts: [],
}
TAKE_NOTHING = {views.header, views.empty_easel, views.empty_sheet, views.stopping}
"""Of those that are tried: whose words are all their own."""
ALL_THEIR_OWN = TAKE_NOTHING | {
    charts.histogram,
    figures.histogram,
    figures.whisker,
    views.empty_comparison,
    views.keeping,
}


class Reader(HTMLParser):
    """What a browser makes of HTML: the names of its elements and attributes, and all that is said in them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.said: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            self.said.append(value or "")

    def handle_data(self, data: str) -> None:
        self.said.append(data)


ATTRIBUTES = re.compile(
    r"aria-[a-z]+|"
    r"alt|class|colspan|cx|cy|d|data-action|data-copied|data-copy|data-download|data-job|data-name"
    r"|data-taken|decoding|download|draggable|dy|focusable|for|fill|height|href|id|loading|max|min|name|r|role|rx"
    r"|scope|src|step|style|tabindex|target|text-anchor|title|transform|type|value|viewbox|width|x|y"
)


def of_the_page(attribute: str) -> bool:
    """Whether an attribute is one that the templates write."""
    return ATTRIBUTES.fullmatch(attribute) is not None


def test_no_function_that_makes_html_is_left_out() -> None:
    found = set()
    for name in MODULES:
        module = importlib.import_module(name)
        for value in vars(module).values():
            if inspect.isfunction(value) and value.__module__ == name and not value.__name__.startswith("_"):
                if inspect.unwrap(value).__annotations__.get("return") == "Markup":
                    found.add(value)
            elif hasattr(value, "cache_info") and value.__module__ == name:
                found.add(value)
    assert {one.__qualname__ for one in found - set(CASES)} - {"survey_page"} == set()


@pytest.mark.parametrize(
    ("function", "number"),
    [(function, number) for function, cases in CASES.items() for number in range(len(cases))],
    ids=lambda value: getattr(value, "__qualname__", str(value)),
)
def test_what_breaks_out_of_html_stays_text(function: Callable[..., Any], number: int) -> None:
    html = CASES[function][number]()
    assert isinstance(html, Markup)
    reader = Reader(html)
    assert "script" not in reader.elements
    assert "<script" not in html.lower()
    assert all(of_the_page(name) for name in reader.attributes), reader.attributes
    said = "\n".join(reader.said)
    assert not any(twice in said for twice in ("&lt;", "&amp;", "&#34;", "&#39;", "&quot;")), "escaped twice"
    if function not in ALL_THEIR_OWN and html and not number:
        assert EVIL in said or "%3Cscript%3E" in said or function in (where.shown, where.embedded)


def test_words_of_a_script_stay_words() -> None:
    said = theme.words("words", {"a": "</script>" + EVIL + "<!--"})
    assert said.startswith("<script>window.words = ")
    assert said.count("<") == 2
    assert "\\u003cscript\\u003e" in said
    page = survey_page.survey_page()
    assert page.count("<script>") == page.count("</script>")
    assert "http" not in str(bringing.scripts(SETTINGS)).partition("</script>")[0]


def test_a_training_of_any_name_is_drawn() -> None:
    now = datetime.now(UTC)
    run = TrainingView.model_construct(id="1", name=EVIL, steps=4, created_at=now)
    logged = Curves([1, 2], {EVIL: [1.0, 2.0], "loss": [1.0, None]})
    for drawn in (
        training_curves.one(run, logged, [2], 300, ()),
        training_curves.both([run, run], [logged, logged], 300),
    ):
        reader = Reader(drawn["svg"])
        assert "script" not in reader.elements
        assert all(of_the_page(name) for name in reader.attributes)
    assert EVIL in "".join(Reader(training_curves.one(run, logged, [], 300, ())["svg"]).said)
