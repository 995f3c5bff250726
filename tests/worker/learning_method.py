"""A method of the tests that learns nothing much, in no time."""

from core.registry import Capabilities, MethodSpec, register

register(
    MethodSpec(
        name="swot",
        title="Swot",
        summary="Learns that a style has one more colour.",
        paper="of the tests",
        params=("alpha", "size", "seed", "seconds"),
        weights="",
        factory="tests.worker.learning:LearningMethod",
        capabilities=Capabilities(iterative=True, learns=True, side_max=100),
    )
)
