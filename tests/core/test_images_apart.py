"""Decoding in a child: what it answers, what it may not do, and that its memory is given back."""

from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
from PIL import Image

from core.errors import PictureError
from core.images import Limits, apart, read_picture
from tests.core.pictures import encode, png_bomb, scene
from tests.core.test_images_containers import many_scans


@pytest.fixture(autouse=True)
def decoder(monkeypatch: pytest.MonkeyPatch) -> Iterator[apart.Decoder]:
    """A decoder of each test's own."""
    fresh = apart.Decoder()
    monkeypatch.setattr(apart, "_decoder", fresh)
    yield fresh
    fresh.close()


def refused(data: bytes, code: str, limits: Limits | None = None) -> str:
    with pytest.raises(PictureError) as caught:
        apart.check_picture(data, limits or Limits())
    assert caught.value.code == code, str(caught.value)
    return str(caught.value)


def peaks(decoder: apart.Decoder, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The list that the memory each answer took, in MB, is noted in."""
    noted: list[int] = []
    exchange = apart.Decoder._exchange

    def noting(*given: object) -> object:
        answer = exchange(*given)  # type: ignore[arg-type]
        noted.append(answer[0]["peak"] >> 20)
        return answer

    monkeypatch.setattr(decoder, "_exchange", noting)
    return noted


def test_answers_are_those_of_read_picture(decoder: apart.Decoder) -> None:
    picture = scene(800, 500)
    for format in ("JPEG", "PNG", "WEBP", "HEIF", "AVIF"):
        data = encode(picture, format)
        apart.check_picture(data)
        small = Image.open(io.BytesIO(apart.small_jpeg(data, 200)))
        assert small.size == (200, 125)
        expected = read_picture(data, side=200)
        assert np.abs(np.asarray(small, int) - np.asarray(expected, int)).mean() < 4
    child = decoder._child
    assert child is not None
    for data, code in (
        (b"no picture", "format"),
        (encode(picture, "JPEG")[:3000], "truncated"),
        (png_bomb(16_000, 16_000), "pixels"),
        (many_scans(1200), "work"),
        (encode(scene(12, 12), "PNG"), "small"),
    ):
        refused(data, code)
        with pytest.raises(PictureError) as caught:
            read_picture(data)
        assert caught.value.code == code
    apart.check_picture(encode(picture, "PNG"))
    assert decoder._child is child, "a refusal does not cost the child"


def test_pictures_of_eighty_megapixels_stay_within_their_memory(
    decoder: apart.Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = peaks(decoder, monkeypatch)
    before = psutil.Process().memory_info().rss
    picture = Image.new("P", (9_000, 8_800), 1)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    palette = encode(picture, "PNG", transparency=0)
    assert len(palette) < 100_000
    del picture
    small = Image.open(io.BytesIO(apart.small_jpeg(palette, 400)))
    assert small.size == (400, 391)
    assert max(abs(a - b) for a, b in zip(small.getpixel((9, 9)), (200, 100, 50), strict=True)) < 4  # type: ignore[arg-type]
    assert decoder._child is None, "a child that needed much has ended"
    jpeg = encode(Image.new("RGB", (9_000, 8_800), (200, 100, 50)), "JPEG", quality=50)
    apart.check_picture(jpeg)
    assert noted[0] < 400, noted
    assert noted[1] < 150, noted
    assert psutil.Process().memory_info().rss - before < 500 << 20


def test_too_much_memory_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "BYTES_PER_PIXEL", 0)
    monkeypatch.setattr(apart, "BASE_BYTES", 330 << 20)
    rgb = encode(Image.new("RGB", (9_000, 8_800)), "PNG", compress_level=1)
    assert "memory" in refused(rgb, "memory")
    apart.check_picture(encode(scene(), "PNG"))


def test_too_much_work_is_a_sentence_and_the_next_picture_is_read(
    decoder: apart.Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = encode(Image.effect_noise((5_000, 5_000), 60).convert("RGB"), "PNG", compress_level=1)
    apart.check_picture(encode(scene(), "PNG"))
    monkeypatch.setattr(apart, "WORK_SECONDS", -1)
    assert "takes too long" in refused(slow, "work")
    monkeypatch.undo()
    monkeypatch.setattr(apart, "_decoder", decoder)
    apart.check_picture(encode(scene(), "PNG"))


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_dies_at_rest_is_replaced(decoder: apart.Decoder, ending: signal.Signals) -> None:
    apart.check_picture(encode(scene(), "PNG"))
    child = decoder._child
    assert child is not None
    os.kill(child.pid, ending)
    child.wait()
    apart.check_picture(encode(scene(), "PNG"))
    assert decoder._child is not child
    assert decoder._child is not None


def test_a_child_that_crashes_over_a_picture_is_a_sentence(
    decoder: apart.Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = apart._send

    def crashing(pipe: object, message: dict[str, object], data: bytes) -> None:
        child = decoder._child
        assert child is not None
        os.kill(child.pid, signal.SIGSEGV)
        child.wait()
        send(pipe, message, data)

    monkeypatch.setattr(apart, "_send", crashing)
    refused(encode(scene(), "PNG"), "damaged")
    monkeypatch.undo()
    monkeypatch.setattr(apart, "_decoder", decoder)
    apart.check_picture(encode(scene(), "PNG"))


def test_a_resting_child_goes_home(decoder: apart.Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the time had come: its questions end.
    apart.check_picture(encode(scene(), "PNG"))
    child = decoder._child
    assert child is not None
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(20) == 0
    apart.check_picture(encode(scene(), "PNG"))


def test_the_child_knows_no_secrets_and_shares_nothing(
    decoder: apart.Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEGRAM_TOKEN", "12345:secret")
    apart.check_picture(encode(scene(), "PNG"))
    assert decoder._child is not None
    process = psutil.Process(decoder._child.pid)
    assert not any("secret" in value for value in process.environ().values())
    limits = {
        name: process.rlimit(getattr(psutil, name)) for name in ("RLIMIT_AS", "RLIMIT_FSIZE", "RLIMIT_CORE")
    }
    assert limits["RLIMIT_AS"][1] == apart.BASE_BYTES + apart.BYTES_PER_PIXEL * Limits().max_pixels
    assert limits["RLIMIT_FSIZE"][1] == limits["RLIMIT_CORE"][1] == 0
    assert process.rlimit(psutil.RLIMIT_CPU)[0] <= apart.WORK_SECONDS + 10


def test_many_at_once_take_turns(decoder: apart.Decoder) -> None:
    data, wrong = encode(scene(900, 700), "JPEG"), encode(scene(900, 700), "JPEG")[:2000]
    outcomes: list[str] = []
    children: set[int] = set()

    def work(number: int) -> None:
        try:
            apart.check_picture(wrong if number % 3 == 0 else data)
            outcomes.append("read")
        except PictureError as error:
            outcomes.append(error.code)
        children.add(decoder._child.pid if decoder._child else 0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["read"] * 13 + ["truncated"] * 7
    assert len(children) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_has_a_child_of_its_own(decoder: apart.Decoder) -> None:
    apart.check_picture(encode(scene(), "PNG"))
    forked = os.fork()
    if not forked:
        status = 1
        try:
            apart.check_picture(encode(scene(), "PNG"))
            status = 0 if apart._decoder is not decoder else 2
            apart._decoder.close()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    apart.check_picture(encode(scene(), "PNG"))
