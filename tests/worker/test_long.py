"""Paintings that take minutes: a queue of their own, pictures on the way, "that is enough", and going on after a loss."""

from __future__ import annotations

import io
import os
import signal

import psutil
import pytest
from PIL import Image

from core.errors import ParameterError
from core.params import PaintParams
from tests.worker.conftest import Service, until
from worker import previews
from worker.client import Client
from worker.jobs import LONG_QUEUE, JobState
from worker.plugins import load_extra_methods
from worker.store.models import Job


def grey(picture: bytes) -> int:
    """How bright a picture of ``grow`` is."""
    with Image.open(io.BytesIO(picture)) as image:
        return int(image.convert("L").getpixel((5, 5)))  # type: ignore[arg-type]


def painters(service: Service) -> list[int]:
    """Painting processes of the companion for long jobs."""
    (worker,) = service.workers
    companions = [
        child for child in psutil.Process(worker.pid).children() if "worker.tasks.run" in child.cmdline()
    ]
    return [child.pid for companion in companions for child in companion.children()]


def test_a_long_painting_is_seen_on_the_way_and_holds_nobody_up(service: Service, owner: str) -> None:
    long = service.order(owner, "grow", patience=30)
    service.running(long, 0.01)
    until(lambda: service.client.picture_so_far(long.id, owner), "a picture on the way")
    first = service.client.picture_so_far(long.id, owner)
    # One painting process, and a quick painting is done meanwhile.
    assert service.finish(service.order(owner)).state == JobState.DONE
    now = service.client.job(long.id, owner)
    assert (now.state, now.iterative) == (JobState.RUNNING, True)
    until(lambda: service.client.picture_so_far(long.id, owner) != first, "another picture")
    second = service.client.picture_so_far(long.id, owner)
    assert first is not None
    assert second is not None
    assert 0 <= grey(first) < grey(second) < 200

    # That is enough: what there is now is the result, and is not taken for what the same order paints in all its time.
    stopped = service.client.stop(long.id, owner)
    assert stopped.stopping
    ended = service.finish(long)
    assert ended.state == JobState.DONE
    shade = grey(service.client.result(long.id, owner))
    assert grey(second) <= shade < 250
    assert service.client.picture_so_far(long.id, owner) is None
    until(lambda: previews.jpeg(service.client.broker, long.id, 100) is None, "the picture to be forgotten")
    photo = long.photo_key
    again = service.finish(service.order(owner, "grow", photo=photo, patience=1.0))
    assert grey(service.client.result(again.id, owner)) == 255
    # What was painted in its whole time has its key.
    twin = service.finish(service.order(owner, "grow", photo=photo, patience=1.0))
    assert (twin.paint_ms, twin.result_key) == (0, again.result_key)


def test_a_killed_painter_s_picture_is_gone_on_with(service: Service, owner: str) -> None:
    job = service.order(owner, "grow", patience=9)
    service.running(job, 0.4)
    until(lambda: previews.beginning(service.client.broker, job.id), "a picture on the way")
    at_work = painters(service)
    assert len(at_work) == 1
    for pid in at_work:
        os.kill(pid, signal.SIGKILL)
    assert service.finish(job).state == JobState.DONE
    begun = [
        float(line.split()[0].removeprefix("grow-from-"))
        for line in service.events_file.read_text().splitlines()
        if line.startswith("grow-from-")
    ]
    assert begun[0] == 0.0
    assert len(begun) == 2
    assert begun[1] > 0.2, "it began anew"


def test_cancelling_and_deleting_leave_nothing(service: Service, owner: str) -> None:
    job = service.order(owner, "grow", patience=30)
    service.running(job, 0.02)
    service.client.cancel(job.id, owner)
    assert service.finish(job).state == JobState.CANCELLED
    job = service.order(owner, "grow", patience=30)
    service.running(job, 0.02)
    until(lambda: service.client.picture_so_far(job.id, owner), "a picture on the way")
    service.client.delete_user_data(owner)
    until(
        lambda: previews.jpeg(service.client.broker, job.id, 100) is None, "the picture to be forgotten", 20
    )


def test_what_has_not_begun_is_cancelled(stored: Client) -> None:
    load_extra_methods(stored.settings.model_copy(update={"extra_methods": ["tests.worker.growing_method"]}))
    from tests.worker.conftest import picture

    photo = stored.put_picture(picture(), "web:a")
    params = PaintParams.parse(method="grow", patience="2.5", ground="half", seconds=900)
    jobs = [stored.submit("web:a", photo, f"blob:{photo}", params, source="web") for _ in range(3)]
    quick = stored.submit("web:a", photo, f"blob:{photo}", PaintParams(method="mix"), source="web")
    # One of a person's is let in at a time; the quick ones have a line of their own.
    assert [stored.job(job.id).state for job in (*jobs, quick)] == ["queued", "waiting", "waiting", "queued"]
    assert [stored.job(job.id).position for job in (*jobs, quick)] == [1, 2, 3, 1]
    etas = [stored.job(job.id).eta_seconds for job in jobs]
    assert etas == sorted(etas)  # type: ignore[type-var]
    assert etas[0] is not None
    assert 900 <= etas[0] <= 910
    assert stored.stop(jobs[0].id, "web:a").state == JobState.CANCELLED
    assert stored.stop(quick.id, "web:a").state == JobState.CANCELLED
    # A parameter that nobody knows is kept, checked and handed on.
    view = stored.job(jobs[1].id)
    assert view.params.own == {"patience": 2.5, "ground": "half", "seconds": 900}
    with stored.database.read() as session:
        row = session.get_one(Job, view.id)
        assert row.queue == LONG_QUEUE
        assert row.params["own"] == view.params.own


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"patience": 0.01}, "patience: must lie between 0.1 and 60."),
        ({"patience": "soon"}, "patience: is a number."),
        ({"patience": "nan"}, "patience: must lie between 0.1 and 60."),
        ({"seconds": 5.5}, "seconds: is a whole number."),
        ({"ground": "light"}, "ground: must be one of dark, half."),
        ({"terms": "grams=1"}, "terms: there is no style term 'grams'"),
        ({"own": {"nosuch": 1}}, "there is no parameter 'nosuch'."),
        ({"own": {"alpha": 1}}, "there is no parameter 'alpha'."),
    ],
)
def test_parameters_of_a_method_s_own_are_checked(values: dict[str, object], complaint: str) -> None:
    import tests.worker.growing_method  # noqa: F401

    with pytest.raises(ParameterError) as refused:
        PaintParams.parse(method="grow", **values)
    assert str(refused.value).startswith(complaint)


def test_own_parameters_at_their_default_change_no_key() -> None:
    import tests.worker.growing_method  # noqa: F401

    plain, said = PaintParams(method="grow"), PaintParams.parse(method="grow", patience=30, ground="dark")
    assert plain.digest() == said.digest()
    assert plain.digest() != PaintParams.parse(method="grow", patience=29).digest()
    assert PaintParams.restore(said.stored()) == said
    changed = PaintParams.parse(method="grow", patience=29)
    assert PaintParams.restore(changed.stored()).value("patience") == 29
    assert PaintParams.parse(**{**changed.model_dump(), "patience": None}).value("patience") == 30
    assert PaintParams.parse(**{**changed.model_dump(), "patience": 3}).value("patience") == 3


def test_what_was_learned_travels_with_the_picture_so_far() -> None:
    broker = FakeBroker()
    picture = Image.new("RGB", (40, 30), (200, 30, 30))
    previews.leave(broker, "a", picture, 0.25, b"RIFF\n of a style")  # type: ignore[arg-type]
    found = previews.beginning(broker, "a")  # type: ignore[arg-type]
    assert found is not None
    assert (found.done, found.learned, found.picture.size) == (0.25, b"RIFF\n of a style", (40, 30))
    assert previews.jpeg(broker, "a", 20)  # type: ignore[arg-type]
    previews.leave(broker, "b", picture, 0.5)  # type: ignore[arg-type]
    found = previews.beginning(broker, "b")  # type: ignore[arg-type]
    assert found is not None
    assert (found.done, found.learned) == (0.5, None)
    # What an older version left is the share and the picture; what is none is nothing.
    head, _, rest = broker.kept[previews.key_of("b")].partition(b"\n")
    broker.kept[previews.key_of("c")] = head.split()[0] + b"\n" + rest
    old = previews.beginning(broker, "c")  # type: ignore[arg-type]
    assert old is not None
    assert (old.done, old.learned) == (0.5, None)
    for nonsense in (b"", b"x y\nz", b"0.5 3\nabc"):
        broker.kept[previews.key_of("d")] = nonsense
        assert previews.beginning(broker, "d") is None  # type: ignore[arg-type]
        assert previews.jpeg(broker, "d", 20) is None  # type: ignore[arg-type]


class FakeBroker:
    """The caches alone."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def cache(self, key: str, data: bytes, seconds: float) -> None:
        self.kept[key] = data

    def cached(self, key: str) -> bytes | None:
        return self.kept.get(key)
