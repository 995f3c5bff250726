"""``/survey``: the survey alone on a light page, for links that people open on their phones. The tab of the page shows
the same panel, driven by the same script."""

from __future__ import annotations

import json
from functools import cache

from webui import theme, views

SCRIPT = theme.STATIC / "survey.js"
RESEARCH_SCRIPT = theme.STATIC / "survey-results.js"
QUICK_SCRIPT = theme.STATIC / "survey-rate.js"
STYLESHEETS = (theme.STATIC / "survey.css", theme.STATIC / "survey-results.css")
TEXTS = theme.STATIC / "survey.json"

PANEL = (
    '<div id="survey-panel" aria-live="polite"><noscript>The survey needs JavaScript.</noscript></div>'
    '<div id="survey-results"></div>'
)

# Before anything is drawn; the visitor's own choice, if any, is set by the page's script.
_DARK = "if (matchMedia('(prefers-color-scheme: dark)').matches) document.body.classList.add('dark');"


@cache
def scripts() -> str:
    """What makes ``PANEL`` come alive, for the head of a page."""
    texts = json.dumps(json.loads(TEXTS.read_text(encoding="utf-8")), ensure_ascii=False).replace(
        "<", "\\u003c"
    )
    return f"<script>window.surveyTexts = {texts};</script>" + "".join(
        f"<script>{path.read_text(encoding='utf-8')}</script>"
        for path in (SCRIPT, RESEARCH_SCRIPT, QUICK_SCRIPT)
    )


@cache
def survey_page() -> str:
    """The page, complete; it fetches nothing but its pictures and answers."""
    styles = "".join(
        f"<style>{path.read_text(encoding='utf-8')}</style>" for path in (*theme.STYLESHEETS, *STYLESHEETS)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">'
        f'<title>Alla Prima · Survey</title><link rel="icon" href="favicon.ico">{theme.head()}{styles}'
        "<style>body { margin: 0; font: 16px/1.5 "
        + ", ".join(_quoted(name) for name in theme.TEXT_FONTS)
        + "; }"
        "*, ::before, ::after { box-sizing: border-box; }"
        "main { max-width: 1240px; margin: 0 auto; padding: 0 28px 40px; }"
        "@media (max-width: 860px) { main { padding: 0 12px 20px; } }</style>"
        f'{scripts()}</head><body class="alone"><script>{_DARK}</script><main>{views.HEADER}{PANEL}</main></body></html>'
    )


def _quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name
