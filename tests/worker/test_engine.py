"""Painting in a worker's process, without the queue: caches, memory, endings."""

from __future__ import annotations

import errno
import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import update

from core.errors import AllaPrimaError, Cancelled, ModelError, UnknownNameError
from core.methods.contract import Encoded
from core.params import GRID_STRENGTHS, PaintParams, mixed, of_two
from tests.worker.conftest import picture
from worker.broker import Broker
from worker.client import Client
from worker.engine import ContentCache, Engine, Painting, PaintInput, StyleSource
from worker.jobs import JobState, JobView, sha256
from worker.plugins import load_extra_methods
from worker.settings import Settings
from worker.store.blobs import BlobStore, DiskBackend
from worker.store.models import Blob
from worker.tasks import context as contexts
from worker.tasks.paint import paint


@pytest.fixture
def engine(client: Client) -> Engine:
    return Engine(client.settings, Broker(client.settings))


def run(engine: Engine, photo: bytes, style: bytes, **params: object) -> Painting:
    return engine.paint(ordered(photo, [style], **params))


def ordered(photo: bytes, styles: list[bytes], **params: object) -> PaintInput:
    sources = [StyleSource(sha256(style), lambda style=style: style) for style in styles]  # type: ignore[misc]
    chosen = PaintParams(**{"method": "mix", **params})  # type: ignore[arg-type]
    return PaintInput(sha256(photo), lambda: photo, sources, chosen, lambda _: None)


@pytest.mark.parametrize("keep_colors", ["off", "luminance", "statistics"])
@pytest.mark.parametrize("alpha", [0.0, 0.7])
@pytest.mark.parametrize("size", [None, 64, 120])
def test_the_engine_paints_what_the_method_paints(
    engine: Engine, keep_colors: str, alpha: float, size: int | None
) -> None:
    photo, style = picture(1), picture(2, (700, 520))
    params = {"alpha": alpha, "keep_colors": keep_colors, "size": size}
    expected = engine.method("mix").stylize(
        Image.open(io.BytesIO(photo)),
        Image.open(io.BytesIO(style)),
        PaintParams(method="mix", **params),  # type: ignore[arg-type]
    )
    for _ in range(2):
        painted = run(engine, photo, style, **params)
        assert np.array_equal(np.asarray(painted.image), np.asarray(expected))
    assert painted.caches["content"]


def test_the_largest_side_holds(client: Client) -> None:
    engine = Engine(client.settings.model_copy(update={"max_side": 100}), client.broker)
    assert run(engine, picture(1, (300, 30)), picture(2)).image.size == (100, 10)
    assert run(engine, picture(1, (300, 30)), picture(2), size=200).image.size == (100, 10)


def test_a_style_is_encoded_for_each_model_anew(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes of one model mean nothing to another: the same style is another entry of the cache."""
    stored: dict[str, bytes] = {}
    monkeypatch.setattr(engine.broker, "cached", stored.get)
    monkeypatch.setattr(engine.broker, "cache", lambda key, value, seconds: stored.update({key: value}))
    photo, style = picture(1), picture(2)
    first = run(engine, photo, style, method="mix")
    method = engine.method("mix-slow")
    monkeypatch.setattr(method, "encode_style", lambda _: np.zeros(3, np.float32).tobytes())
    second = run(engine, photo, style, method="mix-slow")
    assert (first.caches["style"], second.caches["style"], len(stored)) == (False, False, 2)
    dark = np.asarray(second.image).astype(float).mean()
    assert dark < np.asarray(first.image).astype(float).mean() - 20, "painted with its own code"


def test_a_photo_painted_at_half_the_size_once_is_painted_whole_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory did not suffice for a moment; what was kept of the half is not taken for the whole."""
    from tests.worker import mixing

    photo, style = picture(1, (190, 100)), picture(2)
    assert run(engine, photo, style, method="mix-big").image.size == (95, 50)
    monkeypatch.setattr(mixing, "BIG_SIDE", 1000)
    again = run(engine, photo, style, method="mix-big", alpha=0.4)
    assert (again.image.size, again.caches["content"]) == ((190, 100), False)


def test_content_cache_keeps_within_its_bytes() -> None:
    def entry(pixels: int) -> Encoded:
        content = np.zeros(pixels * 100 - pixels * 3, dtype=np.uint8)
        return Encoded(Image.new("RGB", (pixels, 1)), content, pixels)

    cache = ContentCache(1000)
    for name in "abc":
        cache.put((name,), entry(4))
    assert cache.nbytes == 800
    assert cache.get(("a",)) is None
    assert cache.get(("b",)) is not None
    cache.put(("d",), entry(4))
    assert cache.get(("c",)) is None
    assert cache.get(("b",)) is not None
    cache.put(("huge",), entry(11))
    assert cache.get(("huge",)) is None
    cache.clear(idle_seconds=3600)
    assert cache.nbytes == 800
    cache.clear()
    assert cache.nbytes == 0


def test_methods_that_cannot_be_had(engine: Engine) -> None:
    with pytest.raises(ModelError, match="is not here"):
        engine.method("mix-missing")
    with pytest.raises(UnknownNameError):
        engine.method("nosuch")
    # It may be put there later: nothing remembers that it was missing.
    os.environ["MIX_MODEL"] = "1"
    try:
        assert engine.method("mix-missing") is engine.method("mix-missing")
    finally:
        del os.environ["MIX_MODEL"]


def test_errors_and_cancelling_pass_through(engine: Engine) -> None:
    photo = picture()

    def stop(_: float) -> None:
        raise Cancelled

    wanted = replace(ordered(photo, [photo]), progress=stop)
    with pytest.raises(Cancelled):
        engine.paint(wanted)
    with pytest.raises(AllaPrimaError):
        run(engine, b"damaged", photo)


def shaded(seed: int, brightness: float) -> bytes:
    """A picture whose colour and texture go with its brightness."""
    file = io.BytesIO()
    Image.open(io.BytesIO(picture(seed))).point(lambda value: value * brightness).save(file, "PNG")
    return file.getvalue()


TWO_BANDS = "tests.worker.band_method"


@pytest.fixture
def bands(client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], int]:
    """Puts the method ``bands`` on offer; tells how often it did something."""
    load_extra_methods(client.settings.model_copy(update={"extra_methods": [TWO_BANDS]}))
    log = tmp_path / "events"
    log.touch()
    monkeypatch.setenv("MIX_LOG", str(log))
    return lambda what: log.read_text().count(what)


def test_moves_of_both_sliders_and_of_weights_encode_nothing_again(
    engine: Engine, bands: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: dict[str, bytes] = {}
    monkeypatch.setattr(engine.broker, "cached", stored.get)
    monkeypatch.setattr(engine.broker, "cache", lambda key, value, seconds: stored.update({key: value}))
    photo, styles = picture(1), [shaded(2, 0.2), shaded(3, 0.9)]
    results = []
    for high, low, weights in (
        (1.0, 1.0, None),
        (0.2, 1.0, None),
        (0.2, 0.4, None),
        (0.2, 0.4, (1.0, 0.0)),
        (0.2, 0.4, (0.3, 0.7)),
    ):
        params = {"method": "bands", "alpha_high": high, "alpha_low": low, "weights_low": weights}
        painting = engine.paint(ordered(photo, styles, **params))
        expected = engine.method("bands").stylize(
            Image.open(io.BytesIO(photo)),
            [Image.open(io.BytesIO(style)) for style in styles],
            PaintParams(**params),  # type: ignore[arg-type]
        )
        assert np.array_equal(np.asarray(painting.image), np.asarray(expected))
        results.append(painting.image.tobytes())
    assert painting.caches == {"content": True, "style": True}
    assert len(set(results)) == len(results)
    # The other encodings are those of the five calls of ``stylize``.
    assert (bands("content"), bands("style"), bands("decode")) == (1 + 5, 2 + 10, 5 + 5)


@pytest.mark.parametrize("keep_colors", ["off", "luminance", "statistics"])
def test_both_strengths_at_zero_are_the_photo(
    engine: Engine, bands: Callable[[str], int], keep_colors: str
) -> None:
    photo = picture(1)
    zero = {"alpha_high": 0.0, "alpha_low": 0.0, "keep_colors": keep_colors}
    painting = engine.paint(ordered(photo, [picture(2)], method="bands", **zero))
    assert np.array_equal(np.asarray(painting.image), np.asarray(Image.open(io.BytesIO(photo))))


def test_a_grid_shows_every_pair_of_strengths(engine: Engine, bands: Callable[[str], int]) -> None:
    photo, styles = picture(1), [shaded(2, 0.2), shaded(3, 0.9)]
    mix = {"method": "bands", "size": 64, "weights_high": (1.0, 0.0), "weights_low": (0.0, 1.0)}
    sheet = engine.paint(ordered(photo, styles, grid=True, **mix)).image
    steps = len(GRID_STRENGTHS)
    assert (bands("content"), bands("style"), bands("decode")) == (1, 2, steps**2)
    width, height = sheet.width // steps, sheet.height // steps
    assert (steps * width, steps * height) == sheet.size
    for column, row in ((0, 0), (1, 3), (4, 2)):
        pair = {"alpha_high": GRID_STRENGTHS[column], "alpha_low": GRID_STRENGTHS[steps - 1 - row]}
        alone = engine.paint(ordered(photo, styles, **mix, **pair)).image
        box = (column * width, row * height, (column + 1) * width, (row + 1) * height)
        assert np.array_equal(np.asarray(sheet.crop(box)), np.asarray(alone))


@pytest.fixture
def in_process(client: Client, tmp_path: Path) -> Iterator[Client]:
    """Lets the paint task run in this process, on the client's own database."""
    broker = Broker(client.settings)
    engine = Engine(client.settings, broker)
    context = contexts.Context(client.settings, client.database, client.blobs, broker, engine)
    contexts._contexts[os.getpid()] = context
    yield client
    del contexts._contexts[os.getpid()]


def submit(client: Client, method: str = "mix") -> JobView:
    photo = client.put_picture(picture(), "web:a")
    return client.submit("web:a", photo, f"blob:{photo}", PaintParams(method=method), source="web")


def test_the_task_paints_without_redis(in_process: Client) -> None:
    """Progress and caches are best effort: a queue that died after handing out the job does no harm."""
    job = submit(in_process)
    paint(job.id)
    assert in_process.job(job.id).state is JobState.DONE
    paint(job.id)
    assert in_process.job(job.id).attempts == 1


def test_a_mix_goes_through_the_task_and_stays_while_it_is_unfinished(
    in_process: Client, bands: Callable[[str], int]
) -> None:
    client = in_process
    pictures = picture(1), shaded(2, 0.2), shaded(3, 0.9)
    photo, high, low = (client.put_picture(data, "web:a") for data in pictures)
    params = mixed(PaintParams(method="bands"), of_two("high", "low"))
    job = client.submit("web:a", photo, [f"blob:{high}", f"blob:{low}"], params, source="web")
    with client.database.write() as session:
        session.execute(update(Blob).values(expires_at=time.time() - 1))
    assert client.blobs.reap() == 0  # all three are needed
    with client.database.write() as session:
        session.execute(update(Blob).values(expires_at=time.time() + 3600))
    paint(job.id)
    job = client.job(job.id)
    assert job.state is JobState.DONE, job.error
    assert job.styles == (f"blob:{high}", f"blob:{low}")
    engine = contexts.get_context().engine
    expected = engine.method("bands").stylize(
        Image.open(io.BytesIO(pictures[0])), [Image.open(io.BytesIO(data)) for data in pictures[1:]], params
    )
    painted = np.asarray(Image.open(io.BytesIO(client.result(job.id))))
    assert np.array_equal(painted, np.asarray(expected))
    # The other way round is another picture, and the same once more is the same one.
    for styles, same in (([low, high], False), ([high, low], True)):
        again = client.submit("web:a", photo, [f"blob:{key}" for key in styles], params, source="web")
        paint(again.id)
        assert (client.job(again.id).result_key == job.result_key) == same


@pytest.mark.parametrize("damaged", [False, True])
def test_a_key_has_one_result_whoever_paints_it(
    in_process: Client, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    """Two workers paint the same job twice at once, and not to the bit alike: the one that ends first decides."""
    client, engine = in_process, contexts.get_context().engine
    data = picture()
    jobs = []
    for owner in ("web:a", "web:b"):
        photo = client.put_picture(data, owner)
        jobs.append(
            client.submit(owner, photo, "gallery:woodcut", PaintParams(method="mix"), source="web").id
        )
    original, calls = engine.paint, []

    def at_the_same_time(wanted: PaintInput) -> Painting:
        calls.append(wanted)
        painting = original(wanted)
        if len(calls) == 1:
            paint(jobs[1])
            painting.image = painting.image.point(lambda level: level ^ 1)
            if damaged:
                (client.settings.data_dir / "blobs" / key()[:2] / key()).write_bytes(b"broken")
        return painting

    def key() -> str:
        return str(client.job(jobs[1]).result_key)

    monkeypatch.setattr(engine, "paint", at_the_same_time)
    paint(jobs[0])
    assert len(calls) == 2
    ended = [client.job(job) for job in jobs]
    assert [job.state for job in ended] == [JobState.DONE, JobState.DONE]
    assert (ended[0].result_key == ended[1].result_key) != damaged
    assert client.result(jobs[0], "web:a")
    stored = {path.name for path in (client.settings.data_dir / "blobs").glob("??/*")}
    assert stored == {sha256(data), ended[0].result_key, ended[1].result_key}


def test_no_room_for_the_result(in_process: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(DiskBackend):
        def write(self, key: str, data: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    job = submit(in_process)
    full = BlobStore(in_process.database, in_process.settings, Full(in_process.settings.data_dir / "blobs"))
    contexts.get_context().blobs = full
    paint(job.id)
    job = in_process.job(job.id)
    assert (job.state, job.error_code) == (JobState.FAILED, "storage")
    assert job.error == "There is no room left for pictures; please try again later."
    assert in_process.blobs.usage()[0] == 1


def test_a_job_cancelled_at_the_last_moment_leaves_no_result(
    in_process: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(in_process)
    original = BlobStore.put

    def put(store: BlobStore, *arguments: object, **options: object) -> str:
        in_process.cancel(job.id)
        return original(store, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(BlobStore, "put", put)
    paint(job.id)
    after = in_process.job(job.id)
    assert (after.state, after.result_key) == (JobState.CANCELLED, None)
    assert in_process.blobs.usage()[0] == 1


def test_a_person_deleted_at_the_last_moment_stays_deleted(
    in_process: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(in_process)
    original = BlobStore.put

    def put(store: BlobStore, *arguments: object, **options: object) -> str:
        in_process.delete_user_data("web:a")
        return original(store, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(BlobStore, "put", put)
    paint(job.id)
    assert in_process.blobs.usage() == (0, 0)
    assert not list((in_process.settings.data_dir / "blobs").glob("??/*"))


def test_a_hanging_method_is_told_by_the_time_limit(
    in_process: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billiard.exceptions import SoftTimeLimitExceeded

    job = submit(in_process)

    def hang(_: PaintInput) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(contexts.get_context().engine, "paint", hang)
    paint(job.id)
    after = in_process.job(job.id)
    assert (after.state, after.error_code) == (JobState.FAILED, "time")
    assert after.error is not None
    assert "longer than the 600 seconds allowed" in after.error


def test_an_unknown_plug_in_is_one_sentence(settings: Settings) -> None:
    with pytest.raises(AllaPrimaError, match=r"'no\.such' named in ALLAPRIMA_EXTRA_METHODS"):
        Client(settings.model_copy(update={"extra_methods": ["no.such"]}))
