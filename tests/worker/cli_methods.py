"""Registers a painting method for tests of the command line: quick and without weights. Loaded through the
setting ``extra_methods``, as methods of one's own are; its code is in ``cli_tint``, which imports torch."""

from core.registry import register
from core.specs import MethodSpec

register(
    MethodSpec(
        name="tint",
        title="Tint",
        summary="Moves every pixel towards the style's mean colour.",
        paper="tests",
        params=("alpha", "size"),
        weights="",
        factory="tests.worker.cli_tint:Tint",
    )
)
