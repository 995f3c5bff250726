"""The trainings: what is learned, from which pictures, with which loss."""

from core.train.tasks.adaconv import AdaConvTask
from core.train.tasks.adain import AdaINTask
from core.train.tasks.base import Task
from core.train.tasks.distill import DistillTask
from core.train.tasks.factorized import FactorizedTask

TASKS: dict[str, type[Task]] = {
    "distill": DistillTask,
    "adain": AdaINTask,
    "adaconv": AdaConvTask,
    "factorized": FactorizedTask,
}

__all__ = ["TASKS", "AdaConvTask", "AdaINTask", "DistillTask", "FactorizedTask", "Task"]
