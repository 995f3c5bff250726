"""What the server keeps of a page session. Besides what its handlers ask for, Gradio keeps a copy of every component's
settings and the last values it had, pictures in HTML included, so that a deep link can make the page anew. There are no deep
links here (``webui.guard``), and this copy is most of a session's memory: it is left out."""

from __future__ import annotations

from typing import Any

from gradio.state_holder import SessionState, StateHolder


class Unkept(dict[int, Any]):
    """A table of which nothing stays: what is looked up in it is empty."""

    def __setitem__(self, key: int, value: Any) -> None:
        pass

    def __missing__(self, key: int) -> dict[str, Any]:
        return {}


class LeanStates(StateHolder):
    """Gradio's sessions without what only deep links need."""

    def __getitem__(self, session_id: str) -> SessionState:
        state = super().__getitem__(session_id)
        if not isinstance(state.config_values, Unkept):
            state.config_values = Unkept()
        return state


def keep_little(blocks: Any) -> None:
    """Have the mounted ``gr.Blocks`` keep little of its page sessions."""
    blocks.state_holder.__class__ = LeanStates
