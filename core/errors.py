"""Errors that carry one clear sentence for the person who caused them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AllaPrimaError(Exception):
    """An expected failure. ``str(error)`` is one sentence fit to be shown; ``code`` names the cause for logs
    and metrics."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class PictureError(AllaPrimaError):
    """A picture that cannot be used; the sentence says what to send instead."""

    code = "picture"


class ParameterError(AllaPrimaError):
    """A parameter outside its range or of the wrong kind."""

    code = "parameter"


class UnknownNameError(ParameterError):
    """A method, style, recipe or other name that is not registered."""

    code = "unknown_name"

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f" Did you mean '{close[0]}'?" if close else f" Known: {', '.join(names)}."
        super().__init__(f"There is no {kind} called '{name}'.{hint}")
        self.name = name


class ModelError(AllaPrimaError):
    """Weights that are missing, damaged or of another shape than the network."""

    code = "model"


class NotFoundError(AllaPrimaError):
    """A job, picture or draft that does not exist or belongs to somebody else."""

    code = "not_found"


class LimitError(AllaPrimaError):
    """Somebody asked for more than the limits allow; the sentence says when to come back."""

    code = "limit"


class Cancelled(AllaPrimaError):
    """Raised out of a progress callback to stop a painting that was cancelled."""

    code = "cancelled"

    def __init__(self, message: str = "Cancelled.") -> None:
        super().__init__(message)
