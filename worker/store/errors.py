"""What the store raises."""

from __future__ import annotations

from core.errors import AllaPrimaError


class StorageError(AllaPrimaError):
    """The database or the blob store cannot be reached or is full. ``passing``: it may work again in a moment,
    without anybody's doing."""

    code = "storage"

    def __init__(self, message: str, *, passing: bool = True) -> None:
        super().__init__(message)
        self.passing = passing
