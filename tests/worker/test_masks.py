"""Masks on their way: checked when they are brought, kept with a job, private as photographs are, painted by the workers."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import update

from core.errors import NotFoundError, ParameterError, PictureError
from core.params import PaintParams
from core.specs import MASKS
from tests.worker.conftest import Service, picture
from worker.broker import Broker
from worker.client import Client
from worker.engine import Engine, PaintInput, StyleSource
from worker.jobs import JobState, JobView, output_key, sha256
from worker.removal import drop_unused
from worker.store import migrate
from worker.store.models import Blob, Job

ANNA, BEN = "web:anna", "web:ben"
SIZE = (96, 64)
WOODCUT, SWIRLS = "gallery:woodcut", "gallery:night-swirls"


def mask(left: int = 255, right: int = 0, kind: str = "PNG") -> bytes:
    image = Image.new("L", SIZE, right)
    image.paste(left, (0, 0, SIZE[0] // 2, SIZE[1]))
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def submitted(client: Client, *masks: str | None, photo: str | None = None, **params: object) -> JobView:
    photo = photo or client.put_picture(picture(size=SIZE), ANNA)
    styles = [WOODCUT, SWIRLS][: len(masks) or 1]
    return client.submit(ANNA, photo, styles, PaintParams(**params), masks=masks, source="web")  # type: ignore[arg-type]


def submitted_with(client: Client, key: str, kind: str) -> JobView:
    """A job in one style with a mask of this kind."""
    photo, params = client.put_picture(picture(size=SIZE), ANNA), PaintParams(method="gatys")
    return client.submit(ANNA, photo, [WOODCUT], params, source="web", **{kind: [key]})  # type: ignore[arg-type]


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


# -- at the door -------------------------------------------------------------------------------------------------


def test_a_mask_is_checked_and_kept_in_one_form(client: Client) -> None:
    key = client.put_mask(mask(), ANNA)
    assert client.put_mask(mask(kind="BMP"), ANNA) == key
    with Image.open(io.BytesIO(client.picture(key, ANNA))) as kept:
        assert (kept.mode, kept.size) == ("L", SIZE)
    with pytest.raises(
        PictureError, match=r"^This mask is dark all over; white is where its style paints\.$"
    ):
        client.put_mask(mask(left=0), ANNA)
    for bad in (b"", b"not a picture", mask()[:60]):
        with pytest.raises(PictureError):
            client.put_mask(bad, ANNA)
    with pytest.raises(NotFoundError):
        client.picture(key, BEN)


def test_masks_that_do_not_fit_are_refused(client: Client) -> None:
    key = client.put_mask(mask(), ANNA)
    photo = client.put_picture(picture(), ANNA)
    with pytest.raises(
        ParameterError, match=r"^masks: one for each style is expected, or none; 1 do not fit 2"
    ):
        client.submit(ANNA, photo, [WOODCUT, SWIRLS], PaintParams(), masks=[key], source="web")
    with pytest.raises(
        ParameterError, match=r"^'mix' takes no masks; choose another method, or none of them\.$"
    ):
        submitted(client, key, method="mix")
    for nobodys in ("0" * 64, client.put_mask(mask(9, 200), BEN), "../../etc/passwd"):
        with pytest.raises(NotFoundError, match="This mask is no longer there; please send it again"):
            submitted(client, nobodys)
    assert client.jobs(ANNA) == []


def test_painting_again_keeps_the_masks_of_the_same_styles(client: Client) -> None:
    key = client.put_mask(mask(), ANNA)
    job = submitted(client, None, key)
    assert client.job(job.id, ANNA).masks == (None, key)
    assert client.repaint(job.id, ANNA, alpha=0.5).masks == (None, key)
    assert client.repaint(job.id, ANNA, style=[WOODCUT, SWIRLS], method="factorized").masks == (None, key)
    assert client.repaint(job.id, ANNA, masks=(key, None)).masks == (key, None)
    assert client.repaint(job.id, ANNA, masks=()).masks == ()
    assert client.repaint(job.id, ANNA, style=SWIRLS).masks == ()
    assert client.repaint(job.id, ANNA, method="mix").masks == ()
    assert submitted(client, None, None).masks == ()


# -- keys and rows -----------------------------------------------------------------------------------------------


def test_masks_are_part_of_a_key_and_paintings_without_keep_theirs() -> None:
    plain = ("a", ["b", "c"], PaintParams(weights=(3, 1)), "m", 1024)
    # As the version before masks made them.
    assert output_key("a", ["b"], PaintParams(), "m", 2048) == (
        "726b02529fab0198ab2bc29d004ef0ea3435d90edd2572b8eebe19d60fc272de"
    )
    for none in ((), (None, None)):
        assert output_key(*plain, none) == "67d5cd15a1fb21773f61f0a7333a1271edacae44b5dd494945645d4ea774e470"
    different = [(), ("x", None), (None, "x"), ("x", "x"), ("y", None)]
    assert len({output_key(*plain, masks) for masks in different}) == len(different)


def test_jobs_of_an_older_database_have_no_masks(stored: Client) -> None:
    from alembic import command

    job = submitted(stored)
    with stored.database.write() as session:
        command.downgrade(migrate.config(session.connection()), "0011")
    stored.database.upgrade()
    assert stored.job(job.id) == job
    assert stored.job(job.id).masks == ()
    key = stored.put_mask(mask(), ANNA)
    assert stored.job(submitted(stored, key).id).masks == (key,)


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_stays_as_long_as_its_job_needs_it(stored: Client, kind: str) -> None:
    masks = [stored.put_mask(mask(right=level), ANNA) for level in (10, 20)]
    waiting = submitted_with(stored, masks[0], kind)
    stored.cancel(submitted_with(stored, masks[1], kind).id)
    with stored.database.write() as session:
        session.execute(update(Blob).values(expires_at=time.time() - 100))
    stored.blobs.reap()
    assert [stored.blobs.backend.exists(key) for key in masks] == [True, False]
    assert stored.blobs.backend.exists(waiting.photo_key)


@pytest.mark.parametrize("kind", MASKS)
def test_a_painting_that_is_a_mask_of_another_job_is_not_taken_back(stored: Client, kind: str) -> None:
    """What a job has made may be brought again, as a mask; the bytes are stored once."""
    key = stored.put_mask(mask(), ANNA)
    job = submitted_with(stored, key, kind)
    with stored.database.write() as session:
        session.execute(update(Blob).where(Blob.key == key).values(kind="result"))
    drop_unused(stored.database, stored.blobs, ANNA, key)
    assert stored.picture(key, ANNA)
    with stored.database.write() as session:
        session.execute(update(Job).where(Job.id == job.id).values({kind: None}))
    drop_unused(stored.database, stored.blobs, ANNA, key)
    with pytest.raises(NotFoundError):
        stored.picture(key, ANNA)


# -- painting ----------------------------------------------------------------------------------------------------


def test_masks_need_nothing_encoded_anew(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(client.settings, Broker(client.settings))
    known: dict[str, bytes] = {}
    monkeypatch.setattr(engine.broker, "cached", known.get)
    monkeypatch.setattr(engine.broker, "cache", lambda key, value, seconds: known.update({key: value}))
    photo, style, where = picture(1, SIZE), picture(2), mask()
    source = StyleSource(sha256(style), lambda: style)
    wanted = PaintInput(sha256(photo), lambda: photo, [source], PaintParams(), lambda _: None)
    plain = engine.paint(wanted)
    masked = engine.paint(replace(wanted, masks=[partial(bytes, where)]))
    assert (plain.caches, masked.caches) == (
        {"content": False, "style": False},
        {"content": True, "style": True},
    )
    whole, part = np.asarray(plain.image).astype(int), np.asarray(masked.image).astype(int)
    assert np.array_equal(part[:, 60:], pixels(photo)[:, 60:])
    assert np.abs(part[:, :40] - pixels(photo)[:, :40]).mean() > 5
    # A mask leaves nothing behind in what is kept of the photograph.
    assert np.array_equal(np.asarray(engine.paint(wanted).image), whole)


def test_a_region_is_painted_through_the_queue(service: Service) -> None:
    client, photo = service.client, picture(size=SIZE)
    stored = client.put_picture(photo, ANNA)
    key, other = client.put_mask(mask(), ANNA), client.put_mask(mask(0, 255), ANNA)
    job = service.finish(submitted(client, key, photo=stored))
    assert job.state is JobState.DONE, job
    painted = pixels(client.result(job.id, ANNA))
    assert np.array_equal(painted[:, 60:], pixels(photo)[:, 60:])
    assert np.abs(painted[:, :40] - pixels(photo)[:, :40]).mean() > 5
    again = service.finish(submitted(client, key, photo=stored))
    assert (again.result_key, again.paint_ms) == (job.result_key, 0), "painted once"
    differing = [service.finish(submitted(client, *masks, photo=stored)) for masks in ((other,), ())]
    assert len({one.result_key for one in (job, *differing)}) == 3
    client.delete_user_data(ANNA)
    for gone in (stored, key, other):
        assert not client.blobs.backend.exists(gone)


def test_a_mask_deleted_meanwhile(service: Service) -> None:
    blocker = service.order(BEN, "mix-slow")
    service.running(blocker)
    key = service.client.put_mask(mask(left=201), ANNA)
    job = submitted(service.client, key)
    service.client.blobs.remove(key, ANNA)
    job = service.finish(job)
    assert (job.state, job.error_code) == (JobState.FAILED, "not_found")
    assert job.error == "A mask was deleted before the photo was painted; please send it again."
