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


def leave(broker: Broker, job_id: str, picture: Image, done: float) -> None:
    """Keep the picture so far, with the done share in [0, 1]; best effort."""
    from core.images import to_jpeg

    data = b"%.6f\n" % done + to_jpeg(picture, quality=QUALITY)
    broker.cache(key_of(job_id), data, KEPT_SECONDS)


def jpeg(broker: Broker, job_id: str, side: int) -> bytes | None:
    """The picture so far with a longest side of at most ``side`` pixels; ``None`` when there is none."""
    from core.images import OWN, read_picture, to_jpeg

    data = broker.cached(key_of(job_id))
    if data is None:
        return None
    picture = data.partition(b"\n")[2]
    try:
        return to_jpeg(read_picture(picture, OWN, side=side), quality=QUALITY)
    except PictureError:
        return None


def beginning(broker: Broker, job_id: str) -> Beginning | None:
    """Where a painter that is gone had come to; ``None`` when that is not known."""
    from core.images import OWN, read_picture
    from core.methods.contract import Beginning

    data = broker.cached(key_of(job_id))
    if data is None:
        return None
    head, _, picture = data.partition(b"\n")
    try:
        return Beginning(read_picture(picture, OWN), min(max(float(head), 0.0), 0.999))
    except (PictureError, ValueError):
        return None
