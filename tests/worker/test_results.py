"""Previews beside results, and full-size files in the format and with the metadata that a person wants."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.errors import NotFoundError, ParameterError
from core.params import PaintParams
from tests.worker.conftest import Service
from worker.client import Client
from worker.jobs import PREVIEW_SIDE, JobView
from worker.store.blobs import DiskBackend
from worker.store.models import Job


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8))


def photo(width: int = 1800, height: int = 1200, format: str = "PNG") -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x010E] = "Maker", "secret words"
    exif[0x8769] = {0x9003: "2026:03:04 05:06:07"}
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    out = io.BytesIO()
    noise(width, height).save(out, format, exif=exif.tobytes(), quality=90)
    return out.getvalue()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of what this process reads from the store."""
    seen: list[int] = []
    read = DiskBackend.read

    def noting(self: DiskBackend, key: str) -> bytes | None:
        data = read(self, key)
        seen.append(len(data or b""))
        return data

    monkeypatch.setattr(DiskBackend, "read", noting)
    return seen


def painted(service: Service, owner: str, data: bytes) -> JobView:
    return service.finish(service.order(owner, photo=service.upload(owner, data), alpha=0.3))


def preview_key(client: Client, job: JobView) -> str | None:
    with client.database.read() as session:
        return session.get_one(Job, job.id).preview_key


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_the_worker_leaves_a_preview_and_nobody_decodes_the_result(
    service: Service, owner: str, reads: list[int]
) -> None:
    job = painted(service, owner, photo())
    key = preview_key(service.client, job)
    assert key is not None
    size = len(service.client.result(job.id, owner))
    reads.clear()
    for side in (PREVIEW_SIDE, 320, 1280):
        shown = opened(service.client.preview(job.id, owner, side))
        assert (shown.format, max(shown.size)) == ("JPEG", side)
    assert reads
    assert max(reads) < size, "only the preview was read"
    reads.clear()
    for side in (PREVIEW_SIDE, 320, 1280):
        service.client.preview(job.id, owner, side)
    assert not reads, "what was shown before comes from memory"
    assert max(opened(service.client.preview(job.id, owner, 16_384)).size) == 1800
    original = opened(service.client.result(job.id, owner)).resize((320, 213), Image.Resampling.LANCZOS)
    small = opened(service.client.preview(job.id, owner, 320))
    assert np.abs(np.asarray(small, int) - np.asarray(original, int)).mean() < 6


def test_the_preview_goes_with_the_result(service: Service, owner: str) -> None:
    client = service.client
    first = painted(service, owner, photo(1700, 1100))
    again = client.repaint(first.id, owner, source="web")
    again = service.finish(again)
    assert again.paint_ms == 0, "the same order is not painted twice"
    keys = {preview_key(client, first), preview_key(client, again)}
    assert len(keys) == 1
    key = keys.pop()
    assert key is not None
    assert client.blobs.owned(key, owner)
    client.preview(first.id, owner, 320)
    client.delete_user_data(owner)
    assert not client.blobs.backend.exists(key)
    with pytest.raises(NotFoundError):
        client.preview(first.id, owner, 320)


def test_a_preview_that_is_gone_is_made_anew_and_small_results_have_none(
    service: Service, owner: str
) -> None:
    client = service.client
    job = painted(service, owner, photo())
    client.blobs.remove(str(preview_key(client, job)), owner)
    assert max(opened(client.preview(job.id, owner, 640)).size) == 640
    small = painted(service, owner, photo(90, 60))
    assert preview_key(client, small) is None
    assert opened(client.preview(small.id, owner, 45)).size == (45, 30)
    client.blobs.remove(str(job.result_key), owner)
    with pytest.raises(NotFoundError):
        client.preview(job.id, owner, 640)


def test_files_come_as_their_owner_wants_them(service: Service, owner: str) -> None:
    client = service.client
    job = painted(service, owner, photo(90, 60, "JPEG"))
    assert client.user(owner).file == "png"
    assert client.user(owner).metadata is False
    plain = client.result_file(job.id, owner)
    assert plain == client.result(job.id, owner)
    for kind in ("png", "jpeg", "webp"):
        data = client.result_file(job.id, owner, kind=kind)
        assert opened(data).format == kind.upper()
        assert not opened(data).getexif(), "no metadata unless wanted"
    assert np.array_equal(
        np.asarray(opened(client.result_file(job.id, owner, kind="webp")).convert("RGB")),
        np.asarray(opened(plain)),
    )
    client.update_user(owner, file="jpeg", metadata=True)
    client.update_user(owner, defaults=PaintParams(method="mix"))
    assert (client.user(owner).file, client.user(owner).metadata) == ("jpeg", True)
    assert client.user(owner).defaults.method == "mix"
    for kind in (None, "png", "webp"):
        data = client.result_file(job.id, owner, kind=kind)
        exif = opened(data).getexif()
        assert exif[0x010F] == "Maker"
        assert exif.get_ifd(0x8769)[0x9003] == "2026:03:04 05:06:07"
        assert not exif.get_ifd(0x8825), "never the place"
        assert b"secret" not in data
    assert client.result(job.id, owner) == plain, "what is kept has none"
    client.blobs.remove(job.photo_key, owner)
    assert not opened(client.result_file(job.id, owner)).getexif()
    for wrong in ("gif", ""):
        with pytest.raises(ParameterError):
            client.update_user(owner, file=wrong)
    with pytest.raises(ParameterError):
        client.result_file(job.id, owner, kind="gif")
    with pytest.raises(NotFoundError):
        client.result_file(job.id, "web:somebody-else")
