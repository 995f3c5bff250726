"""HTML comes from templates, which escape; no module of the front ends or the worker builds tags of its own."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import UndefinedError, meta, nodes
from markupsafe import Markup

from core.templates import Pieces, environment, render

ROOT = Path(__file__).resolve().parent.parent
EVIL = "<script>\"'&"
PACKAGES = ("core", "worker", "bot", "webui")
TEMPLATES = [
    path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package / "templates").glob("*")
]

ELEMENTS = (
    "a|abbr|article|aside|b|body|br|button|canvas|circle|code|col|dd|defs|details|dialog|div|dl|dt"
    "|ellipse|em|fieldset|figcaption|figure|footer|form|g|h1|h2|h3|h4|h5|h6|head|header|hr|html|i|iframe"
    "|img|input|label|legend|li|line|link|main|meta|nav|noscript|ol|option|output|p|path|picture|polygon"
    "|polyline|pre|rect|s|script|section|select|small|source|span|strong|style|sub|summary|sup|svg|table"
    "|tbody|td|template|text|textarea|tfoot|th|thead|title|tr|u|ul|use|video"
)
TAG = re.compile(rf"</?(?:{ELEMENTS})(?:\s+[a-z-]+=|\s*/?>)", re.IGNORECASE)
MAY_HAVE_TAGS = {
    # It looks for the scripts of a document that Gradio has made, and names their hashes.
    Path("webui/guard.py"),
}


def strings(tree: ast.AST) -> list[str]:
    """All texts of a module but those that only say something to readers (docstrings)."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in said and isinstance(node.value, str | bytes):
            value = node.value
            found.append(value if isinstance(value, str) else value.decode("latin-1"))
        elif isinstance(node, ast.JoinedStr):
            # What is filled in may be the name of an element: f"<{name}>".
            found.append("".join(str(p.value) if isinstance(p, ast.Constant) else "b" for p in node.values))
    return found


@pytest.mark.parametrize("package", ["worker", "bot", "webui"])
def test_no_module_builds_tags(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        found = [text for text in strings(ast.parse(path.read_text("utf-8"))) if TAG.search(text)]
        if path.relative_to(ROOT) in MAY_HAVE_TAGS:
            assert found, f"{path} need not be excepted any more"
        else:
            assert not found, f"{path}: HTML belongs into a template, see core/templates: {found}"


@pytest.mark.parametrize(
    "code",
    [
        "x = '<b>bold</b>'",
        "x = f'<div class=\"{y}\">'",
        "x = '</' + name + '<p>'",
        "x = f'<{y}>'",
        "x = b'<img src='",
    ],
)
def test_tags_are_found(code: str) -> None:
    assert any(TAG.search(text) for text in strings(ast.parse(code)))


@pytest.mark.parametrize("code", ["'''<b>'''", "x = '<id>'", "x = 'a < b'", "x = f'{a}<{b}'"])
def test_what_is_no_tag_is_let_be(code: str) -> None:
    assert not any(TAG.search(text) for text in strings(ast.parse(code)))


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_templates_switch_nothing_off(path: Path) -> None:
    package, name = path.parts[0], path.name
    source = (ROOT / path).read_text(encoding="utf-8")
    tree = environment(package).parse(source)
    filters = {node.name for node in tree.find_all(nodes.Filter)}
    assert not filters & {"safe", "forceescape", "attr"}, f"{path}: what comes from outside must be escaped"
    assert not list(tree.find_all(nodes.ScopedEvalContextModifier)), f"{path}: autoescape stays on"
    for asked in meta.find_referenced_templates(tree):
        environment(package).get_template(asked or "")
    environment(package).get_template(name)  # and it can be compiled


def test_there_are_templates_of_every_package() -> None:
    assert {path.parts[0] for path in TEMPLATES} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_environment_escapes_and_is_strict(package: str) -> None:
    found = environment(package)
    assert found.from_string("<p>{{ text }}</p>").render(text=EVIL) == "<p>&lt;script&gt;&#34;&#39;&amp;</p>"
    assert found.from_string("{{ text }}").render(text=Markup("<b>")) == "<b>"
    with pytest.raises(UndefinedError):
        found.from_string("{{ missing }}").render()
    assert "</script" not in found.from_string("{{ text | tojson }}").render(text="</script>")


def test_pieces_are_markup_and_go_into_others_unchanged() -> None:
    status = Pieces("webui", "status.html")
    bar = status.bar("Painting", 40)
    assert isinstance(bar, Markup)
    assert bar in status.line("running", "Painting", below=bar)
    assert "&lt;b&gt;" in status.line("running", "Painting", below="<b>")
    with pytest.raises(AttributeError):
        status.not_there("x")
    with pytest.raises(UndefinedError):
        status.bar("Painting")


def test_a_report_to_operators_is_escaped() -> None:
    said = render("bot", "report.html", head=EVIL, what=EVIL, where=EVIL)
    assert said == "⚠️ {0}\n<code>{0}</code>\n<pre>{0}</pre>".format("&lt;script&gt;&#34;&#39;&amp;")
    assert render("bot", "report.html", head="a", what="b", where="") == "⚠️ a\n<code>b</code>"


def test_templates_are_read_without_torch_and_gradio() -> None:
    code = (
        "import sys, core.templates, core.charts; core.charts.histogram((1, 2), (1, 2)); "
        "assert not {'torch', 'gradio', 'numpy', 'PIL'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
