"""The method ``patient``: paints for as long as the file named by ``PATIENT_GATE`` exists, so that tests of the page
decide when a painting is finished, however busy the machine is."""

from __future__ import annotations

from core.registry import register
from core.specs import MethodSpec

GATE_VARIABLE = "PATIENT_GATE"

register(
    MethodSpec(
        name="patient",
        title="patient",
        summary="A method of the tests.",
        paper="none",
        params=("alpha", "keep_colors", "size"),
        weights="none",
        factory="tests.webui.patience:Patient",
    )
)
