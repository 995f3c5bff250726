"""What is wrong with a set of pictures, found before a training wastes hours on it. Imports no torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.errors import ParameterError, PictureError
from core.images import read_picture
from core.train.files import LIMITS, encoded
from core.train.recipe import Recipe
from core.words import count

KINDS = {
    "unreadable": ("cannot be read and is skipped", "cannot be read and are skipped"),
    "tiny": (
        "is smaller than a training crop and would be enlarged",
        "are smaller than a training crop and would be enlarged",
    ),
    "grey": ("has no colour", "have no colour"),
    "duplicate": ("looks like another one of them", "look like other ones of them"),
}
"""What is listed, and what it means: "1 picture …", "3 pictures …"."""

SMALLEST_SIDE = 32
"""Shorter sides than this are of no use at all; the training skips them."""
FEWEST = 4
GREY_CHROMA = 3.0
TWIN_DISTANCE = 2.0
"""Two pictures whose 8×8 thumbnails differ by less (root mean square, levels of 255) are taken for the same."""
THUMB, GREY_SIDE = 8, 48
AT_ONCE = 64
NAMED = 10
LISTED = 200
"""Names kept per kind; the counts are of all."""


@dataclass
class Finding:
    """One picture and what is wrong with it."""

    name: str
    reason: str


@dataclass
class Check:
    """What is known of a set of pictures: ``total`` files, ``usable`` ones (readable, large enough, not the same twice),
    ``needed`` by the recipe; findings and their counts by kind (``KINDS``); ``fingerprint``: SHA-256 over the files'
    contents, whatever they are called and wherever they lie."""

    what: str
    total: int = 0
    usable: int = 0
    needed: int = 1
    fingerprint: str = ""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    findings: dict[str, list[Finding]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def note(self, kind: str, name: str, reason: str) -> None:
        """Add a finding."""
        self.counts[kind] += 1
        if len(self.findings[kind]) < LISTED:
            self.findings[kind].append(Finding(name, reason))

    def lines(self) -> list[str]:
        """What was found, a line each: how many are usable, then what is wrong with how many, the first of them named."""
        said = [f"{self.usable} of {count(self.total, self.what[:-1])} can be used"]
        for kind, number in self.counts.items():
            if number:
                named = [
                    f"{_short(each.name)} ({each.reason.rstrip('.')})" for each in self.findings[kind][:NAMED]
                ]
                more = ", …" if number > len(named) else ""
                said.append(
                    f"{count(number, self.what[:-1])} {KINDS[kind][number > 1]}: {', '.join(named)}{more}"
                )
        return said

    @property
    def enough(self) -> bool:
        """Whether the recipe can be trained with it."""
        return self.usable >= self.needed

    def demand(self) -> None:
        """Raises ``ParameterError`` with the number needed when there are too few."""
        if not self.enough:
            raise ParameterError(
                f"{count(self.usable, 'usable ' + self.what[:-1])} {'is' if self.usable == 1 else 'are'} too few "
                f"(of {self.total} found): "
                f"the recipe needs at least {self.needed}.",
                code="too_few",
            )

    def as_json(self) -> dict[str, Any]:
        """For files and databases."""
        return {
            "what": self.what,
            "total": self.total,
            "usable": self.usable,
            "needed": self.needed,
            "fingerprint": self.fingerprint,
            "counts": self.counts,
            "findings": {
                kind: [[finding.name, finding.reason] for finding in found]
                for kind, found in self.findings.items()
            },
        }


@dataclass
class _Seen:
    """What is remembered of one file."""

    name: str
    digest: str
    size: tuple[int, int] | None = None
    reason: str = ""
    chroma: float = 0.0
    thumb: np.ndarray | None = None


def needed(recipe: Recipe, what: str) -> int:
    """How many pictures, "photos" or "styles", a recipe needs: those held out, and a batch to learn from; of styles that are
    learned themselves, one."""
    if what == "styles" and recipe.learns_styles:
        return 1
    held_out = 0 if recipe.task == "classify" else recipe.data.hold_out
    return held_out + max(FEWEST, recipe.batch)


def check(
    paths: Sequence[str | Path],
    what: str,
    recipe: Recipe,
    progress: Callable[[int], None] | None = None,
) -> Check:
    """Look at every picture below ``paths``. ``what``: "photos" or "styles", for the sentences; ``progress``: called
    with the number looked at, may raise to stop. Raises ``ParameterError`` for paths that are not there."""
    result = Check(what, needed=needed(recipe, what))
    side = recipe.data.crop if what == "photos" else min(recipe.data.crop, recipe.data.style_size)
    seen: list[_Seen] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in _batches(encoded(paths), AT_ONCE):
            seen += pool.map(_look, batch)
            if progress is not None:
                progress(len(seen))
    if not seen:
        raise ParameterError(f"There are no pictures in {', '.join(map(str, paths))}.")
    result.total = len(seen)
    first: dict[str, str] = {}
    whole = []
    for one in seen:
        if one.size is None:
            result.note("unreadable", one.name, one.reason)
            continue
        short = min(one.size)
        if short < side:
            result.note("tiny", one.name, f"{one.size[0]}×{one.size[1]}")
        if one.chroma < GREY_CHROMA:
            result.note("grey", one.name, "no colour")
        if one.digest in first:
            result.note("duplicate", one.name, f"the same file as {_short(first[one.digest])}")
            continue
        first[one.digest] = one.name
        if short >= SMALLEST_SIDE:
            whole.append(one)
    result.usable = len(whole)
    for one, other in _twins(whole):
        result.note("duplicate", one.name, f"looks like {_short(other.name)}")
    result.fingerprint = hashlib.sha256("".join(sorted(one.digest for one in seen)).encode()).hexdigest()
    return result


def _batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _short(name: str) -> str:
    return name.replace(":", "/").rsplit("/", 1)[-1]


def _look(entry: tuple[str, bytes]) -> _Seen:
    name, data = entry
    seen = _Seen(name, hashlib.sha256(data).hexdigest())
    if not data:
        seen.reason = f"empty, or larger than {LIMITS.max_bytes / 1e6:.0f} MB"
        return seen
    try:
        image = read_picture(data, LIMITS)
    except PictureError as error:
        seen.reason = str(error)
        return seen
    seen.size = image.size
    small = np.asarray(image.resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BOX), dtype=np.int16)
    seen.chroma = float((small.max(axis=2) - small.min(axis=2)).mean())
    seen.thumb = np.asarray(image.resize((THUMB, THUMB), Image.Resampling.BOX), dtype=np.float32).ravel()
    return seen


def _twins(seen: Sequence[_Seen]) -> Iterator[tuple[_Seen, _Seen]]:
    """Each picture that looks like an earlier one, with the first such."""
    if len(seen) < 2:
        return
    thumbs = np.stack([one.thumb for one in seen if one.thumb is not None])
    squares = (thumbs**2).sum(axis=1)
    limit = TWIN_DISTANCE**2 * thumbs.shape[1]
    for start in range(0, len(seen), 512):
        rows = thumbs[start : start + 512]
        distances = squares[start : start + 512, None] + squares[None] - 2 * rows @ thumbs.T
        for offset, row in enumerate(distances):
            index = start + offset
            near = np.flatnonzero(row[:index] < limit)
            if len(near):
                yield seen[index], seen[int(near[0])]
