"""What a slice of a training offers to those who do its work (``worker.tasks.sessions``, ``worker.tasks.publish``)."""

from __future__ import annotations

from typing import Any, Protocol

from worker.settings import Settings
from worker.store.models import Training
from worker.tasks.context import Context
from worker.training.folder import TrainingFolder


class Work(Protocol):
    """A slice under way: the training's ``row``, its ``folder``, and the ``values`` written into the row at the end."""

    context: Context
    settings: Settings
    row: Training
    folder: TrainingFolder
    values: dict[str, Any]

    def look_up(self) -> None:
        """For long work without steps: raises when it is to stop."""

    def course(self, doing: str, share: float) -> None:
        """Tell how far a publication has come: what is being done, and the share in [0, 1] that is done."""
