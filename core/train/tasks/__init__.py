"""The trainings: what is learned, from which pictures, with which loss."""

from core.train.tasks.adain import AdaINTask
from core.train.tasks.base import Task
from core.train.tasks.distill import DistillTask

TASKS: dict[str, type[Task]] = {"distill": DistillTask, "adain": AdaINTask}

__all__ = ["TASKS", "AdaINTask", "DistillTask", "Task"]
