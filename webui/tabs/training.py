"""The tab of trainings, for operators: start, watch, stop, compare and publish. Like the survey's panel it is driven by
its own script and routes, so that watching costs the page's event queue nothing."""

from __future__ import annotations

import gradio as gr

from webui.site import Site
from webui.training.page import PANEL


class TrainingTab:
    """Builds the tab inside the current ``gr.Blocks``."""

    title = "Training"

    def __init__(self, site: Site) -> None:
        self.panel = gr.HTML(PANEL, elem_id="training", apply_default_css=False)

    @staticmethod
    def wanted(site: Site) -> bool:
        """Shown only where operators have a password."""
        return site.settings.operator_password is not None

    def connect(self, page: gr.Blocks) -> None:
        """Nothing to attach: the panel's script talks to the server itself."""
