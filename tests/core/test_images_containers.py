"""Files whose first picture is not the picture, HDR, gamma, ends that are missing, and work out of proportion."""

from __future__ import annotations

import importlib.util
import io
import struct
import sys
import zlib

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from core.errors import PictureError
from core.images import Limits, hdr, photo_metadata, read_picture, tiff
from core.images.headers import box_coding, profile_coding, read_jpeg, webp_size
from tests.core.pictures import encode, png_bomb, png_chunk, png_with, scene, tiff_file


def refused(data: bytes, code: str, limits: Limits | None = None) -> str:
    with pytest.raises(PictureError) as caught:
        read_picture(data, limits or Limits())
    assert caught.value.code == code, str(caught.value)
    assert str(caught.value).endswith(".")
    return str(caught.value)


def read_or_code(data: bytes) -> Image.Image | str:
    try:
        return read_picture(data)
    except PictureError as error:
        return error.code


def difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, int) - np.asarray(other, int)).mean())


# -- TIFF and camera raw -------------------------------------------------------------------------------------

THUMB, FULL = scene(48, 32), scene(192, 128)


@pytest.mark.parametrize(
    "data",
    [
        tiff_file((THUMB, {254: 1}), (FULL, {254: 0})),
        tiff_file((THUMB, {255: 2}), (FULL, {255: 1})),
        tiff_file((THUMB, {}), (FULL, {})),
        tiff_file((scene(60, 60), {}), (FULL, {})),  # a thumbnail on a square of its own
        tiff_file((THUMB, {254: 1}), (FULL, {254: 0}), below=True),
        tiff_file((THUMB, {254: 1}), (scene(96, 64), {254: 1}), (FULL, {}), below=True),
        tiff_file((FULL, {}), (scene(96, 64), {254: 1}), (THUMB, {254: 1})),  # a pyramid
    ],
)
def test_the_main_picture_of_a_tiff_is_read(data: bytes) -> None:
    assert np.array_equal(np.asarray(read_picture(data)), np.asarray(FULL))


def test_of_a_document_the_first_page_is_read() -> None:
    first = scene(400, 500)
    for other in (scene(500, 400), scene(400, 500), scene(420, 600)):
        assert np.array_equal(
            np.asarray(read_picture(tiff_file((first, {}), (other, {})))), np.asarray(first)
        )


@pytest.mark.parametrize("below", [True, False])
def test_raw_files_are_never_painted_as_their_thumbnail(below: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    sensor = scene(192, 128).convert("L")
    data = tiff_file((THUMB, {254: 1}), (sensor, {254: 0, 262: 32803}), below=below)
    monkeypatch.setitem(sys.modules, "rawpy", None)
    assert "export" in refused(data, "raw")


@pytest.mark.parametrize(
    "head", [b"FUJIFILMCCD-RAW 0201", b"IIRO\x08\0\0\0", b"IIU\0\x18\0\0\0", b"\0\0\0\x18ftypcrx \0\0\0\1"]
)
def test_raw_files_of_other_makes_are_named(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    assert "raw" in refused(head + bytes(4000), "raw")
    monkeypatch.undo()
    assert "raw" in refused(head + bytes(4000), "raw"), "LibRaw cannot read it either"


@pytest.mark.skipif(importlib.util.find_spec("rawpy") is None, reason="needs the extra 'raw'")
def test_raw_files_are_developed_in_full_size() -> None:
    pattern = np.random.default_rng(1).integers(200, 4000, (240, 320), np.uint16)
    data = dng(pattern)
    assert tiff.is_raw(data)
    assert read_picture(data).size == (320, 240)
    refused(data, "pixels", Limits(max_pixels=10_000))
    refused(data[:-90_000], "raw")


def dng(pattern: np.ndarray) -> bytes:
    """The least a DNG of a sensor with a Bayer pattern can be, behind a thumbnail."""
    height, width = pattern.shape
    pixels = pattern.astype("<u2").tobytes()
    thumb = THUMB.tobytes()
    sub, data_at = 1024, 2048
    thumb_at = data_at + len(pixels)
    matrix = b"".join(
        struct.pack("<ii", value, 10_000) for value in (10_000, 0, 0, 0, 10_000, 0, 0, 0, 10_000)
    )
    own = [(254, 4, 1, 1), (256, 3, 1, 48), (257, 3, 1, 32), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2)]
    own += [
        (271, 2, 5, b"Test\0"),
        (272, 2, 5, b"Test\0"),
        (273, 4, 1, thumb_at),
        (277, 3, 1, 3),
        (278, 3, 1, 32),
    ]
    own += [(279, 4, 1, len(thumb)), (330, 4, 1, sub), (50706, 1, 4, b"\1\4\0\0"), (50721, 10, 9, matrix)]
    raw = [(254, 4, 1, 0), (256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 16), (259, 3, 1, 1)]
    raw += [
        (262, 3, 1, 32803),
        (273, 4, 1, data_at),
        (277, 3, 1, 1),
        (278, 3, 1, height),
        (279, 4, 1, len(pixels)),
    ]
    raw += [(33421, 3, 2, b"\2\0\2\0"), (33422, 1, 4, b"\0\1\1\2")]
    out = b"II*\0" + struct.pack("<I", 8)
    for at, entries in ((8, own), (sub, raw)):
        out = out.ljust(at, b"\0") + struct.pack("<H", len(entries))
        extra, tail = at + 2 + 12 * len(entries) + 4, b""
        for tag, kind, count, value in entries:
            value = value if isinstance(value, bytes) else struct.pack("<I", value)
            if len(value) > 4:
                tail, value = tail + value, struct.pack("<I", extra + len(tail))
            out += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
        out += struct.pack("<I", 0) + tail
    return out.ljust(data_at, b"\0") + pixels + thumb


def test_directories_that_claim_more_than_the_file_are_refused() -> None:
    data = tiff_file((scene(), {}))
    many = [struct.pack("<HHII", 60_000 + i, 7, 10_000, 8) for i in range(500)]
    bomb = (
        b"II*\0"
        + struct.pack("<I", len(data))
        + data[8:]
        + struct.pack("<H", 500)
        + b"".join(many)
        + bytes(4)
    )
    refused(bomb, "damaged")
    loop = data[:4] + struct.pack("<I", 8) + struct.pack("<H", 0) + struct.pack("<I", 8)
    with pytest.raises(PictureError):
        read_picture(loop)


def test_the_primary_picture_of_a_heic_is_read() -> None:
    file = pillow_heif.HeifFile()
    file.add_from_pillow(scene(96, 64).transpose(Image.Transpose.ROTATE_180))
    file.add_from_pillow(scene(192, 128))
    out = io.BytesIO()
    file.save(out, quality=95, primary_index=1)
    assert difference(read_picture(out.getvalue()), scene(192, 128)) < 4


def test_a_stereo_pair_gives_its_first_picture() -> None:
    other = scene().transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    data = encode(scene(), "MPO", save_all=True, append_images=[other], quality=95)
    assert difference(read_picture(data), scene()) < 4


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"\xff\x0a" + bytes(60), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "JPEG XL"),
        (b"\0\0\1\0\1\0" + bytes(60), "icon"),
        (b"gimp xcf v011" + bytes(60), "GIMP"),
        (b"<!DOCTYPE html><html>", "web page"),
    ],
)
def test_more_foreign_files_are_named(data: bytes, word: str) -> None:
    assert word in refused(data, "format")


# -- HDR, gamma, primaries -----------------------------------------------------------------------------------

TO_2020 = np.linalg.inv(hdr.between(((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), (0.3127, 0.3290))))


def linear(image: Image.Image) -> np.ndarray:
    values = np.asarray(image, np.float32) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def as_pq(light: np.ndarray) -> Image.Image:
    """Linear sRGB light, 1 the reference white, as PQ in BT.2020."""
    values = hdr.pq_values(np.clip(light @ TO_2020.T, 0, None) * hdr.WHITE_NITS)
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def as_hlg(light: np.ndarray) -> Image.Image:
    """The same as HLG on a display of 1000 cd/m²."""
    shown = np.clip(light @ TO_2020.T, 0, None) * hdr.WHITE_NITS / 1000
    luma = np.maximum(shown @ np.array([0.2627, 0.6780, 0.0593]), 1e-9)[..., None]
    scene_light = shown * luma ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    values = np.where(
        scene_light <= 1 / 12,
        np.sqrt(3 * scene_light),
        a * np.log(np.maximum(12 * scene_light - b, 1e-9)) + c,
    )
    return Image.fromarray(np.rint(values.clip(0, 1) * 255).astype(np.uint8))


def cicp(primaries: int, transfer: int) -> tuple[bytes, bytes]:
    return b"cICP", bytes((primaries, transfer, 0, 1))


@pytest.mark.parametrize(("coded", "transfer"), [(as_pq, 16), (as_hlg, 18)])
def test_hdr_without_highlights_looks_as_it_did(coded: object, transfer: int) -> None:
    original = scene()
    picture = coded(linear(original))  # type: ignore[operator]
    png = png_with(encode(picture, "PNG"), cicp(9, transfer))
    assert difference(read_picture(encode(picture, "PNG")), original) > 20, "grey without the code points"
    assert difference(read_picture(png), original) < 3
    heic = io.BytesIO()
    wide = (np.asarray(picture, np.uint16) << 8).astype("<u2").tobytes()
    pillow_heif.from_bytes("RGB;16", picture.size, wide).save(
        heic,
        quality=95,
        chroma=444,
        color_primaries=9,
        transfer_characteristics=transfer,
        matrix_coefficients=9,
        full_range_flag=1,
    )
    assert difference(read_picture(heic.getvalue()), original) < 6


@pytest.mark.parametrize(("coded", "transfer"), [(as_pq, 16), (as_hlg, 18)])
def test_highlights_are_rolled_off_in_order(coded: object, transfer: int) -> None:
    ramp = np.linspace(0, 4.5, 256, dtype=np.float32)[None, :, None] * np.ones((32, 1, 3), np.float32)
    ramp = ramp * np.array([1.0, 0.8, 0.6], np.float32)
    png = png_with(encode(coded(ramp), "PNG"), cicp(9, transfer))  # type: ignore[operator]
    result = np.asarray(read_picture(png), float)[16]
    assert np.all(np.diff(result[:, 0]) >= -3), "never darker again, but for PQ's 8 bits"
    assert 0.35 < (result[:, 0] < 250).mean() < 0.95, "highlights keep their order"
    assert result[-1, 0] > 245
    assert result[60, 0] > 230 * 0.8, "what is darker than the reference white keeps most of its light"
    bright = linear(Image.fromarray(result[None, 200:].astype(np.uint8)))[0]
    assert np.abs(bright[:, 2] / bright[:, 0] - 0.6).max() < 0.08, "hues stay"


def test_wide_primaries_by_code_points_alone() -> None:
    p3 = np.linalg.inv(hdr.between(((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.3127, 0.3290))))
    light = (linear(scene()) @ p3.T).clip(0, 1)
    values = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    picture = Image.fromarray(np.rint(values * 255).astype(np.uint8))
    assert difference(read_picture(png_with(encode(picture, "PNG"), cicp(12, 13))), scene()) < 1.5
    assert difference(read_picture(encode(picture, "PNG")), scene()) > 3


def test_code_points_of_srgb_change_nothing() -> None:
    for primaries, transfer in ((1, 13), (1, 1), (2, 2), (6, 6)):
        data = png_with(encode(scene(), "PNG"), cicp(primaries, transfer))
        assert np.array_equal(np.asarray(read_picture(data)), np.asarray(scene()))


def test_code_points_are_found_in_avif_and_in_profiles() -> None:
    data = encode(scene(), "AVIF")
    assert box_coding(data) == (1, 13)
    at = data.index(b"nclx")
    hdr_avif = data[: at + 4] + struct.pack(">HH", 9, 16) + data[at + 8 :]
    assert box_coding(hdr_avif) == (9, 16)
    assert difference(read_picture(hdr_avif), scene()) > 20
    assert box_coding(b"\0" * 100) is None
    profile = bytes(128) + struct.pack(">I4sII", 1, b"cicp", 144, 12) + b"cicp\0\0\0\0" + bytes((9, 16, 0, 1))
    assert profile_coding(profile) == (9, 16)
    assert profile_coding(b"short") is None


SRGB_CHRM = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
@pytest.mark.parametrize(("gamma", "exponent"), [(100_000, 1.0), (55_556, 1.8)])
def test_png_gamma_is_heeded(mode: str, gamma: int, exponent: float) -> None:
    dark = Image.fromarray(np.rint(linear(scene()) ** (1 / exponent) * 255).astype(np.uint8))
    picture = dark.convert("L") if mode == "L" else dark.quantize(256) if mode == "P" else dark
    plain = encode(picture, "PNG")
    marked = png_with(plain, (b"gAMA", struct.pack(">I", gamma)))
    expected = linear_grey(dark, exponent) if mode == "L" else scene()
    assert difference(read_picture(marked), expected) < (12 if mode == "P" else 2.5)
    srgb = png_with(plain, (b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", gamma)))
    assert np.array_equal(np.asarray(read_picture(srgb)), np.asarray(read_picture(plain))), "sRGB comes first"


def linear_grey(dark: Image.Image, exponent: float) -> Image.Image:
    light = (np.asarray(dark.convert("L"), np.float32) / 255) ** exponent
    values = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return Image.fromarray(np.rint(values * 255).astype(np.uint8)).convert("RGB")


def test_usual_gamma_and_chromaticities_change_nothing() -> None:
    data = png_with(encode(scene(), "PNG"), (b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", SRGB_CHRM))
    assert np.array_equal(np.asarray(read_picture(data)), np.asarray(scene()))
    for broken in (bytes(32), b"\xff" * 32):
        assert read_picture(png_with(encode(scene(), "PNG"), (b"cHRM", broken))).size == (96, 64)


def test_twelve_bits_in_sixteen_are_scaled() -> None:
    grey = np.linspace(0, 4095, 96 * 64).reshape(64, 96).astype(np.uint16)
    result = np.asarray(read_picture(encode(Image.fromarray(grey), "TIFF")), float)[..., 0]
    assert np.abs(result - grey / 4095 * 255).max() <= 0.51


# -- the ends of JPEG files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}]
)
def test_a_jpeg_that_lacks_only_its_end_marker_is_read(options: dict[str, object]) -> None:
    noisy = Image.effect_noise((150, 90), 60).convert("RGB")
    data = encode(noisy, "JPEG", quality=90, **options)
    assert data.endswith(b"\xff\xd9")
    whole = np.asarray(read_picture(data))
    for shortened in (data[:-2], data[:-1]):
        assert np.array_equal(np.asarray(read_picture(shortened)), whole)
    for cut in (3, 4, 5, 8, 20, 200, 2000):
        outcome = read_or_code(data[:-cut])
        assert outcome == "truncated" or (cut < 8 and np.array_equal(np.asarray(outcome), whole)), cut
    refused(data[: len(data) // 2] + bytes(5000), "truncated")


def test_a_progressive_jpeg_without_its_last_scans_is_cut_off() -> None:
    data = encode(Image.effect_noise((150, 90), 60).convert("RGB"), "JPEG", quality=90, progressive=True)
    last = data.rindex(b"\xff\xda")
    refused(data[:last], "truncated")


# -- work ----------------------------------------------------------------------------------------------------


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times more."""
    data = encode(scene(256, 256), "JPEG", progressive=True, quality=60)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * count + b"\xff\xd9"


def test_scans_are_counted_before_anything_is_decoded() -> None:
    ordinary = read_jpeg(encode(scene(), "JPEG", progressive=True), 100)
    assert ordinary is not None
    assert ordinary.ended
    assert 6 <= ordinary.scans <= 12
    assert "takes too long" in refused(many_scans(1200), "work")
    assert read_picture(many_scans(40)).size == (256, 256)


def test_a_webp_is_refused_by_its_header() -> None:
    data = encode(scene(), "WEBP", lossless=True)
    assert webp_size(data) == (96, 64)
    assert webp_size(encode(scene(), "WEBP")) == (96, 64)
    extended = encode(scene(), "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")
    assert webp_size(extended) == (96, 64)
    at = extended.index(b"VP8X") + 12
    bomb = extended[:at] + (16_382).to_bytes(3, "little") * 2 + extended[at + 6 :]
    assert "16383 × 16383" in refused(bomb, "pixels")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
@pytest.mark.parametrize("side", [40, 100, 640, 5000])
def test_reading_small_equals_reading_and_scaling(format: str, side: int) -> None:
    options = {"quality": 95} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = scene(1000, 640)
    data = (
        encode(picture, format, **options)
        if format == "GIF"
        else encode(picture, format, exif=exif, **options)
    )
    whole = read_picture(data)
    small = read_picture(data, side=side)
    assert max(small.size) == min(side, 1000)
    assert abs(small.width * whole.height - small.height * whole.width) <= max(whole.size)
    assert difference(small, whole.resize(small.size, Image.Resampling.LANCZOS)) < 2.5


def test_strips_join_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = scene(300, 200)
    whole = [np.asarray(read_picture(encode(picture, "PNG"), side=side)) for side in (300, 37)]
    monkeypatch.setattr("core.images.color.STRIP_PIXELS", 5000)
    for side, before in zip((300, 37), whole, strict=True):
        assert np.array_equal(np.asarray(read_picture(encode(picture, "PNG"), side=side)), before)


def test_interlaced_and_empty_chunks() -> None:
    data = png_bomb(3000, 2000)
    assert read_picture(data, side=64).size == (64, 43)
    chunks = png_with(encode(scene(), "PNG"), *[(b"tEXt", b"a\0b")] * 5000)
    assert np.array_equal(np.asarray(read_picture(chunks)), np.asarray(scene()))
    profile = png_chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(300_000_000)))
    good = encode(scene(), "PNG")
    refused(good[:33] + profile + good[33:], "damaged")


# -- metadata ------------------------------------------------------------------------------------------------


def test_date_and_camera_are_kept_and_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Model 5"
    exif[0x013B], exif[0x010E] = "Secret Artist", "secret words"
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)}
    exif[0x8769] = {0x9003: "2026:03:04 05:06:07", 0x9011: "+01:00", 0xA431: "secret serial", 0xA434: "50 mm"}
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF"):
        kept = photo_metadata(encode(scene(), format, exif=exif.tobytes()))
        assert kept is not None
        assert b"ecret" not in kept
        found = Image.Exif()
        found.load(kept)
        assert dict(found) == {0x010F: "Maker", 0x0110: "Model 5", 0x8769: found[0x8769]}
        assert found.get_ifd(0x8769) == {
            0x9003: "2026:03:04 05:06:07",
            0x9011: "+01:00",
            0xA434: "50 mm",
        }
    assert photo_metadata(encode(scene(), "PNG")) is None
    assert photo_metadata(b"nothing") is None
