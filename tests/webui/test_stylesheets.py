"""One set of tokens and no block twice: the page's stylesheets, read as text."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest

from core import charts
from webui import theme
from webui.survey.page import STYLESHEETS
from webui.training.page import STYLESHEET

FILES = sorted(theme.STATIC.glob("*.css"))
TOKENS = theme.FRAME.name
ALIKE = 3
"""So many declarations, the very same, are written once."""
NEARLY = 6
"""So many in common are, too, whatever else the two rules say."""
COLOUR = re.compile(r"#[0-9a-f]{3,8}\b|\b(?:rgba?|hsla?|oklch|lab|lch)\(", re.IGNORECASE)


class Rule(NamedTuple):
    """A rule: its file, the condition around it, its selector, its declarations."""

    file: str
    condition: str
    selector: str
    declarations: frozenset[str]


def rules(path: Path) -> list[Rule]:
    """The rules of a stylesheet whose only nesting is that of conditions and keyframes."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    found, condition = [], ""
    for match in re.finditer(r"(@(?:media|keyframes)[^{]*)\{|([^{}]+)\{([^{}]*)\}|\}", text):
        if match[1]:
            condition = " ".join(match[1].split())
        elif match[2] is None:
            condition = ""
        else:
            # A semicolon within an address is none between declarations.
            parts = re.split(r";(?![^(]*\))", match[3])
            declarations = frozenset(" ".join(part.split()) for part in parts if part.strip())
            found.append(Rule(path.name, condition, " ".join(match[2].split()), declarations))
    return found


ALL = [rule for path in FILES for rule in rules(path)]


def test_rules_are_read() -> None:
    assert len(ALL) > 300
    assert any(rule.condition.startswith("@media") for rule in ALL)
    assert all(":" in declaration for rule in ALL for declaration in rule.declarations)
    used = {*theme.STYLESHEETS, *STYLESHEETS, STYLESHEET, theme.FRAME}
    assert used == set(FILES), "a stylesheet that nobody loads, or one that is not there"


def test_no_block_stands_twice() -> None:
    twice = [
        (one, other)
        for one, other in combinations(ALL, 2)
        if one.condition == other.condition
        and (
            (one.declarations == other.declarations and len(one.declarations) >= ALIKE)
            or len(one.declarations & other.declarations) >= NEARLY
        )
    ]
    assert not twice, "\n".join(f"{a.file} {a.selector} and {b.file} {b.selector}" for a, b in twice)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_colours_are_tokens(path: Path) -> None:
    if path.name == TOKENS:
        return
    # Within the address of a drawing a token would not be known.
    named = [
        f"{rule.selector}: {declaration}"
        for rule in rules(path)
        for declaration in rule.declarations
        if COLOUR.search(re.sub(r'url\("data:.*?"\)', "", declaration))
    ]
    assert not named, f"{path.name}: use a token of {TOKENS} or core/palette.py for {named}"


def test_tokens_that_are_used_are_defined() -> None:
    whole = "\n".join(path.read_text(encoding="utf-8") for path in FILES) + str(theme.head())
    defined = set(re.findall(r"(--[a-z0-9-]+)\s*:", whole))
    # Set by the page for each element that needs them.
    defined |= {
        "--high",
        "--low",
        "--ratio",
        "--sheet",
        "--steps",
        "--share",
        "--grades",
        "--half",
        "--split",
        "--dock",
    }
    used = set(re.findall(r"var\((--[a-z0-9-]+)", whole))
    assert used <= defined, used - defined


def test_parts_of_charts_are_styled_as_such_and_by_nothing_else() -> None:
    # A rule for the page's own ".bar" would give the columns of a chart its height.
    series = charts.Series("loss", [1], [1.0], "c0")
    drawn = charts.lines([series], width=300, height=200, label="", marks=[1])
    shown = charts.histogram((1, 2), (1, 2), large=True) + charts.whisker(
        2, 1, 3, (1, 3), label="", overall=2
    )
    named = re.findall(r'class="([^"]+)"', drawn.svg + shown)
    names = {name for names in named for name in names.split()}
    assert {"column", "axis", "line", "range", "milestone"} <= names
    for rule in ALL:
        if rule.file == "charts.css":
            continue
        alone = {part.strip() for part in rule.selector.split(",")} & {f".{name}" for name in names}
        assert not alone, f"{rule.file}: {rule.selector}"
