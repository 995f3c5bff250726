"""Every bad picture people send, made here byte by byte; then writing and scaling."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from core.errors import PictureError
from core.images import (
    Limits,
    check_size,
    picture_files,
    png,
    read_picture,
    resize_longest,
    thumbnail,
    to_jpeg,
    to_png,
    to_webp,
)
from tests.core.pictures import encode, png_bomb, png_chunk, scene


def refused(source: object, code: str, limits: Limits | None = None) -> str:
    with pytest.raises(PictureError) as caught:
        read_picture(source, limits or Limits())  # type: ignore[arg-type]
    sentence = str(caught.value)
    assert caught.value.code == code, sentence
    assert sentence[-1] == "."
    assert "\n" not in sentence
    assert len(sentence) < 200
    assert any(word in sentence for word in ("send", "crop", "check", "name a")), sentence
    return sentence


# -- refusals ------------------------------------------------------------------------------------------------


def test_empty() -> None:
    assert "empty" in refused(b"", "empty")


@pytest.mark.parametrize(
    "data",
    [
        b"just a text, no picture at all\n" * 20,
        b"\x00" * 500,
        bytes(range(256)) * 8,
        b"x",
        b"GIF89a",
        b"\xff\xd8\xff",
    ],
)
def test_not_a_picture(data: bytes) -> None:
    with pytest.raises(PictureError) as caught:
        read_picture(data)
    assert caught.value.code in {"format", "damaged", "truncated"}


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"%PDF-1.7\n1 0 obj", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "PostScript"),
        (b"PK\x03\x04" + bytes(60), "archive"),
        (b"\x1f\x8b\x08" + bytes(60), "archive"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?>", "SVG"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41", "video"),
        (b"8BPS\x00\x01" + bytes(60), "Photoshop"),
    ],
)
def test_foreign_files_are_named(data: bytes, word: str) -> None:
    assert word in refused(data, "format")


@pytest.mark.parametrize("format", ["EPS", "ICO", "TGA", "PPM", "PCX", "SGI", "DDS", "JPEG2000"])
def test_formats_outside_the_list_stay_shut(format: str) -> None:
    refused(encode(scene(), format), "format")


def test_addresses_are_not_opened() -> None:
    refused("https://example.org/cat.jpg", "url")
    refused("file:///etc/hostname", "url")


def test_missing_folder_and_device(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.jpg", "missing")
    refused(str(tmp_path), "missing")
    refused("bad\0name.png", "missing")
    os.mkfifo(tmp_path / "pipe.jpg")
    refused(tmp_path / "pipe.jpg", "missing")
    refused("/dev/zero", "missing")


def test_too_many_bytes(tmp_path: Path) -> None:
    data = encode(Image.effect_noise((200, 200), 80), "PNG")
    limits = Limits(max_bytes=1000)
    assert "1000 bytes" in refused(data, "bytes", limits)
    refused(io.BytesIO(data), "bytes", limits)
    (tmp_path / "big.png").write_bytes(data)
    refused(tmp_path / "big.png", "bytes", limits)
    # A sparse file of a terabyte is refused by its size, not read.
    with open(tmp_path / "huge.png", "wb") as file:
        file.truncate(2**40)
    assert "50 MB" in refused(tmp_path / "huge.png", "bytes")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_png_bomb_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    data = png_bomb(13_000, 13_000)
    assert len(data) < 60_000

    def no_decoding(*_: object) -> None:
        raise AssertionError("pixels were decoded before the size was checked")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", no_decoding)
    assert "13000 × 13000" in refused(data, "pixels")


def test_bomb_beyond_pillows_own_ceiling() -> None:
    refused(png_bomb(16_000, 16_000), "pixels")


def test_compressed_text_bomb() -> None:
    good = encode(scene(), "PNG")
    text = png_chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(200_000_000), 9))
    bomb = good[:33] + text + good[33:]
    refused(bomb, "damaged")


def test_gif_whose_frame_is_larger_than_its_screen() -> None:
    data = bytearray(encode(scene(32, 32).convert("P"), "GIF"))
    at = data.index(b"\x2c\x00\x00\x00\x00")  # the image descriptor: position, then width and height
    data[at + 5 : at + 9] = struct.pack("<HH", 65_535, 65_535)
    refused(bytes(data), "pixels")


@pytest.mark.parametrize(
    ("size", "code"),
    [
        ((1, 5000), "small"),
        ((5000, 1), "small"),
        ((15, 15), "small"),
        ((20_000, 300), "side"),
        ((300, 20_000), "side"),
        ((8000, 300), "aspect"),
        ((300, 8000), "aspect"),
    ],
)
def test_absurd_sizes(size: tuple[int, int], code: str) -> None:
    refused(encode(Image.new("1", size), "PNG"), code)


def test_limits_are_inclusive() -> None:
    limits = Limits(max_pixels=6144, max_side=96, min_side=64, max_aspect=1.5)
    check_size((96, 64), limits)
    assert read_picture(encode(scene(), "PNG"), limits).size == (96, 64)
    for size, code in (((97, 64), "pixels"), ((96, 63), "small")):
        with pytest.raises(PictureError) as caught:
            check_size(size, limits)
        assert caught.value.code == code


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated(format: str, part: float) -> None:
    noise = Image.effect_noise((160, 120), 60).convert("RGB")
    data = encode(noise, format)
    with pytest.raises(PictureError) as caught:
        read_picture(data[: int(len(data) * part)])
    assert caught.value.code in {"truncated", "damaged", "format"}
    if format in {"JPEG", "BMP"} or (format == "PNG" and part > 0.5):
        assert caught.value.code == "truncated", str(caught.value)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_flipped_bytes_never_raise_anything_else(format: str) -> None:
    data = encode(scene(), format)
    random = np.random.default_rng(7)
    limits = Limits(max_pixels=1_000_000)
    outcomes = set()
    for _ in range(60):
        broken = bytearray(data)
        for at in random.integers(0, len(data), 6):
            broken[at] = int(random.integers(0, 256))
        try:
            picture = read_picture(bytes(broken), limits)
            assert picture.mode == "RGB"
            outcomes.add("read")
        except PictureError:
            outcomes.add("refused")
    assert "refused" in outcomes or format == "BMP"


# -- writing and scaling -------------------------------------------------------------------------------------


def test_png_is_lossless_and_jpeg_is_close() -> None:
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(to_png(scene())))), np.asarray(scene()))
    jpeg = Image.open(io.BytesIO(to_jpeg(scene())))
    assert jpeg.format == "JPEG"
    assert np.abs(np.asarray(jpeg, int) - np.asarray(scene(), int)).mean() < 3


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize(
    "size", [(16, 16), (17, 333), (64, 64), (320, 320), (701, 512), (1600, 1200), (4096, 64)]
)
def test_noise_of_every_size_is_written(size: tuple[int, int]) -> None:
    for quality in (50, 92, 95):
        assert Image.open(io.BytesIO(to_jpeg(noise(*size), quality))).size == size
    for data in (to_png(noise(*size)), to_webp(noise(*size))):
        assert np.array_equal(
            np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), np.asarray(noise(*size))
        )


@pytest.mark.parametrize("size", [(512, 512), (701, 512), (1, 300_000), (2048, 1365)])
def test_large_pictures_are_written_fast_and_whole(size: tuple[int, int]) -> None:
    assert png.is_for(noise(*size)), "isal is installed"
    for picture in (noise(*size), scene(2, 2).resize(size), Image.new("RGB", size, (9, 8, 7))):
        data = to_png(picture)
        again = Image.open(io.BytesIO(data))
        assert again.mode == "RGB"
        assert np.array_equal(np.asarray(again), np.asarray(picture))
        slow = encode(picture, "PNG", compress_level=3)
        assert len(data) < 1.3 * len(slow) + 100_000, "a file of a few kilobytes may double"
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    assert Image.open(io.BytesIO(to_png(noise(*size), exif.tobytes()))).getexif()[0x010F] == "Maker"


def test_without_its_library_pillow_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "isal_zlib", None)
    picture = noise(600, 500)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(to_png(picture)))), np.asarray(picture))


def test_what_cannot_be_written_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PictureError, match="choose PNG") as caught:
        to_webp(Image.new("RGB", (20_000, 4)))
    assert caught.value.code == "write"

    def broken(*_: object, **__: object) -> None:
        raise OSError("broken data stream when writing image file")

    monkeypatch.setattr(Image.Image, "save", broken)
    for write in (to_png, to_jpeg, to_webp):
        with pytest.raises(PictureError):
            write(scene())


def test_written_pictures_are_marked_as_srgb() -> None:
    assert b"sRGB\0" in to_png(scene())[:100]
    for data in (to_jpeg(scene()), to_webp(scene())):
        profile = Image.open(io.BytesIO(data)).info["icc_profile"]
        assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).startswith(
            "sRGB"
        )
    for data in (to_png(scene()), to_webp(scene())):
        assert np.array_equal(np.asarray(read_picture(data)), np.asarray(scene()))


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((96, 64), 48, (48, 32)),
        ((64, 96), 192, (128, 192)),
        ((1000, 3), 100, (100, 1)),
        ((96, 64), 96, (96, 64)),
    ],
)
def test_resize_longest(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    original = Image.new("RGB", size)
    result = resize_longest(original, side)
    assert result.size == expected
    assert result is not original


def test_thumbnail_never_enlarges() -> None:
    original = scene()
    assert thumbnail(original, 500).size == (96, 64)
    assert thumbnail(original, 24).size == (24, 16)
    assert original.size == (96, 64)


def test_picture_files(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.heic", "notes.txt", ".hidden.png", "d.eps"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in picture_files(tmp_path)] == ["a.png", "b.JPG", "c.heic"]
