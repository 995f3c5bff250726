"""Methods of one's own: the setting ``extra_methods`` names modules that register them when imported.

Such a module calls ``core.registry.register(MethodSpec(...))`` at import and must not import torch there; the
class its ``factory`` names is imported only where painting happens."""

from __future__ import annotations

import importlib

from core import weights
from core.errors import ParameterError
from worker.settings import Settings


def load_extra_methods(settings: Settings) -> None:
    """Import the modules, and prefer published models to shipped ones; raises ``ParameterError`` with one
    sentence."""
    weights.look_into(settings.models)
    for name in settings.extra_methods:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ParameterError(
                f"The module '{name}' named in ALLAPRIMA_EXTRA_METHODS cannot be imported: {error}."
            ) from None
