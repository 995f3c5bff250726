"""HTML from templates: one environment of Jinja for the page, the reports and the charts of both.

Every text that is put into a template is escaped, whoever wrote it; only what a template has made (``Markup``) stays as it
is. A name that a template asks for and nobody gave is an error, not an empty place."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.environment import TemplateModule
from markupsafe import Markup


@cache
def environment(package: str) -> Environment:
    """What reads the templates in the folder ``templates`` of a package, installed or not."""
    found = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    # As the page's scripts expect their words: in the order given, every letter as it is.
    found.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return found


def render(package: str, template: str, **values: Any) -> str:
    """A whole document, as text."""
    return environment(package).get_template(template).render(**values)


class Pieces:
    """The macros of one template as functions: ``Pieces("webui", "tiles.html").group(…)``. What they return is ``Markup``,
    so that it can be put into another template."""

    def __init__(self, package: str, template: str) -> None:
        self._source = package, template

    def __getattr__(self, name: str) -> Callable[..., Markup]:
        # The template is read when the first piece of it is wanted, and each macro is looked up once.
        macro: Callable[..., Markup] = getattr(_module(*self._source), name)
        setattr(self, name, macro)
        return macro


@cache
def _module(package: str, template: str) -> TemplateModule:
    return environment(package).get_template(template).module


@cache
def own_file(path: Path) -> Markup:
    """A script or stylesheet of the program's own, to stand in a document as it is."""
    return Markup(path.read_text(encoding="utf-8"))  # nothing in it comes from outside
