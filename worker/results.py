"""What is shown and handed out of finished paintings: previews, and files in other formats than the one kept."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import select

from core.errors import NotFoundError, ParameterError, PictureError
from worker.jobs import PREVIEW_SIDE, JobView
from worker.store.blobs import BlobStore
from worker.store.database import Database
from worker.store.models import Job

if TYPE_CHECKING:
    from PIL.Image import Image

PREVIEWS_BYTES = 32 * 2**20


class Results:
    """Pictures of jobs whose owner has been checked. Safe to use from several threads."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._database, self._blobs = database, blobs
        self._previews: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Drop the previews in memory."""
        with self._lock:
            self._previews.clear()

    def original(self, job: JobView) -> bytes:
        """The painting as it is kept: lossless PNG, without metadata. Raises ``NotFoundError``."""
        if job.result_key is None:
            raise NotFoundError(job.error or "This painting is not finished yet.")
        return self._blobs.get(job.result_key, job.owner)

    def file(self, job: JobView, kind: str = "png", *, metadata: bool = False) -> bytes:
        """The painting in full size as ``png``, ``jpeg`` or ``webp``; with ``metadata`` the date and the camera of the
        photograph go along, while that is kept. What could be seen through in the photograph can be in PNG and WebP,
        too. Raises ``NotFoundError`` or ``ParameterError``."""
        from core.images import OWN, WRITERS, apart, read_picture
        from core.images.transparency import with_transparency

        if kind not in WRITERS:
            raise ParameterError(f"file: must be one of {', '.join(WRITERS)}.")
        data, known = self.original(job), None
        if metadata:
            with suppress(NotFoundError):
                known = apart.photo_metadata(self._blobs.get(job.photo_key, job.owner))
        alpha = self.transparency(job) if kind != "jpeg" else None
        if kind == "png" and known is None and alpha is None:
            return data
        picture = read_picture(data, OWN)
        return WRITERS[kind](picture if alpha is None else with_transparency(picture, alpha), known)

    def transparency(self, job: JobView) -> Image | None:
        """The opacity of a job's photograph in mode ``L``; ``None`` where it is opaque, or no longer kept."""
        from core.images import apart
        from core.images.transparency import may_be_transparent

        try:
            photo = self._blobs.get(job.photo_key, job.owner)
            found = apart.transparency(photo) if may_be_transparent(photo) else None
        except (NotFoundError, PictureError):
            return None
        if found is None:
            return None
        import PIL.Image

        with PIL.Image.open(io.BytesIO(found)) as alpha:
            return alpha.convert("L")

    def preview(self, job: JobView, side: int) -> bytes:
        """The painting as JPEG with a longest side of at most ``side`` pixels. What was shown before comes from memory, else
        the worker's preview is read, and the result itself only where there is none. Raises ``NotFoundError``."""
        if job.result_key is None or not self._blobs.owned(job.result_key, job.owner):
            return self.original(job)  # says what is missing
        key = (job.result_key, side)
        with self._lock:
            if key in self._previews:
                self._previews.move_to_end(key)
                return self._previews[key]
        made = self._make_preview(job, side)
        with self._lock:
            self._previews[key] = made
            while sum(map(len, self._previews.values())) > PREVIEWS_BYTES:
                self._previews.popitem(last=False)
        return made

    def _make_preview(self, job: JobView, side: int) -> bytes:
        from core.images import OWN, read_picture, to_jpeg

        if side <= PREVIEW_SIDE:
            with self._database.read() as session:
                key = session.scalar(select(Job.preview_key).where(Job.id == job.id))
            if key is not None:
                with suppress(NotFoundError):
                    data = self._blobs.get(key, job.owner)
                    return data if side == PREVIEW_SIDE else to_jpeg(read_picture(data, OWN, side=side))
        return to_jpeg(read_picture(self.original(job), OWN, side=side))
