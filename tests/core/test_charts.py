"""Charts as SVG: where values lie, what is left out, what is said."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from core import charts
from core.charts import Axis, Series

WIDTH, HEIGHT = 600, 270


def elements(svg: str, kind: str, name: str = "") -> list[ElementTree.Element]:
    """Elements of a kind, and of a class; the SVG must be well-formed XML."""
    return [
        one
        for one in ElementTree.fromstring(svg).iter(kind)
        if not name or name in one.get("class", "").split()
    ]


def drawn(*series: Series, **options: object) -> charts.Lines:
    known: dict[str, object] = {"width": WIDTH, "height": HEIGHT, "label": "Loss"}
    return charts.lines(series, **(known | options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-1, 1, 4, [-1, -0.5, 0, 0.5, 1]),
        (3, 3, 5, [3]),
        (0, 160_000, 4, [0, 50_000, 100_000, 150_000]),
        (0.1, 0.7, 6, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
    ],
)
def test_ticks_are_round(low: float, high: float, count: int, expected: list[float]) -> None:
    assert charts.ticks(low, high, count) == expected


def test_an_axis_lays_values_between_its_ends() -> None:
    plain = Axis(0, 10, 100, 0)
    assert [plain.at(value) for value in (0, 5, 10)] == [100, 50, 0]
    log = Axis(0.01, 100, 0, 80, log=True)
    assert [log.at(value) for value in (0.01, 1, 100)] == pytest.approx([0, 40, 80])
    assert log.ticks(4) == pytest.approx([0.01, 0.1, 1, 10, 100])
    assert Axis(2, 2, 0, 10).at(2) == 0


def test_values_far_apart_are_logarithmic() -> None:
    assert charts.value_axis([0.1, 3.0], 0, 1).log
    assert not charts.value_axis([0.0, 3.0], 0, 1).log
    assert not charts.value_axis([-1.0, 30.0], 0, 1).log
    near = charts.value_axis([1.0, 2.0], 0, 1)
    assert near.low == pytest.approx(0.94)
    assert near.high == pytest.approx(2.06)
    assert charts.value_axis([0.0, 1.0], 0, 1).low == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (0.5, "0.5"),
        (0.00012, "1.2e-4"),
        (12345, "12,345"),
        (2.5e7, "2.5e7"),
        (123.4, "123"),
        (-3, "-3"),
    ],
)
def test_values_beside_an_axis_are_short(value: float, said: str) -> None:
    assert charts.short(value) == said


def test_a_course_follows_its_values_without_lag() -> None:
    rising = [float(step) for step in range(200)]
    course = charts.smooth(rising)
    middle = [abs(a - b) for a, b in zip(rising[60:140], course[60:140], strict=True) if b is not None]
    assert max(middle) < 0.1
    assert charts.smooth([1.0, None, 3.0]) == [1.0, 2.0, 3.0]
    assert charts.smooth([None, None]) == [None, None]
    assert charts.smooth([]) == []


def test_lines_lie_where_their_values_are() -> None:
    series = Series("loss", [0, 50, 100], [1.0, 2.0, 1.0], "c0", plain=True)
    found = drawn(series, last=100)
    [line] = elements(found.svg, "path", "line")
    points = [tuple(map(float, point)) for point in re.findall(r"[ML]([\d.]+) ([\d.]+)", line.get("d", ""))]
    assert [x for x, _ in points] == [
        charts.LEFT,
        (charts.LEFT + WIDTH - charts.RIGHT) / 2,
        WIDTH - charts.RIGHT,
    ]
    assert points[0][1] == points[2][1] > points[1][1]
    assert all(charts.TOP <= y <= HEIGHT - charts.BOTTOM for _, y in points)
    heights = [
        float(one.get("d", "").split()[1].partition("H")[0]) for one in elements(found.svg, "path", "axis")
    ]
    assert all(a > b for a, b in pairwise(heights))
    assert not elements(found.svg, "path", "raw")  # a plain curve is its own course


def test_missing_values_leave_a_gap() -> None:
    series = Series("loss", [1, 2, 3, 4], [1.0, None, math.nan, 2.0], "c0", plain=True)
    [line] = elements(drawn(series).svg, "path", "line")
    assert line.get("d", "").count("M") == 2
    assert "nan" not in drawn(series).svg


def test_without_values_there_is_no_chart() -> None:
    assert drawn().svg == ""
    assert drawn(Series("loss", [], [], "c0")).svg == ""
    assert drawn(Series("loss", [1], [None], "c0")).svg == ""


def test_a_single_value_is_a_dot() -> None:
    [dot] = elements(drawn(Series("loss", [7], [0.5], "c3")).svg, "circle", "dot")
    assert "c3" in dot.get("class", "")


def test_a_training_far_from_its_end_is_shown_as_far_as_it_has_come() -> None:
    series = Series("loss", [1, 100], [2.0, 1.0], "c0")
    assert drawn(series, last=10_000, near=True).across.high == 115
    assert drawn(series, last=10_000).across.high == 10_000
    assert drawn(series, last=100, near=True).across.high == 100
    marks = elements(drawn(series, last=100, marks=[50, 100]).svg, "circle", "milestone")
    assert [float(mark.get("cx", "0")) for mark in marks] == [319.0, WIDTH - charts.RIGHT]


@pytest.mark.parametrize("large", [False, True])
def test_a_histogram_has_a_bar_for_each_score_that_was_given(large: bool) -> None:
    svg = charts.histogram((0, 2, 4), (5, 7), large=large)
    [columns] = elements(svg, "path", "column")
    height = 150 if large else 34
    tall = [height - float(y) for y in re.findall(r"V([\d.]+)H", columns.get("d", ""))]
    assert tall == pytest.approx([height / 2, height])
    [whole] = elements(svg, "svg")
    assert whole.get("aria-label") == "Histogram. 5: 0, 6: 2, 7: 4"
    said = [text.text for text in elements(svg, "text")]
    assert said == (["5", "6", "2", "7", "4"] if large else [])


def test_an_interval_lies_around_its_mean() -> None:
    svg = charts.whisker(3.0, 2.0, 4.0, (1, 5), label="Mean 3", overall=2.5)
    [dot] = elements(svg, "circle", "dot")
    assert float(dot.get("cx", "0")) == 100
    [span] = elements(svg, "path", "range")
    assert span.get("d") == "M52.0 14H148.0"
    nothing = charts.whisker(None, None, None, (1, 5), label="Mean –")
    assert not elements(nothing, "circle")
    assert not elements(nothing, "path", "range")
    assert elements(nothing, "path", "axis")
