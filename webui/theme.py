"""The look of the page: an artist's studio in daylight and by lamplight. System fonts only; nothing is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from core.palette import (
    ACCENT,
    ACCENT_DEEP,
    CURVES,
    FADED,
    INK,
    LINE,
    ON_ACCENT,
    PAPER,
    SHEET,
    WELL,
)
from core.templates import Pieces, own_file

STATIC = Path(__file__).parent / "static"
STYLESHEETS = tuple(
    STATIC / name
    for name in ("parts.css", "style.css", "stand.css", "hanging.css", "brush.css", "charts.css")
)
FRAME = STATIC / "frame.css"
SCRIPTS = tuple(STATIC / name for name in ("news.js", "page.js", "fields.js", "stand.js", "brush.js"))
ICON = STATIC / "favicon.svg"

TEXT_FONTS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO_FONTS = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

_HTML = Pieces("webui", "head.html")


def head() -> Markup:
    """What goes into the page's ``<head>``: the script and the colours of the browser's own frame."""
    tokens, dark = ([(name, pair[side]) for name, pair in _palette().items()] for side in (0, 1))
    return _HTML.head(PAPER, tokens, dark, own_file(FRAME), [own_file(script) for script in SCRIPTS])


def scripts(*paths: Path) -> Markup:
    """Scripts of the page's own, for the head of a document."""
    return _HTML.scripts([own_file(path) for path in paths])


def words(name: str, content: Any) -> Markup:
    """What a script says, as ``window.<name>``."""
    return _HTML.words(name, content)


def text_fonts() -> Markup:
    """The fonts of running text as a value of CSS: names of several words in quotes, the browser's own words without."""
    return Markup(", ".join(f"'{name}'" if " " in name else name for name in TEXT_FONTS))


def _palette() -> dict[str, tuple[str, str]]:
    return {
        "paper": PAPER,
        "sheet": SHEET,
        "well": WELL,
        "line": LINE,
        "ink": INK,
        "faded": FADED,
        "accent": ACCENT,
        "accent-deep": ACCENT_DEEP,
        "on-accent": ON_ACCENT,
        **{f"c{number}": pair for number, pair in enumerate(CURVES, start=1)},
    }


def theme() -> Any:
    """The Gradio theme: the stock components in the page's colours."""
    import gradio as gr
    from gradio.themes.utils import colors

    def pair(name: str, value: tuple[str, str]) -> dict[str, str]:
        return {name: value[0], f"{name}_dark": value[1]}

    values: dict[str, str] = {}
    for names, value in (
        (("body_background_fill",), PAPER),
        (("background_fill_primary", "block_background_fill", "panel_background_fill"), SHEET),
        (("background_fill_secondary", "input_background_fill", "checkbox_label_background_fill"), WELL),
        (("button_secondary_background_fill", "checkbox_background_color"), SHEET),
        (("button_secondary_background_fill_hover", "checkbox_label_background_fill_hover"), WELL),
        (("border_color_primary", "block_border_color", "input_border_color", "checkbox_border_color"), LINE),
        (("button_secondary_border_color", "checkbox_label_border_color"), LINE),
        (("body_text_color", "block_title_text_color", "block_label_text_color"), INK),
        (("button_secondary_text_color", "checkbox_label_text_color"), INK),
        (("body_text_color_subdued", "block_info_text_color", "input_placeholder_color"), FADED),
        (("button_primary_background_fill", "slider_color", "color_accent"), ACCENT),
        (("checkbox_background_color_selected", "checkbox_border_color_selected"), ACCENT),
        (("button_primary_background_fill_hover", "link_text_color"), ACCENT_DEEP),
        (("button_primary_text_color",), ON_ACCENT),
        (("input_border_color_focus", "border_color_accent"), ACCENT),
    ):
        for name in names:
            values |= pair(name, value)
    # A variable's dark twin exists only where the theme has one.
    base = gr.themes.Base(
        primary_hue=colors.orange,
        neutral_hue=colors.stone,
        font=TEXT_FONTS,
        font_mono=MONO_FONTS,
        radius_size=gr.themes.sizes.radius_md,
        spacing_size=gr.themes.sizes.spacing_lg,
    )
    known = set(base.set.__code__.co_varnames)
    values = {name: value for name, value in values.items() if name in known}
    return base.set(
        **values,
        block_shadow="none",
        block_border_width="0px",
        button_large_radius="999px",
        button_small_radius="999px",
        button_large_text_weight="600",
    )
