"""A method for tests of the queue: real in its interface and its result, with faults on demand.

It mixes the photograph with the style's mean colour.
"""

from __future__ import annotations

from core.registry import register
from core.specs import MethodSpec

NAMES = ("mix", "mix-slow", "mix-crash", "mix-bug", "mix-big", "mix-missing")

for _name in NAMES:
    register(
        MethodSpec(
            name=_name,
            title=_name,
            summary="A method of the tests.",
            paper="none",
            params=("alpha", "keep_colors", "size", "seed"),
            weights="none",
            factory="tests.worker.mixing:MixMethod",
        )
    )
