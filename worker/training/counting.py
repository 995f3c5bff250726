"""Whether there are enough pictures for a training, looked at before it starts. Imports no torch, opens no picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice

from pydantic import BaseModel, ConfigDict

from core.errors import ParameterError
from core.train.files import names
from core.words import count

LOOKED_AT, LOOKED_SECONDS = 50_000, 5.0
"""Files, and seconds, looked at before the rest is left to the worker."""


class PictureCount(BaseModel):
    """``found``: pictures counted, never more than ``needed``; ``None`` where this machine does not see them, or too much
    else lies among them."""

    model_config = ConfigDict(frozen=True)

    what: str
    found: int | None
    needed: int

    @property
    def few(self) -> bool:
        """Whether there are too few for certain."""
        return self.found is not None and self.found < self.needed

    @property
    def sentence(self) -> str:
        """What was found, in a sentence."""
        if self.found is None:
            return f"The {self.what} cannot be seen from here; the worker looks at them first."
        if not self.few:
            return f"There are enough {self.what}: {self.needed} or more."
        are = "is" if self.found == 1 else "are"
        return f"{count(self.found, self.what[:-1])} {are} too few: the recipe needs at least {self.needed}."

    def demand(self) -> None:
        """Raises ``ParameterError`` where there are too few."""
        if self.few:
            raise ParameterError(self.sentence, code=self.what)


def count_pictures(places: Sequence[str], what: str, needed: int) -> PictureCount:
    """Count pictures in folders, archives and globs until there are ``needed``. Raises ``ParameterError`` for an archive
    that cannot be read."""
    found = looked = 0
    until = time.monotonic() + LOOKED_SECONDS
    for place in places:
        try:
            for name in islice(names([place]), LOOKED_AT + 1 - looked):
                looked += 1
                found += name is not None
                if found >= needed:
                    return PictureCount(what=what, found=needed, needed=needed)
                if time.monotonic() > until:
                    return PictureCount(what=what, found=None, needed=needed)
        except ParameterError as error:
            if "cannot be read" in str(error):
                raise
            return PictureCount(what=what, found=None, needed=needed)  # it may be there on the worker
        if looked > LOOKED_AT:
            return PictureCount(what=what, found=None, needed=needed)
    return PictureCount(what=what, found=found, needed=needed)
