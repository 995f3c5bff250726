"""Trainings on the workers as everybody sees them: start, watch, stop, publish. Imports no torch.

What trains is ``worker.tasks.train``; what front ends talk to is ``TrainingService``, as ``Client.training``."""

from worker.training.runs import Phase, RunState, RunView, SliceView, VersionView

__all__ = ["Phase", "RunState", "RunView", "SliceView", "VersionView"]
