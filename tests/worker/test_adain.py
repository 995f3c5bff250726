"""The shipped model through the real queue: a sample photograph in a gallery style, with and without caches."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from core.images import read_picture, to_png
from core.params import PaintParams
from core.samples import samples
from core.styles import style_path
from tests.worker.conftest import Service
from worker.jobs import JobState


def test_a_sample_in_a_gallery_style(service: Service, owner: str) -> None:
    from core import registry

    photo_image = read_picture(samples()[0])
    photo = service.upload(owner, to_png(photo_image))
    style = service.client.styles()[0].name
    params = PaintParams(alpha=0.8, size=160)
    job = service.client.submit(owner, photo, f"gallery:{style}", params, source="cli")
    job = service.finish(job)
    assert job.state is JobState.DONE, job
    assert max(job.width or 0, job.height or 0) == 160
    method = registry.load("adain", "cpu")
    assert job.model_hash == method.model_hash
    expected = method.stylize(photo_image, read_picture(style_path(style)), params)
    result = Image.open(io.BytesIO(service.client.result(job.id)))
    # Threads may round differently.
    assert np.abs(np.asarray(result).astype(int) - np.asarray(expected).astype(int)).mean() < 1.0

    moved = service.finish(service.client.repaint(job.id, owner, alpha=0.4))
    assert moved.state is JobState.DONE
    photo_back = service.finish(service.client.repaint(job.id, owner, alpha=0.0))
    small = method.prepare_photo(photo_image, params)
    back = Image.open(io.BytesIO(service.client.result(photo_back.id)))
    assert np.array_equal(np.asarray(back), np.asarray(small))
