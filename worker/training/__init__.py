"""Trainings on the workers as everybody sees them: start, watch, stop, publish. Imports no torch.

What trains is ``worker.tasks.train``; what front ends talk to is ``TrainingService``, as ``Client.training``."""

from worker.training.folder import Curves
from worker.training.views import Phase, SliceView, TrainingState, TrainingView, VersionView

__all__ = ["Curves", "Phase", "SliceView", "TrainingState", "TrainingView", "VersionView"]
