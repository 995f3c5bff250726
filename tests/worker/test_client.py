"""The client with the queue down: what is kept, whose it is, and which limits hold."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from core import registry
from core.errors import LimitError, NotFoundError, ParameterError, PictureError, UnknownNameError
from core.params import GRID_SIDE, PaintParams
from tests.worker.conftest import picture
from worker.client import Client
from worker.jobs import JobState, JobView
from worker.plugins import load_extra_methods
from worker.requests import paints_in
from worker.settings import Settings
from worker.store.models import Job
from worker.tasks.context import Context

MIX = PaintParams(method="mix")
ANNA, BEN = "web:anna", "web:ben"


def order(client: Client, owner: str = ANNA, **options: object) -> JobView:
    photo = client.put_picture(picture(), owner)
    return client.submit(owner, photo, f"blob:{photo}", MIX, source="web", **options)  # type: ignore[arg-type]


def test_importing_the_client_loads_neither_torch_nor_celery() -> None:
    code = "import sys, worker.client; print([m for m in ('torch', 'celery', 'alembic', 'gradio') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_an_order_is_kept_while_the_queue_is_down(client: Client) -> None:
    job = order(client, context={"chat": 1})
    assert job.state is JobState.QUEUED
    assert (job.position, job.context, job.style_label) == (1, {"chat": 1}, "Own picture")
    assert client.job(job.id, ANNA) == job
    assert client.unfinished("web") == [job]
    assert [view.state for view in client.watch(job.id, timeout=0.1)] == [JobState.QUEUED]


def test_only_the_owner_sees_anything(client: Client) -> None:
    job = order(client)
    for attempt in (
        lambda: client.job(job.id, BEN),
        lambda: client.picture(job.photo_key, BEN),
        lambda: client.result(job.id, BEN),
        lambda: client.preview(job.id, BEN),
        lambda: client.cancel(job.id, BEN),
        lambda: client.repaint(job.id, BEN),
        lambda: client.style_picture(job.style, BEN),
        lambda: client.style_picture(job.style),
        lambda: client.submit(BEN, job.photo_key, "gallery:" + client.styles()[0].name, MIX, source="web"),
    ):
        with pytest.raises(NotFoundError):
            attempt()
    assert client.jobs(BEN) == []
    assert client.job(job.id).state is JobState.QUEUED
    assert client.style_picture(job.style, ANNA) == client.picture(job.photo_key, ANNA)


def test_orders_that_cannot_be_painted_are_refused(client: Client) -> None:
    photo = client.put_picture(picture(), ANNA)
    style = "gallery:" + client.styles()[0].name

    def submit(style: str, params: PaintParams = MIX, source: str = "web") -> JobView:
        return client.submit(ANNA, photo, style, params, source=source)

    with pytest.raises(UnknownNameError, match="Did you mean 'mix"):
        submit(style, PaintParams(method="mixx"))
    with pytest.raises(UnknownNameError, match="There is no style called"):
        submit("gallery:nosuchstyle")
    with pytest.raises(NotFoundError, match="style picture is no longer there"):
        submit("blob:" + "0" * 64)
    for bad in ("oil", "blob:", "file:/etc/passwd", ""):
        with pytest.raises(ParameterError, match="gallery:NAME or blob:KEY"):
            submit(bad)
    with pytest.raises(ParameterError, match="source"):
        submit(style, source="mail")
    with pytest.raises(PictureError):
        client.put_picture(b"not a picture", ANNA)
    with pytest.raises(NotFoundError):
        client.picture("../../etc/passwd", ANNA)
    with pytest.raises(ParameterError, match="alpha"):
        client.repaint(submit(style).id, ANNA, alpha=7)
    assert len(client.jobs(ANNA)) == 1


def test_repaint_changes_what_is_named(client: Client) -> None:
    job = order(client, context={"chat": 1})
    style = "gallery:" + client.styles()[1].name
    again = client.repaint(job.id, ANNA, alpha=0.5, style=style)
    assert (again.photo_key, again.style, again.params.alpha) == (job.photo_key, style, 0.5)
    assert (again.context, again.source, again.style_label) == ({"chat": 1}, "web", client.styles()[1].title)
    assert client.jobs(ANNA) == [client.job(again.id), client.job(job.id)]


def test_a_painting_by_the_best_method_is_painted_again_by_the_best_for_its_new_style(client: Client) -> None:
    photo = client.put_picture(picture(), ANNA)
    own, mosaic = f"blob:{photo}", "gallery:mosaic"
    assert (client.method_for([mosaic]).name, client.method_for([mosaic, own]).name) == ("gallery", "adain")
    assert client.method_for([mosaic], "factorized").name == "factorized"
    params = PaintParams(method="gallery", alpha=0.7)
    job = client.submit(ANNA, photo, mosaic, params, source="web")
    assert client.repaint(job.id, ANNA, alpha=0.5).params.method == "gallery"
    other = client.repaint(job.id, ANNA, style=own)
    assert (other.params.method, other.params.alpha) == ("adain", 0.7)
    assert client.repaint(other.id, ANNA, style=mosaic).params.method == "gallery"
    assert client.repaint(other.id, ANNA, style=mosaic, method="adain").params.method == "adain"
    chosen = client.submit(ANNA, photo, mosaic, PaintParams(method="adain"), source="web")
    assert client.repaint(chosen.id, ANNA, alpha=0.5).params.method == "adain"
    assert client.repaint(chosen.id, ANNA, method="auto").params.method == "gallery"


def test_several_styles_and_their_weights(client: Client) -> None:
    load_extra_methods(client.settings.model_copy(update={"extra_methods": ["tests.worker.band_method"]}))
    photo = client.put_picture(picture(), ANNA)
    names = ["gallery:" + style.name for style in client.styles()[:3]]
    titles = [style.title for style in client.styles()[:3]]

    def submit(styles: list[str], **params: object) -> JobView:
        chosen = PaintParams(**{"method": "bands", **params})  # type: ignore[arg-type]
        return client.submit(ANNA, photo, styles, chosen, source="web")

    job = submit(names, weights_high=(1, 0, 0), weights_low=(0, 1, 2))
    assert client.job(job.id, ANNA).styles == tuple(names)
    assert job.style_label == " + ".join(titles)
    assert (job.params.weights_high, job.params.weights_low) == ((1, 0, 0), (0, 1, 2))
    # What repaint does not name stays; other styles have no weights yet.
    again = client.repaint(job.id, ANNA, alpha_high=0.4)
    assert (again.styles, again.params.weights_low, again.params.alpha_high) == (job.styles, (0, 1, 2), 0.4)
    assert client.repaint(job.id, ANNA, style=names[1]).params.weights_low is None
    swapped = client.repaint(job.id, ANNA, style=names[:2], weights=(3, 1))
    assert (swapped.styles, swapped.params.weights, swapped.params.weights_low) == (
        tuple(names[:2]),
        (3, 1),
        None,
    )
    assert submit(names[:1], weights=(5,)).params.weights is None
    assert len(submit([names[0]] * 8).style_label) <= 120

    with pytest.raises(ParameterError, match=r"^weights_low: 2 styles and 1 weight do not fit\.$"):
        submit(names[:2], weights_low=(1,))
    for wrong in ([], names * 3):
        with pytest.raises(ParameterError, match=r"^styles: a painting has between 1 and 8 of them\.$"):
            submit(wrong)
    with pytest.raises(UnknownNameError):
        submit([names[0], "gallery:nosuchstyle"])
    with pytest.raises(NotFoundError, match="style picture is no longer there"):
        submit([names[0], "blob:" + "0" * 64])


def test_grids_are_for_methods_with_two_strengths(client: Client) -> None:
    load_extra_methods(client.settings.model_copy(update={"extra_methods": ["tests.worker.band_method"]}))
    photo = client.put_picture(picture(), ANNA)
    style = "gallery:" + client.styles()[0].name

    def submit(method: str, **params: object) -> JobView:
        chosen = PaintParams(method=method, grid=True, **params)  # type: ignore[arg-type]
        return client.submit(ANNA, photo, style, chosen, source="web")

    assert submit("bands").params == PaintParams(method="bands", grid=True, size=GRID_SIDE)
    # Where the sliders stand makes no other grid.
    assert submit("bands", alpha_low=0.3).params == PaintParams(method="bands", grid=True, size=GRID_SIDE)
    with pytest.raises(ParameterError, match="grid: 'mix' has one strength only"):
        submit("mix")
    with pytest.raises(ParameterError, match="grid: its small paintings"):
        submit("bands", size=2048)


def test_a_comparison_is_one_job_per_method(client: Client) -> None:
    photo = client.put_picture(picture(), ANNA)
    style = "gallery:" + client.styles()[0].name
    jobs = client.compare(ANNA, photo, style, size=300, source="api")
    assert [job.params for job in jobs] == [
        PaintParams(method=method.name, size=300)
        for method in registry.quick_methods()
        if paints_in(method, [style])
    ]
    assert len({job.context["compare"] for job in jobs}) == 1
    assert {(job.photo_key, job.style, job.source) for job in jobs} == {(photo, style, "api")}
    some = client.compare(ANNA, photo, style, methods=["mix", "adain", "mix"], source="api")
    assert [job.params.method for job in some] == ["mix", "adain"]
    with pytest.raises(ParameterError, match="at least one"):
        client.compare(ANNA, photo, style, methods=[], source="api")
    # None of it stays when it cannot be had as a whole.
    few = client.settings.model_copy(update={"jobs_waiting": 2})
    with Client(few) as limited:
        other = limited.put_picture(picture(), BEN)
        with pytest.raises(LimitError):
            limited.compare(BEN, other, style, source="api")
        assert {job.state for job in limited.jobs(BEN)} == {JobState.CANCELLED}


def test_limits(settings: Settings) -> None:
    few = settings.model_copy(update={"jobs_waiting": 3, "jobs_per_hour": 4, "operators": [77]})
    with Client(few) as client:
        jobs = [order(client) for _ in range(3)]
        with pytest.raises(LimitError, match="already have 3 paintings waiting"):
            order(client)
        client.cancel(jobs[0].id)
        order(client)
        client.cancel(jobs[1].id)
        with pytest.raises(
            LimitError, match=r"sent 4 paintings within an hour; please come back in 60 minutes\."
        ):
            order(client)
        assert order(client, BEN).state is JobState.QUEUED
        for unlimited in ("cli:local", "tg:77"):
            for _ in range(5):
                order(client, unlimited)


def test_limits_hold_against_simultaneous_orders(settings: Settings) -> None:
    few = settings.model_copy(update={"jobs_waiting": 3})
    with Client(few) as client:
        photo = client.put_picture(picture(), ANNA)
        outcomes: list[str] = []

        def submit() -> None:
            try:
                client.submit(ANNA, photo, f"blob:{photo}", MIX, source="web")
                outcomes.append("taken")
            except LimitError:
                outcomes.append("refused")

        threads = [threading.Thread(target=submit) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["refused"] * 5 + ["taken"] * 3


def test_people_and_drafts(client: Client) -> None:
    assert client.user(ANNA).language is None
    assert client.user(ANNA).defaults == PaintParams()
    client.update_user(ANNA, language="de")
    client.update_user(ANNA, defaults=PaintParams(alpha=0.5))
    user = client.user(ANNA)
    assert (user.language, user.defaults.alpha) == ("de", 0.5)
    draft = client.save_draft(ANNA, {"photo": "x"})
    assert len(draft.id) == 12
    client.save_draft(ANNA, {"photo": "y"}, draft.id)
    newer = client.save_draft(ANNA, {})
    assert [found.id for found in client.drafts(ANNA)] == [newer.id, draft.id]
    assert client.draft(draft.id, ANNA).data == {"photo": "y"}
    for attempt in (
        lambda: client.draft(draft.id, BEN),
        lambda: client.save_draft(BEN, {}, draft.id),
        lambda: client.draft("nosuchdraft1", ANNA),
    ):
        with pytest.raises(NotFoundError):
            attempt()
    client.delete_draft(draft.id, BEN)
    assert client.draft(draft.id, ANNA)
    client.delete_draft(draft.id, ANNA)
    client.delete_draft(draft.id, ANNA)
    assert [found.id for found in client.drafts(ANNA)] == [newer.id]


def test_everything_of_a_person_is_deleted(client: Client, settings: Settings) -> None:
    job = order(client)
    client.save_draft(ANNA, {"secret": "aquarelle"})
    client.update_user(ANNA, language="de")
    shared = client.picture(job.photo_key, ANNA)
    assert client.put_picture(shared, BEN) == job.photo_key
    own = client.put_picture(picture(), ANNA)
    assert client.delete_user_data(ANNA) == {"jobs": 1, "drafts": 1, "pictures": 2, "styles": 0, "ratings": 0}
    assert client.jobs(ANNA) == client.drafts(ANNA) == []
    assert client.picture(job.photo_key, BEN) == shared
    assert not client.blobs.backend.exists(own)
    assert client.user(ANNA).language is None
    client.close()
    kept = (settings.data_dir / "allaprima.db").read_bytes()
    assert b"aquarelle" not in kept
    assert client.delete_user_data("web:nobody") == {
        "jobs": 0,
        "drafts": 0,
        "pictures": 0,
        "styles": 0,
        "ratings": 0,
    }


def test_what_is_past_its_time_is_reaped(client: Client) -> None:
    from worker.broker import Broker
    from worker.engine import Engine
    from worker.tasks.maintenance import reap

    waiting = order(client)
    finished = client.cancel(order(client).id)
    recent = client.cancel(order(client).id)
    client.save_draft(ANNA, {})
    long_ago = time.time() - 40 * 86400
    with client.database.write() as session:
        from sqlalchemy import update

        from worker.store.models import Blob, Draft

        session.execute(update(Blob).values(expires_at=long_ago))
        session.execute(update(Draft).values(updated_at=long_ago))
        session.execute(update(Job).where(Job.id == finished.id).values(finished_at=long_ago))
    left_over = client.blobs.backend.folder / "ab" / ".new-x"  # type: ignore[attr-defined]
    left_over.parent.mkdir(exist_ok=True)
    left_over.write_bytes(b"half")
    import os

    os.utime(left_over, (long_ago, long_ago))
    broker = Broker(client.settings)
    context = Context(client.settings, client.database, client.blobs, broker, Engine(client.settings, broker))
    # The picture of the waiting job stays, whatever its age.
    assert reap(context) == {"pictures": 2, "jobs": 1, "drafts": 1, "workers": 0}
    assert not left_over.exists()
    assert client.blobs.backend.exists(waiting.photo_key)
    assert not client.blobs.backend.exists(recent.photo_key)
    with pytest.raises(NotFoundError, match="no longer there"):
        client.picture(recent.photo_key, ANNA)
    with pytest.raises(NotFoundError, match="There is no such painting"):
        client.job(finished.id)
    assert reap(context) == {"pictures": 0, "jobs": 0, "drafts": 0, "workers": 0}


def test_health_names_what_is_down(client: Client) -> None:
    health = client.health()
    assert not health["ok"]
    assert (health["database"], health["storage"], health["workers"]) == ("ok", "ok", 0)
    assert health["queue"] == "The queue cannot be reached at the moment."
    assert b"allaprima_queue_up 0.0" in client.metrics()
