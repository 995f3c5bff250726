"""Registers ``threads``: its painting is as bright as there are threads to paint it. Its code is in ``thread_counting``,
which imports torch."""

from core.registry import register
from core.specs import MethodSpec

register(
    MethodSpec(
        name="threads",
        title="Threads",
        summary="A method of the tests that shows how many threads it has.",
        paper="tests",
        params=("alpha", "size"),
        weights="",
        factory="tests.worker.thread_counting:ThreadCount",
    )
)
