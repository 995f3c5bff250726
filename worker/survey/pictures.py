"""The pictures of a study as raters see them: JPEG of a size that fits the screen, made once and kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.errors import NotFoundError
from worker.store.blobs import BlobStore
from worker.store.study_models import StudyPairRow
from worker.survey.views import Which

if TYPE_CHECKING:
    from PIL.Image import Image

CACHE_BYTES = 64 * 2**20
GAP, PAPER = 0.012, "#f7f4ee"


def owner_of(study: str) -> str:
    """Whose the pictures and jobs of a study are. The command line has no limits on jobs."""
    return f"cli:survey-{study}"


class Pictures:
    """Reads pictures of studies; safe to use from several threads."""

    def __init__(self, blobs: BlobStore) -> None:
        self.blobs = blobs
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def picture(self, pair: StudyPairRow, which: Which, side: int) -> bytes:
        """One of a pair's pictures as JPEG, longest side at most ``side`` pixels; raises ``NotFoundError``."""
        key = _key(pair, which)
        return self._remember((key, side), lambda: _jpeg(_shrunk(self._open(pair.study, key), side)))

    def card(self, pair: StudyPairRow, side: int) -> bytes:
        """Photo, style and result on one JPEG, ``side`` pixels on its longer side."""
        keys = tuple(_key(pair, which) for which in ("photo", "style", "result"))

        def make() -> bytes:
            photo, style, result = (self._open(pair.study, key) for key in keys)
            return _jpeg(compose(photo, style, result, side))

        return self._remember((keys, side), make)

    def open(self, pair: StudyPairRow, which: Which) -> Image:
        """One of a pair's pictures in full size, RGB; raises ``NotFoundError``."""
        return self._open(pair.study, _key(pair, which))

    def _open(self, study: str, key: str) -> Image:
        from core.images import OWN, read_picture

        return read_picture(self.blobs.get(key, owner_of(study)), OWN).convert("RGB")

    def _remember(self, key: tuple[object, ...], make: Callable[[], bytes]) -> bytes:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            while sum(map(len, self._kept.values())) > CACHE_BYTES:
                self._kept.popitem(last=False)
        return made


def _key(pair: StudyPairRow, which: str) -> str:
    key = {"photo": pair.photo_key, "style": pair.style_key, "result": pair.result_key}.get(which)
    if key is None:
        raise NotFoundError("This survey has no such picture.")
    return key


def compose(photo: Image, style: Image, result: Image, side: int) -> Image:
    """The result large, photo and style small beside it (beneath it, where it is wider than a phone's picture):
    whole pictures, never cropped, on paper-coloured ground; longer side ``side`` pixels."""
    from PIL import Image as Pillow

    gap = max(4, round(side * GAP))
    wide = result.width > 1.15 * result.height
    # The small ones share the edge of the large one: a row beneath a wide result, a column beside a tall one.
    large = _fitted(result, side if wide else round(side * 0.7), side)
    length = large.width if wide else large.height
    cell = (length - gap) // 2
    cells = [
        _fitted(picture, cell, round(cell * 0.8)) if wide else _fitted(picture, round(side * 0.4), cell)
        for picture in (photo, style)
    ]
    strip = max(picture.height if wide else picture.width for picture in cells)
    size = (large.width, large.height + gap + strip) if wide else (large.width + gap + strip, large.height)
    card = Pillow.new("RGB", size, PAPER)
    card.paste(large, (0, 0))
    for index, picture in enumerate(cells):
        along = index * (cell + gap) + (cell - (picture.width if wide else picture.height)) // 2
        across = (strip - (picture.height if wide else picture.width)) // 2
        place = (along, large.height + gap + across) if wide else (large.width + gap + across, along)
        card.paste(picture, place)
    return _shrunk(card, side)


def _fitted(picture: Image, width: int, height: int) -> Image:
    from PIL import Image as Pillow

    scale = min(width / picture.width, height / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Pillow.Resampling.LANCZOS)


def _shrunk(picture: Image, side: int) -> Image:
    from core.images import thumbnail

    return thumbnail(picture, side) if max(picture.size) > side else picture


def _jpeg(picture: Image) -> bytes:
    from core.images import to_jpeg

    return to_jpeg(picture)
