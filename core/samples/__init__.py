"""Sample photographs that ship with the program, rendered by its own code (``tools.artwork.renderers``).

Importing this package needs neither numpy nor Pillow;
``python -m tools.artwork.render`` makes the pictures again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import UnknownNameError

_FOLDER = Path(__file__).parent / "photos"


@dataclass(frozen=True)
class Sample:
    """One picture: its name (also the renderer's module), what it shows, and its size in pixels."""

    name: str
    title: str
    width: int = 768
    height: int = 576

    @property
    def file(self) -> Path:
        """Where the shipped JPEG is."""
        return _FOLDER / f"{self.name}.jpg"


SAMPLES: tuple[Sample, ...] = (
    Sample("lake", "Mountain lake at sunset"),
    Sample("dunes", "Caravan in the dunes"),
    Sample("still_life", "Still life with fruit, bottle and jug"),
    Sample("sailing", "Sailing boat under summer clouds", 576, 768),
    Sample("canal", "Old houses along a canal"),
    Sample("lighthouse", "Lighthouse above a breaking sea"),
    Sample("bust", "Plaster bust in window light", 576, 768),
    Sample("skyline", "City across a bay at dusk"),
)


def describe(name: str) -> Sample:
    """The table's row of the sample called ``name``; raises ``UnknownNameError``."""
    for entry in SAMPLES:
        if entry.name == name:
            return entry
    raise UnknownNameError("sample", name, [entry.name for entry in SAMPLES])


def samples() -> list[Path]:
    """The files of all samples, in the order of the table."""
    return [entry.file for entry in SAMPLES]


def sample(name: str) -> Path:
    """The file of the sample called ``name``; raises ``UnknownNameError``."""
    return describe(name).file
