"""A photo and a style go through the real queue and a real worker, and come back painted."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.color import keep_luminance
from core.errors import NotFoundError
from core.params import PaintParams
from tests.worker.conftest import Service, picture, until
from worker.jobs import JobState


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_a_photo_comes_back_painted(service: Service, owner: str) -> None:
    photo, style = picture(1), picture(2, (70, 70))
    job = service.order(
        owner, photo=service.upload(owner, photo), style=f"blob:{service.upload(owner, style)}", alpha=0.75
    )
    job = service.finish(job)
    assert job.state is JobState.DONE, job
    assert (job.width, job.height) == (90, 60)
    assert job.progress == 1.0
    assert job.paint_ms
    assert job.wait_ms is not None
    assert job.model_hash
    result = service.client.result(job.id, owner)
    # alpha 0.75 of 1.5: half photo, half mean colour of the style.
    expected = pixels(photo) / 2 + pixels(style).mean(axis=(0, 1)) / 2
    assert np.abs(pixels(result) - expected).max() <= 1.0
    assert Image.open(io.BytesIO(result)).format == "PNG"
    preview = Image.open(io.BytesIO(service.client.preview(job.id, owner, side=45)))
    assert (preview.format, preview.size) == ("JPEG", (45, 30))


def test_watchers_see_every_stage(service: Service, owner: str) -> None:
    job = service.order(owner, "mix-slow")
    seen = list(service.client.watch(job.id, timeout=60))
    states = [view.state for view in seen]
    assert states[0] in (JobState.QUEUED, JobState.RUNNING)
    assert states[-1] is JobState.DONE
    progress = [view.progress for view in seen]
    assert progress == sorted(progress)
    assert len({value for value in progress if 0 < value < 1}) >= 5


def test_gallery_style_and_kept_colours(service: Service, owner: str) -> None:
    style = service.client.styles()[0].name
    photo = service.upload(owner)
    plain = service.finish(service.order(owner, photo=photo, style=f"gallery:{style}"))
    kept = service.finish(
        service.order(owner, photo=photo, style=f"gallery:{style}", keep_colors="luminance")
    )
    assert plain.state is kept.state is JobState.DONE
    photo_image = Image.open(io.BytesIO(service.client.picture(photo, owner)))
    plain_image = Image.open(io.BytesIO(service.client.result(plain.id)))
    expected = keep_luminance(photo_image, plain_image)
    assert np.array_equal(pixels(service.client.result(kept.id)), np.asarray(expected))
    assert plain.style_label == service.client.styles()[0].title


def test_a_slider_move_encodes_nothing_again(service: Service, owner: str) -> None:
    first = service.finish(service.order(owner, alpha=0.3))
    assert (service.events("content"), service.events("style"), service.events("decode")) == (1, 1, 1)
    second = service.finish(service.client.repaint(first.id, owner, alpha=0.6))
    assert second.params.alpha == 0.6
    assert (service.events("content"), service.events("style"), service.events("decode")) == (1, 1, 2)
    assert second.result_key != first.result_key


def test_the_same_order_is_painted_once(service: Service, owner: str) -> None:
    first = service.finish(service.order(owner))
    again = service.finish(service.client.repaint(first.id, owner))
    assert again.id != first.id
    assert again.result_key == first.result_key
    assert again.paint_ms == 0
    assert service.events("decode") == 1
    # Somebody else with the same pictures gets the same result as their own.
    photo = service.client.picture(first.photo_key, owner)
    other = service.finish(service.order(f"{owner}-2", photo=service.upload(f"{owner}-2", photo)))
    assert service.events("decode") == 1
    assert service.client.result(other.id, f"{owner}-2") == service.client.result(first.id, owner)
    service.client.delete_user_data(owner)
    assert service.client.result(other.id, f"{owner}-2")


def test_sizes(service: Service, owner: str) -> None:
    job = service.finish(service.order(owner, size=180))
    assert (job.width, job.height) == (180, 120)
    large = service.upload(owner, picture(size=(3000, 300)))
    job = service.finish(service.order(owner, photo=large))
    assert job.width == service.settings.max_side


def test_a_photo_too_large_for_the_memory_is_painted_at_half_the_size(service: Service, owner: str) -> None:
    fits_halved = service.upload(owner, picture(size=(190, 100)))
    job = service.finish(service.order(owner, "mix-big", photo=fits_halved))
    assert (job.state, job.width) == (JobState.DONE, 95)
    too_large = service.upload(owner, picture(size=(400, 100)))
    job = service.finish(service.order(owner, "mix-big", photo=too_large))
    assert (job.state, job.error_code) == (JobState.FAILED, "memory")
    assert job.error == "This picture is too large for the memory here; please choose a smaller size."


def test_a_worker_without_the_model_says_so(service: Service, owner: str) -> None:
    job = service.finish(service.order(owner, "mix-missing"))
    assert (job.state, job.error_code, job.attempts) == (JobState.FAILED, "model", 3)
    assert job.error == "The model 'mix-missing' is not here; train it or copy it."


def test_a_photo_deleted_meanwhile(service: Service, owner: str) -> None:
    blocker = service.order(f"{owner}-2", "mix-slow")
    service.running(blocker)
    job = service.order(owner)
    service.client.blobs.remove(job.photo_key, owner)
    job = service.finish(job)
    assert (job.state, job.error_code) == (JobState.FAILED, "not_found")
    assert job.error == "The photo was deleted before it was painted; please send it again."
    with pytest.raises(NotFoundError, match="deleted before it was painted"):
        service.client.result(job.id, owner)


def test_deleting_a_persons_data_stops_their_painting(service: Service, owner: str) -> None:
    done = service.finish(service.order(owner))
    job = service.order(owner, "mix-slow")
    service.running(job)
    keys = service.client.broker.redis.keys("allaprima:style:*")
    mine = [key for key in keys if done.photo_key.encode() in key]
    assert mine
    assert service.client.delete_user_data(owner) == {
        "jobs": 2,
        "drafts": 0,
        "pictures": 3,
        "styles": 2,
        "ratings": 0,
    }
    assert not service.client.broker.redis.exists(*mine)
    with pytest.raises(NotFoundError):
        service.client.job(job.id)
    # The painter stops at its next step and leaves nothing behind.
    after = service.finish(service.order(f"{owner}-2"))
    assert after.state is JobState.DONE
    assert not service.client.blobs.owned(done.result_key or "", owner)
    assert not service.client.jobs(owner)
    assert service.client.undelivered("web")
    with service.client.database.read() as session:
        from worker.store.models import Blob, User

        assert session.get(User, owner) is None
        assert not session.query(Blob).filter(Blob.owner == owner).count()


def test_fair_share(service: Service, owner: str) -> None:
    """Somebody's album of ten does not hold up another person's one photo."""
    service.running(service.order(f"{owner}-blocker", "mix-slow"))
    many, few = f"{owner}-many", f"{owner}-few"
    photo = service.upload(many)
    album = [service.order(many, photo=photo, alpha=0.1 + i / 20, album="holiday") for i in range(10)]
    single = service.order(few)
    states = [service.client.job(job.id).state for job in album]
    assert states == [JobState.QUEUED] * 3 + [JobState.WAITING] * 7
    positions = [service.client.job(job.id).position for job in [single, *album]]
    assert positions[0] in (1, 2)
    assert sorted(filter(None, positions)) == list(range(1, 12))
    assert service.client.jobs(many, album="holiday", unfinished_only=True)[0].id == album[-1].id
    ended = {job.id: service.finish(job).finished_at for job in [single, *album]}
    before = sum(ended[job.id] < ended[single.id] for job in album)  # type: ignore[operator]
    assert before <= 3
    assert all(service.client.job(job.id).state is JobState.DONE for job in album)


def test_cancel_waiting_and_queued(service: Service, owner: str) -> None:
    service.running(service.order(f"{owner}-blocker", "mix-slow"))
    jobs = [service.order(owner) for _ in range(5)]
    assert service.client.job(jobs[4].id).state is JobState.WAITING
    assert service.client.cancel(jobs[4].id, owner).state is JobState.CANCELLED
    assert service.client.job(jobs[0].id).state is JobState.QUEUED
    assert service.client.cancel(jobs[0].id, owner).state is JobState.CANCELLED
    # The free place is taken at once.
    assert service.client.job(jobs[3].id).state is JobState.QUEUED
    assert [service.finish(job).state for job in jobs[1:4]] == [JobState.DONE] * 3
    assert service.events("content") == 4
    assert service.client.cancel(jobs[1].id, owner).state is JobState.DONE


def test_cancel_running(service: Service, owner: str) -> None:
    job = service.order(owner, "mix-slow")
    service.running(job)
    service.client.cancel(job.id, owner)
    job = service.finish(job, seconds=2.5)
    assert job.state is JobState.CANCELLED
    assert job.result_key is None
    assert job.progress < 1.0
    # The worker is free at once.
    assert service.finish(service.order(owner)).state is JobState.DONE


def test_health_and_metrics(service: Service, owner: str) -> None:
    first = service.finish(service.order(owner))
    service.finish(service.client.repaint(first.id, owner))
    until(lambda: service.client.health()["workers"] == 1, "the worker's announcement")
    health = service.client.health()
    assert health["ok"], health
    text = service.client.metrics().decode()
    for line in (
        "allaprima_workers 1.0",
        "allaprima_queue_up 1.0",
        'allaprima_queue_length{queue="paint"} 0.0',
        'allaprima_cache_hits_total{cache="result"}',
        'allaprima_cache_misses_total{cache="style"}',
        'allaprima_paint_seconds_bucket{le="+Inf",method="mix"}',
        "allaprima_wait_seconds_count",
        'allaprima_jobs_total{method="mix",state="done"}',
    ):
        assert line in text, text


def test_the_notifier_delivers_once(service: Service, owner: str) -> None:
    photo = service.upload(owner)
    params = PaintParams(method="mix")
    context = {"chat": 5, "message": 7}
    job = service.client.submit(owner, photo, f"blob:{photo}", params, source="bot", context=context)
    service.finish(job)
    assert [view.context for view in service.client.undelivered("bot")] == [context]
    assert service.client.mark_delivered(job.id)
    assert not service.client.mark_delivered(job.id)
    assert not service.client.undelivered("bot")
