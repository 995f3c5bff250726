"""The trainings: what is learned, from which pictures, with which loss."""

from core import registry
from core.train.tasks.adaconv import AdaConvTask
from core.train.tasks.adain import AdaINTask
from core.train.tasks.base import Task
from core.train.tasks.classify import ClassifyTask
from core.train.tasks.distill import DistillTask
from core.train.tasks.factorized import FactorizedTask
from core.train.tasks.johnson import JohnsonTask
from core.train.tasks.slim import SlimTask
from core.train.tasks.source import FactorizedSourceTask
from core.train.tasks.texture import TextureTask

TASKS: dict[str, type[Task]] = {
    "distill": DistillTask,
    **{task: registry.resolve(spec.factory) for task, spec in registry.trainings().items()},
    "slim": SlimTask,
    "johnson": JohnsonTask,
    "texture": TextureTask,
}
"""Those that learn from photos, styles and a teacher; ``ClassifyTask`` learns from a folder of classes."""

__all__ = [
    "TASKS",
    "AdaConvTask",
    "AdaINTask",
    "ClassifyTask",
    "DistillTask",
    "FactorizedSourceTask",
    "FactorizedTask",
    "JohnsonTask",
    "SlimTask",
    "Task",
    "TextureTask",
]
