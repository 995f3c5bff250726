"""``/survey``: the survey alone on a light page, for links that people open on their phones. The tab of the page shows
the same panel, driven by the same script."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from core.templates import Pieces, own_file, render
from webui import theme, views

if TYPE_CHECKING:
    from markupsafe import Markup

SCRIPT = theme.STATIC / "survey.js"
RESEARCH_SCRIPT = theme.STATIC / "survey-results.js"
QUICK_SCRIPT = theme.STATIC / "survey-rate.js"
STYLESHEETS = (theme.STATIC / "survey.css", theme.STATIC / "survey-results.css")
TEXTS = theme.STATIC / "survey.json"

PANEL: str = Pieces("webui", "page.html").survey_panel()


@cache
def scripts() -> Markup:
    """What makes ``PANEL`` come alive, for the head of a page."""
    texts = json.loads(TEXTS.read_text(encoding="utf-8"))
    return theme.words("surveyTexts", texts) + theme.scripts(SCRIPT, RESEARCH_SCRIPT, QUICK_SCRIPT)


@cache
def survey_page() -> str:
    """The page, complete; it fetches nothing but its pictures and answers."""
    return render(
        "webui",
        "survey.html",
        head=theme.head(),
        styles=[own_file(path) for path in (*theme.STYLESHEETS, *STYLESHEETS)],
        fonts=theme.text_fonts(),
        scripts=scripts(),
        header=views.header(),
        panel=PANEL,
    )
