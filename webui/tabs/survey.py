"""The tab of the survey: raters meet their studies here, researchers their results. The room is driven by its own
script and the routes of ``webui.survey``, so that hundreds of raters at once cost the page's event queue nothing."""

from __future__ import annotations

import gradio as gr

from webui.site import Site
from webui.survey.page import ROOM


class SurveyTab:
    """Builds the tab inside the current ``gr.Blocks``."""

    title = "Survey"

    def __init__(self, site: Site) -> None:
        self.room = gr.HTML(ROOM, elem_id="survey", apply_default_css=False)

    def connect(self, page: gr.Blocks) -> None:
        """Nothing to attach: the room's script talks to the server itself."""
