"""``allaprima styles`` and ``allaprima methods``: what there is to choose from, one line each."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from core.params import PARAMS
from worker.cli.parser import Subcommands, option
from worker.cli.show import table

if TYPE_CHECKING:
    from core.specs import MethodSpec


def add_parser(subcommands: Subcommands) -> None:
    """Define both commands."""
    styles = subcommands.add_parser(
        "styles", description="List the styles of the gallery: name, title, manner."
    )
    styles.add_argument("--names", action="store_true", help="print the names only")
    styles.set_defaults(run=list_styles)
    methods = subcommands.add_parser(
        "methods", description="List the painting methods: name, title, what they do."
    )
    methods.add_argument("--names", action="store_true", help="print the names only")
    methods.add_argument("--params", action="store_true", help="print the parameters of each, too")
    methods.set_defaults(run=list_methods)


def list_styles(args: argparse.Namespace) -> int:
    """Print the gallery."""
    from core.styles import styles

    rows = [(style.name,) if args.names else (style.name, style.title, style.summary) for style in styles()]
    print(table(rows))
    return 0


def list_methods(args: argparse.Namespace) -> int:
    """Print the registry."""
    from core.registry import methods
    from worker.plugins import load_extra_methods
    from worker.settings import get_settings

    load_extra_methods(get_settings())
    if args.params:
        print(table([row for spec in methods() for row in _parameters(spec)]))
        return 0
    rows = [
        (spec.name,) if args.names else (spec.name, spec.title, f"{spec.summary} ({spec.paper})")
        for spec in methods()
    ]
    print(table(rows))
    return 0


def _parameters(spec: MethodSpec) -> list[tuple[str, str, str, str]]:
    found = []
    for name in spec.params:
        param = PARAMS[name]
        values = ", ".join(param.choices or ())
        if param.minimum is not None and param.maximum is not None:
            values = f"{param.minimum:g} to {param.maximum:g}"
        found.append((spec.name, option(name), values, f"{param.help} ({param.default})"))
    return found
