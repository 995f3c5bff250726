"""What front ends may do with pictures: bring them, masks among them, and look at them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.store.blobs import UPLOAD

if TYPE_CHECKING:
    from core.images import Limits
    from worker.settings import Settings
    from worker.store.blobs import BlobStore


class PicturesClient:
    """The part of ``worker.client.Client`` that concerns pictures."""

    settings: Settings
    blobs: BlobStore

    @property
    def limits(self) -> Limits:
        """What uploaded pictures may measure."""
        from core.images import Limits

        return Limits(
            max_bytes=int(self.settings.max_upload_mb * 1_000_000), max_pixels=self.settings.max_pixels
        )

    def put_picture(self, data: bytes, owner: str) -> str:
        """Check an uploaded picture and keep its bytes; the key (hex SHA-256).

        Raises ``PictureError`` (the sentence says what to send instead) and ``StorageError``.
        """
        from core.images import apart

        apart.check_picture(data, self.limits)
        return self.blobs.put(data, owner, UPLOAD)

    def put_mask(self, data: bytes, owner: str, *, of_style: bool = False) -> str:
        """Check an uploaded mask, of a photograph or ``of_style``, and keep it in its one form
        (``core.images.apart.mask_file``); the key.

        Raises ``PictureError``, also for one that is dark all over, and ``StorageError``.
        """
        from core.images import apart

        return self.blobs.put(apart.mask_file(data, self.limits, of_style=of_style), owner, UPLOAD)

    def picture(self, key: str, owner: str, *, used: bool = True) -> bytes:
        """An uploaded picture or a result, as stored; raises ``NotFoundError``. An upload's time begins anew, unless it
        is only looked at (``used`` false)."""
        return self.blobs.get(key, owner, used=used)
