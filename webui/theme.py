"""The look of the page: an artist's studio in daylight and by lamplight. System fonts only; nothing is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STATIC = Path(__file__).parent / "static"
STYLESHEETS = (STATIC / "style.css", STATIC / "stand.css", STATIC / "hanging.css", STATIC / "brush.css")
FRAME = STATIC / "frame.css"
SCRIPTS = tuple(STATIC / name for name in ("news.js", "page.js", "fields.js", "stand.js", "brush.js"))
ICON = STATIC / "favicon.svg"

TEXT_FONTS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO_FONTS = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

# daylight, lamplight
PAPER = ("#f5efe4", "#1a1714")
SHEET = ("#fdfaf3", "#24201b")
WELL = ("#f1e9da", "#1f1b17")
LINE = ("#e0d5c1", "#3b342c")
INK = ("#2c2620", "#efe6d8")
FADED = ("#6d6154", "#b3a694")
ACCENT = ("#b6401f", "#e8764f")
ACCENT_DEEP = ("#96331a", "#f08a65")
ON_ACCENT = ("#fffaf2", "#20130d")


def head() -> str:
    """What goes into the page's ``<head>``: the script and the colours of the browser's own frame."""
    colors = "".join(f"--{name}:{light};" for name, (light, _) in _palette().items())
    dark = "".join(f"--{name}:{dark};" for name, (_, dark) in _palette().items())
    return (
        '<meta name="referrer" content="no-referrer">'
        f'<meta name="theme-color" media="(prefers-color-scheme: light)" content="{PAPER[0]}">'
        f'<meta name="theme-color" media="(prefers-color-scheme: dark)" content="{PAPER[1]}">'
        f"<style>:root{{{colors}}}.dark{{{dark}}}\n{FRAME.read_text(encoding='utf-8')}</style>"
        + "".join(f"<script>{script.read_text(encoding='utf-8')}</script>" for script in SCRIPTS)
    )


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
