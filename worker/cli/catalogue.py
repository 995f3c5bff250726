"""``allaprima styles`` and ``allaprima methods``: what there is to choose from, one line each."""

from __future__ import annotations

import argparse

from worker.cli.parser import Subcommands
from worker.cli.show import table


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
    rows = [
        (spec.name,) if args.names else (spec.name, spec.title, f"{spec.summary} ({spec.paper})")
        for spec in methods()
    ]
    print(table(rows))
    return 0
