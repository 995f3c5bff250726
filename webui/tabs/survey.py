"""The tab of the survey: raters meet their studies here, researchers their results. The panel is driven by its own
script and the routes of ``webui.survey``, so that hundreds of raters at once cost the page's event queue nothing."""

from __future__ import annotations

import gradio as gr

from webui.site import Site
from webui.survey.page import PANEL


class SurveyTab:
    """Builds the tab inside the current ``gr.Blocks``."""

    title = "Survey"

    def __init__(self, site: Site) -> None:
        self.panel = gr.HTML(PANEL, elem_id="survey", apply_default_css=False)

    def connect(self, page: gr.Blocks) -> None:
        """Nothing to attach: the panel's script talks to the server itself."""
