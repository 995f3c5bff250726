"""Styles that people learn: kept as theirs, used like any style, and gone with them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update

import tests.worker.learning_method  # noqa: F401 - registers the method
from core import registry
from core.errors import LimitError, NotFoundError, ParameterError
from core.images import read_picture
from core.learn.style import LearnedStyle, read_style
from core.params import PaintParams
from tests.worker.conftest import picture, until
from worker.client import Client
from worker.jobs import JobState
from worker.store.models import Blob, Job
from worker.tasks import context as contexts
from worker.tasks.paint import paint

ANNA, BEN = "web:anna", "web:ben"


@pytest.fixture
def at_work(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client whose jobs are painted by this process, and whose styles are learned by the tests' method."""
    monkeypatch.setattr(contexts, "_contexts", {})
    monkeypatch.setattr(contexts, "get_settings", lambda: client.settings)
    monkeypatch.setattr(registry, "learning_method", lambda: "swot")
    yield client
    contexts.get_context().database.close()


def learn(client: Client, owner: str = ANNA, **options: Any) -> Any:
    style = client.put_picture(picture(7), owner)
    job = client.learn_style(owner, f"blob:{style}", source="web", **{"seconds": 30, **options})
    paint(job.id)
    return client.job(job.id)


def painted(client: Client, style: str, owner: str = ANNA, **params: Any) -> np.ndarray:
    photo = client.put_picture(picture(3), owner)
    job = client.submit(owner, photo, style, PaintParams(**params), source="web")
    paint(job.id)
    after = client.job(job.id)
    assert after.state is JobState.DONE, after.error
    return np.asarray(read_picture(client.result(job.id)), float)


def test_a_learned_style_is_one_s_own_and_used_like_any(at_work: Client) -> None:
    client = at_work
    job = learn(client, name="  Grandma's   wall ")
    assert job.state is JobState.DONE
    [style] = client.own_styles(ANNA)
    assert (style.name, style.source) == ("Grandma's wall", job.style)
    assert client.own_styles(BEN) == []
    learned = LearnedStyle.of(read_style(client.style_picture(style.ref, ANNA)))
    assert learned is not None
    assert learned.offsets[0] == pytest.approx(0.4, abs=1e-3), "what the last step had learned"
    assert style.model == learned.model
    # It paints otherwise than the picture that it was learned of, and mixes.
    plain, own = painted(client, job.style), painted(client, style.ref)
    assert np.abs(own - plain).mean() > 2
    photo = np.asarray(read_picture(picture(3)), float)
    assert np.array_equal(painted(client, style.ref, alpha=0), photo)
    view = client.submit(
        ANNA,
        client.put_picture(picture(3), ANNA),
        [style.ref, "gallery:mosaic"],
        PaintParams(weights=(1, 2)),
        source="web",
    )
    assert view.style_label == "Grandma's wall + Golden Fish Mosaic"
    paint(view.id)
    assert client.job(view.id).state is JobState.DONE


def test_the_same_order_twice_learns_twice(at_work: Client) -> None:
    for _ in range(2):
        assert learn(at_work).paint_ms
    learn(at_work, name="My style 2")
    names = {style.name for style in at_work.own_styles(ANNA)}
    assert names == {"My style", "My style 2", "My style 2 2"}, "each has a name of its own"
    learn(at_work, BEN)
    assert len(at_work.own_styles(BEN)) == 1, "somebody else's painting does not stand for it"


def test_that_is_enough_keeps_what_there_is(at_work: Client) -> None:
    client = at_work
    style = client.put_picture(picture(7), ANNA)
    job = client.learn_style(ANNA, f"blob:{style}", source="web", seconds=600)
    at_it = threading.Thread(target=paint, args=(job.id,))
    at_it.start()
    try:
        until(lambda: client.job(job.id).state is JobState.RUNNING, "the learning to begin")
        assert client.stop(job.id, ANNA).stopping
    finally:
        at_it.join(30)
    assert client.job(job.id).state is JobState.DONE
    [kept] = client.own_styles(ANNA)
    learned = LearnedStyle.of(read_style(client.style_picture(kept.ref, ANNA)))
    assert learned is not None
    assert learned.offsets[0] == pytest.approx(0.1, abs=1e-3)


def test_cancelled_or_too_many_keeps_nothing(at_work: Client) -> None:
    client = at_work
    client.settings = client.settings.model_copy(update={"own_styles": 1})
    style = client.put_picture(picture(7), ANNA)
    job = client.learn_style(ANNA, f"blob:{style}", source="web")
    client.cancel(job.id, ANNA)
    paint(job.id)
    assert client.own_styles(ANNA) == []
    first, second = (client.learn_style(ANNA, f"blob:{style}", source="web", seconds=n) for n in (5, 6))
    paint(first.id)
    with pytest.raises(LimitError, match="keep 1 learned style;"):
        client.learn_style(ANNA, f"blob:{style}", source="web")
    # One that was ordered while there was room for one: said in a sentence, nothing kept.
    paint(second.id)
    assert client.job(second.id).state is JobState.FAILED
    assert "learned style" in str(client.job(second.id).error)
    assert len(client.own_styles(ANNA)) == 1


def test_names_and_deleting(at_work: Client) -> None:
    client = at_work
    learn(client, name="sea")
    [style] = client.own_styles(ANNA)
    assert client.rename_style(style.id, ANNA, " my  sea ").name == "my sea"
    for name in ("", "x" * 41, "a\x00b"):
        with pytest.raises(ParameterError, match="1 to 40 letters"):
            client.rename_style(style.id, ANNA, name)
    for wrong in (
        client.own_style,
        client.delete_style,
        lambda style_id, owner: client.rename_style(style_id, owner, "x"),
    ):
        with pytest.raises(NotFoundError):
            wrong(style.id, BEN)
    key = style.ref.removeprefix("blob:")
    client.delete_style(style.id, ANNA)
    assert client.own_styles(ANNA) == []
    assert not client.blobs.backend.exists(key)
    with pytest.raises(NotFoundError):
        client.style_picture(style.ref, ANNA)


def test_a_shared_style_is_everybody_s_own(at_work: Client) -> None:
    client = at_work
    learn(client, name="sea")
    [style] = client.own_styles(ANNA)
    assert client.style_file(style.id) == ("sea", client.style_picture(style.ref, ANNA))
    taken = client.take_style(style.id, BEN)
    assert (taken.name, taken.ref) == ("sea", style.ref)
    assert client.take_style(style.id, BEN).id == taken.id, "taken once"
    assert client.take_style(style.id, ANNA).id == style.id, "one's own stays as it is"
    assert np.abs(painted(client, taken.ref, BEN)).any()
    # Neither can touch the other's: what one deletes, the other keeps.
    with pytest.raises(NotFoundError):
        client.delete_style(style.id, BEN)
    client.delete_style(style.id, ANNA)
    assert np.abs(painted(client, taken.ref, BEN, alpha=0.5)).any()
    for gone in (lambda: client.take_style(style.id, "web:carl"), lambda: client.style_file(style.id)):
        with pytest.raises(NotFoundError, match="not shared any more"):
            gone()
    client.settings = client.settings.model_copy(update={"own_styles": 0})
    with pytest.raises(LimitError):
        client.take_style(taken.id, "web:carl")
    assert not client.blobs.owned(style.ref.removeprefix("blob:"), "web:carl")


def test_it_stays_for_ever_and_goes_with_its_person(at_work: Client) -> None:
    client = at_work
    learn(client)
    [style] = client.own_styles(ANNA)
    key = style.ref.removeprefix("blob:")
    with client.database.write() as session:
        day = 86400.0
        session.execute(update(Blob).values(expires_at=Blob.expires_at - 1000 * day))
    client.blobs.reap()
    assert client.blobs.owned(key, ANNA)
    # A learned style that is sent as a picture, by somebody else, is theirs like any picture.
    data = client.style_picture(style.ref, ANNA)
    assert client.put_picture(data, BEN) == key
    client.delete_user_data(ANNA)
    assert client.own_styles(ANNA) == []
    with pytest.raises(NotFoundError):
        client.style_picture(style.ref, ANNA)
    assert np.abs(painted(client, f"blob:{key}", BEN)).any()


def test_without_a_photo_a_sample_is_painted(at_work: Client) -> None:
    job = learn(at_work, photo=at_work.put_picture(picture(3), ANNA))
    assert (job.width, job.height) == (90, 60)
    assert learn(at_work, name="another").width == 768
    with at_work.database.read() as session:
        assert {row.queue for row in session.query(Job)} == {"long"}


def test_where_nothing_can_learn_it_is_said(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "learning_method", lambda: None)
    with pytest.raises(ParameterError, match="VGG-19 is not installed"):
        client.learn_style(ANNA, "gallery:mosaic", source="web")
