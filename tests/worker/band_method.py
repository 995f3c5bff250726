"""Registers ``bands``, a quick method with two strengths: strokes and colours each have a slider, and weights of a mix,
of their own. Its code is in ``banding``, which imports torch."""

from core.registry import register
from core.specs import MethodSpec

register(
    MethodSpec(
        name="bands",
        title="Bands",
        summary="A method of the tests with two strengths.",
        paper="tests",
        params=("alpha_high", "alpha_low", "keep_colors", "size"),
        weights="",
        factory="tests.worker.banding:Bands",
    )
)
