"""A method of the tests that shows its picture on the way, with a parameter that nobody knows."""

from core.params import ParamSpec, register_param
from core.registry import register
from core.specs import Capabilities, MethodSpec

register_param(ParamSpec("patience", "Patience", "Seconds until it is white.", 30.0, 0.1, 60.0, 0.1))
register_param(ParamSpec("ground", "Ground", "What it begins on.", "dark", choices=("dark", "half")))

register(
    MethodSpec(
        name="grow",
        title="Grow",
        summary="Grows from black to white.",
        paper="of the tests",
        params=("alpha", "size", "seed", "seconds", "patience", "ground"),
        weights="",
        factory="tests.worker.growing:GrowingMethod",
        capabilities=Capabilities(iterative=True, style_masks=True, side_max=100),
    )
)
