"""The picture so far of a painting under way: its painter leaves it in Redis every few seconds, for people to see, and for
another painter to go on from when the first is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

    from core.methods.contract import Beginning
    from worker.broker import Broker

KEPT_SECONDS = 600.0
QUALITY = 92


def key_of(job_id: str) -> str:
    """Name of the entry among the broker's caches."""
    return f"preview:{job_id}"


def leave(broker: Broker, job_id: str, picture: Image, done: float, learned: bytes = b"") -> None:
    """Keep the picture so far, with the done share in [0, 1] and the file of the style as it is ``learned`` so far; best
    effort."""
    from core.images import to_jpeg

    head = b"%.6f %d\n" % (done, len(learned))
    broker.cache(key_of(job_id), head + learned + to_jpeg(picture, quality=QUALITY), KEPT_SECONDS)


def _left(broker: Broker, job_id: str) -> tuple[float, bytes, bytes] | None:
    """The done share, the learned style's file, and the picture so far as a JPEG; ``None`` when there are none."""
    data = broker.cached(key_of(job_id))
    if data is None:
        return None
    head, _, rest = data.partition(b"\n")
    try:
        # Entries of older versions have the share alone.
        done, size = (*head.split(), b"0")[:2]
        return float(done), rest[: int(size)], rest[int(size) :]
    except ValueError:
        return None


def jpeg(broker: Broker, job_id: str, side: int) -> bytes | None:
    """The picture so far with a longest side of at most ``side`` pixels; ``None`` when there is none."""
    from core.images import OWN, read_picture, to_jpeg

    left = _left(broker, job_id)
    if left is None:
        return None
    try:
        return to_jpeg(read_picture(left[2], OWN, side=side), quality=QUALITY)
    except PictureError:
        return None


def beginning(broker: Broker, job_id: str) -> Beginning | None:
    """Where a painter that is gone had come to; ``None`` when that is not known."""
    from core.images import OWN, read_picture
    from core.methods.contract import Beginning

    left = _left(broker, job_id)
    if left is None:
        return None
    done, learned, picture = left
    try:
        return Beginning(read_picture(picture, OWN), min(max(done, 0.0), 0.999), learned or None)
    except (PictureError, ValueError):
        return None
