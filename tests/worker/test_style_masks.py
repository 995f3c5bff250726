"""Which part of a style's picture counts, on its way: by the rules of the masks that say where a style paints."""

from __future__ import annotations

import os
import signal

import pytest

from core.errors import NotFoundError, ParameterError, PictureError
from core.params import PaintParams
from tests.worker.conftest import Service, picture, until
from tests.worker.test_long import painters
from tests.worker.test_masks import ANNA, BEN, SIZE, SWIRLS, WOODCUT, mask
from worker import previews
from worker.client import Client
from worker.jobs import JobState, JobView, output_key
from worker.store import migrate


def submitted(
    client: Client,
    *style_masks: str | None,
    method: str = "gatys",
    photo: str | None = None,
    **params: object,
) -> JobView:
    photo = photo or client.put_picture(picture(size=SIZE), ANNA)
    styles = [WOODCUT, SWIRLS][: len(style_masks) or 1]
    chosen = PaintParams.parse(method=method, **params)
    return client.submit(ANNA, photo, styles, chosen, style_masks=style_masks, source="web")


# -- at the door -------------------------------------------------------------------------------------------------


def test_a_dark_one_is_told_in_words_of_its_own(client: Client) -> None:
    with pytest.raises(
        PictureError, match=r"^This mask is dark all over; white is what counts of its style\.$"
    ):
        client.put_mask(mask(left=0), ANNA, of_style=True)
    assert client.put_mask(mask(), ANNA, of_style=True) == client.put_mask(mask(), ANNA)


def test_those_that_do_not_fit_are_refused(client: Client) -> None:
    key = client.put_mask(mask(), ANNA)
    photo = client.put_picture(picture(), ANNA)
    gatys = PaintParams(method="gatys")
    with pytest.raises(
        ParameterError, match=r"^style_masks: one for each style is expected, or none; 1 do not fit 2\.$"
    ):
        client.submit(ANNA, photo, [WOODCUT, SWIRLS], gatys, style_masks=[key], source="web")
    with pytest.raises(
        ParameterError, match=r"^'AdaIN' takes no style masks; choose another method, or none of them\.$"
    ):
        submitted(client, key, method="adain")
    for nobodys in ("0" * 64, client.put_mask(mask(9, 200), BEN), "../../etc/passwd"):
        with pytest.raises(NotFoundError, match="This mask is no longer there; please send it again"):
            submitted(client, nobodys)
    assert client.jobs(ANNA) == []


def test_painting_again_keeps_those_of_the_same_styles(client: Client) -> None:
    key, where = client.put_mask(mask(), ANNA), client.put_mask(mask(0, 255), ANNA)
    job = submitted(client, None, key)
    assert (client.job(job.id, ANNA).style_masks, job.masks) == ((None, key), ())
    assert client.repaint(job.id, ANNA, seconds=60).style_masks == (None, key)
    assert client.repaint(job.id, ANNA, style=[WOODCUT, SWIRLS], alpha=0.5).style_masks == (None, key)
    both = client.repaint(job.id, ANNA, masks=(where, None))
    assert (both.masks, both.style_masks) == ((where, None), (None, key))
    # A method that takes one kind keeps that kind.
    quick = client.repaint(both.id, ANNA, method="adain")
    assert (quick.masks, quick.style_masks) == ((where, None), ())
    assert client.repaint(job.id, ANNA, style_masks=(key, None)).style_masks == (key, None)
    assert client.repaint(job.id, ANNA, style_masks=()).style_masks == ()
    assert client.repaint(job.id, ANNA, style=SWIRLS).style_masks == ()
    assert submitted(client, None, None).style_masks == ()


# -- keys and rows -----------------------------------------------------------------------------------------------


def test_they_are_part_of_a_key_and_paintings_without_keep_theirs() -> None:
    plain = ("a", ["b", "c"], PaintParams(weights=(3, 1)), "m", 1024)
    # As the version before style masks made them.
    for none in ((), (None, None)):
        assert output_key(*plain, none, none) == (
            "67d5cd15a1fb21773f61f0a7333a1271edacae44b5dd494945645d4ea774e470"
        )
        assert output_key(*plain, ("x", None), none) == output_key(*plain, ("x", None))
        assert output_key(*plain, none, ("x", None)) == output_key(*plain, (), ("x", None))
    kinds = [(), ("x", None), (None, "x"), ("x", "x"), ("y", None)]
    assert len({output_key(*plain, one, other) for one in kinds for other in kinds}) == len(kinds) ** 2


def test_jobs_of_an_older_database_have_none(stored: Client) -> None:
    from alembic import command

    where = stored.put_mask(mask(0, 255), ANNA)
    photo = stored.put_picture(picture(size=SIZE), ANNA)
    job = stored.submit(ANNA, photo, [WOODCUT], PaintParams(), masks=[where], source="web")
    with stored.database.write() as session:
        command.downgrade(migrate.config(session.connection()), "0012")
    stored.database.upgrade()
    assert stored.job(job.id) == job
    assert (stored.job(job.id).masks, stored.job(job.id).style_masks) == ((where,), ())
    key = stored.put_mask(mask(), ANNA)
    assert stored.job(submitted(stored, key).id).style_masks == (key,)


# -- painting ----------------------------------------------------------------------------------------------------


def counted(service: Service) -> list[str]:
    """How much of each style counted for the painters of ``grow``, in turn."""
    lines = service.events_file.read_text().splitlines()
    return [line.split()[0].removeprefix("grow-counts-") for line in lines if line.startswith("grow-counts-")]


def test_the_painter_is_given_them_also_after_another_was_killed(service: Service) -> None:
    client = service.client
    key = client.put_mask(mask(), ANNA)
    job = submitted(client, None, key, method="grow", patience=6)
    service.running(job, 0.2)
    until(lambda: previews.beginning(client.broker, job.id), "a picture on the way")
    for pid in painters(service):
        os.kill(pid, signal.SIGKILL)
    job = service.finish(job)
    assert (job.state, job.attempts) == (JobState.DONE, 2)
    assert counted(service) == ["1.00", "0.50"] * 2
    # The same again is not painted again, another part of the style is, and everything goes with the person.
    photo = job.photo_key
    again = service.finish(submitted(client, None, key, method="grow", photo=photo, patience=6))
    assert (again.result_key, again.paint_ms) == (job.result_key, 0)
    other = client.put_mask(mask(0, 255), ANNA)
    whole = service.finish(submitted(client, other, None, method="grow", photo=photo, patience=0.2))
    assert whole.paint_ms
    assert counted(service)[4:] == ["0.50", "1.00"]
    client.delete_user_data(ANNA)
    for gone in (photo, key, other):
        assert not client.blobs.backend.exists(gone)


def test_one_deleted_meanwhile(service: Service) -> None:
    blocker = service.order(BEN, "grow", patience=30)
    service.running(blocker, 0.01)
    key = service.client.put_mask(mask(left=201), ANNA)
    job = submitted(service.client, key, method="grow", patience=0.2)
    service.client.blobs.remove(key, ANNA)
    service.client.cancel(blocker.id)
    job = service.finish(job)
    assert (job.state, job.error_code) == (JobState.FAILED, "not_found")
    assert job.error == "A mask was deleted before the photo was painted; please send it again."
