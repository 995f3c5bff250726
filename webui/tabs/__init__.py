"""The tabs of the page. Each is a class with a ``title``, built from a ``Site`` inside ``gr.Blocks``, and a
``connect(page)`` that attaches its events."""

from __future__ import annotations

from typing import Any


def tabs() -> list[type[Any]]:
    """The tabs in the order they are shown. Imported here, not above: Gradio takes seconds."""
    from webui.tabs.compare import CompareTab
    from webui.tabs.inside import InsideTab
    from webui.tabs.paint import PaintTab
    from webui.tabs.survey import SurveyTab
    from webui.tabs.training import TrainingTab

    return [PaintTab, CompareTab, InsideTab, SurveyTab, TrainingTab]
