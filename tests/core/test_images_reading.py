"""Every kind of good picture must come out right: orientation, depth, transparency, colour profiles."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from core.images import (
    FORMATS,
    read_picture,
    to_jpeg,
    to_png,
)
from tests.core.pictures import encode, png_chunk, scene

# -- what must come out right --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "options", "tolerance"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}, 4),
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("HEIF", {"quality": 95}, 8),
        ("AVIF", {"quality": 95}, 8),
    ],
)
def test_formats(format: str, options: dict[str, object], tolerance: int) -> None:
    assert format in FORMATS
    result = read_picture(encode(scene(), format, **options))
    assert result.mode == "RGB"
    assert result.size == (96, 64)
    difference = np.abs(np.asarray(result, int) - np.asarray(scene(), int))
    assert np.percentile(difference, 99) <= tolerance


def test_sources(tmp_path: Path) -> None:
    data = encode(scene(), "PNG")
    (tmp_path / "scene.png").write_bytes(data)
    with open(tmp_path / "scene.png", "rb") as file:
        pictures = [
            read_picture(source)
            for source in (data, tmp_path / "scene.png", str(tmp_path / "scene.png"), file)
        ]
    assert all(np.array_equal(np.asarray(picture), np.asarray(scene())) for picture in pictures)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(format: str, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = scene().transpose(undo[orientation]) if orientation > 1 else scene()
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {"quality": 95} if format != "TIFF" else {}
    # Given as bytes, the HEIF encoder also writes the rotation into the container, as phones do.
    result = read_picture(encode(stored, format, exif=exif.tobytes(), **options))
    assert result.size == (96, 64)
    assert np.abs(np.asarray(result, int) - np.asarray(scene(), int)).mean() < 4


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_is_ignored() -> None:
    data = encode(scene(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff" + b"\x99" * 40)
    assert read_picture(data).size == (96, 64)


def test_metadata_does_not_travel() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "secret place")
    for data in (
        encode(scene(), "JPEG", exif=exif, comment=b"secret place"),
        encode(scene(), "PNG", exif=exif, pnginfo=info),
    ):
        result = read_picture(data)
        assert result.info == {}
        for out in (to_png(result), to_jpeg(result)):
            assert b"secret place" not in out
            assert b"taken at home" not in out
            assert b"Exif" not in out


def test_16_bit_grey_is_scaled() -> None:
    ramp = np.linspace(0, 65_535, 96 * 64).reshape(64, 96).astype(np.uint16)
    for format in ("PNG", "TIFF"):
        result = np.asarray(read_picture(encode(Image.fromarray(ramp), format)))
        assert abs(result.mean() - 127.5) < 1
        assert result.min() == 0
        assert result.max() == 255
        assert np.abs(result[..., 0].astype(float) - ramp / 257).max() <= 0.5 + 1e-3


def test_16_bit_rgb_is_scaled() -> None:
    pixels = (np.asarray(scene(), np.uint16) * 257).astype(">u2")
    rows = b"".join(b"\x00" + row.tobytes() for row in pixels)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 96, 64, 16, 2, 0, 0, 0))
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )
    assert np.array_equal(np.asarray(read_picture(data)), np.asarray(scene()))


@pytest.mark.parametrize(
    ("values", "white"),
    [
        (np.linspace(0, 1, 64 * 96, dtype=np.float32), 1.0),
        (np.linspace(0, 255, 64 * 96, dtype=np.float32), 255.0),
        (np.linspace(0, 65_000, 64 * 96).astype(np.int32), 65_535.0),
    ],
)
def test_float_and_wide_integer_tiff(values: np.ndarray, white: float) -> None:
    grey = values.reshape(64, 96)
    result = np.asarray(read_picture(encode(Image.fromarray(grey), "TIFF")), float)[..., 0]
    assert np.abs(result - grey * 255.0 / white).max() <= 0.51


def test_float_tiff_with_nan_and_range_of_its_own() -> None:
    grey = np.linspace(-3, 5, 64 * 96, dtype=np.float32).reshape(64, 96)
    grey[0, 1], grey[0, 2] = np.nan, np.inf
    result = np.asarray(read_picture(encode(Image.fromarray(grey), "TIFF")), float)[..., 0]
    assert result[0, 0] == 0
    assert result[0, 1] == 0
    assert result[0, 2] == 255
    assert result[-1, -1] == 255
    assert abs(result.mean() - 127.5) < 1


def test_grey_one_bit_and_palette() -> None:
    grey = scene().convert("L")
    assert np.array_equal(np.asarray(read_picture(encode(grey, "PNG")))[..., 2], np.asarray(grey))
    bilevel = np.asarray(read_picture(encode(grey.convert("1"), "PNG")))
    assert set(np.unique(bilevel)) == {0, 255}
    palette = scene().quantize(64)
    assert np.array_equal(
        np.asarray(read_picture(encode(palette, "PNG"))), np.asarray(palette.convert("RGB"))
    )


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_flattened_on_white(format: str) -> None:
    picture = Image.new("RGBA", (40, 40), (200, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 20, 40))
    picture.paste((0, 0, 0, 128), (20, 20, 40, 40))
    result = read_picture(encode(picture, format, **({"lossless": True} if format == "WEBP" else {})))
    assert result.getpixel((5, 5)) == (0, 0, 255)
    assert result.getpixel((30, 5)) == (255, 255, 255)
    assert all(abs(value - 127) <= 1 for value in result.getpixel((30, 30)))


def test_transparent_palette_and_grey_alpha() -> None:
    palette = Image.new("P", (40, 40), 1)
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.paste(0, (0, 0, 20, 40))
    result = read_picture(encode(palette, "PNG", transparency=0))
    assert result.getpixel((5, 5)) == (255, 255, 255)
    assert result.getpixel((30, 5)) == (200, 100, 50)
    grey = Image.new("LA", (40, 40), (0, 0))
    assert read_picture(encode(grey, "PNG")).getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_animation_gives_its_first_frame(format: str) -> None:
    frames = [Image.new("RGB", (48, 32), color) for color in ("red", "lime", "blue")]
    result = read_picture(encode(frames[0], format, save_all=True, append_images=frames[1:]))
    red, green, blue = result.getpixel((20, 10))
    assert red > 230
    assert green < 30
    assert blue < 30


def test_cmyk_without_profile() -> None:
    picture = Image.merge("CMYK", [Image.new("L", (32, 32), value) for value in (0, 255, 255, 0)])
    for format in ("JPEG", "TIFF"):
        red, green, blue = read_picture(encode(picture, format)).getpixel((9, 9))
        assert red > 240
        assert green < 15
        assert blue < 15


# -- colour profiles, built here: no file of somebody else is needed ----------------------------------------


def s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65_536))


def rgb_profile(primaries: list[tuple[float, float, float]], gamma: float, name: str) -> bytes:
    """A version 2 matrix profile: XYZ (D50) of red, green and blue, one gamma."""
    text = name.encode() + b"\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    xyz = [b"XYZ \0\0\0\0" + b"".join(s15(value) for value in column) for column in primaries]
    white = b"XYZ \0\0\0\0" + s15(0.9642) + s15(1.0) + s15(0.8249)
    tags = [(b"desc", description), (b"wtpt", white), (b"rXYZ", xyz[0]), (b"gXYZ", xyz[1]), (b"bXYZ", xyz[2])]
    tags += [(b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve)]
    return assemble_profile(b"mntr", b"RGB ", b"XYZ ", tags)


def assemble_profile(kind: bytes, space: bytes, connection: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for signature, data in tags:
        data += bytes(-len(data) % 4)
        table += signature + struct.pack(">II", offset + len(body), len(data))
        body += data
    header = bytearray(128)
    header[0:4] = struct.pack(">I", offset + len(body))
    header[8:12] = b"\x02\x40\x00\x00"
    header[12:16], header[16:20], header[20:24] = kind, space, connection
    header[36:40] = b"acsp"
    header[68:80] = s15(0.9642) + s15(1.0) + s15(0.8249)
    return bytes(header) + table + body


ADOBE_RGB = rgb_profile(
    [(0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)], 2.2, "Wide"
)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_wide_gamut_goes_through_its_profile(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {} if format in ("PNG", "TIFF") else {"quality": 95}
    muted = Image.new("RGB", (48, 48), (150, 100, 80))
    red, green, blue = read_picture(encode(muted, format, icc_profile=ADOBE_RGB, **options)).getpixel(
        (20, 20)
    )
    # Adobe RGB (150, 100, 80) is a stronger red in sRGB, about (168, 100, 78).
    assert abs(red - 168) <= 4
    assert abs(green - 100) <= 4
    assert abs(blue - 78) <= 4


def test_alpha_survives_the_profile() -> None:
    picture = Image.new("RGBA", (40, 40), (150, 100, 80, 255))
    picture.putpixel((0, 0), (0, 0, 0, 0))
    result = read_picture(encode(picture, "PNG", icc_profile=ADOBE_RGB))
    assert result.getpixel((0, 0)) == (255, 255, 255)
    assert result.getpixel((9, 9))[0] > 160


def test_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(
        np.asarray(read_picture(encode(scene(), "PNG", icc_profile=profile))), np.asarray(scene())
    )


@pytest.mark.parametrize("profile", [b"garbage", ADOBE_RGB[:200], ADOBE_RGB.replace(b"RGB ", b"GRAY")])
def test_broken_or_unfitting_profile_counts_as_none(profile: bytes) -> None:
    result = read_picture(encode(scene(), "PNG", icc_profile=profile))
    assert np.array_equal(np.asarray(result), np.asarray(scene()))


def cmyk_profile() -> bytes:
    """A printer profile with a 2⁴ table (lut8, to Lab): paper is a warm cream, full magenta a dark red."""
    entries = bytearray()
    for cyan in (0, 1):
        for magenta in (0, 1):
            for yellow in (0, 1):
                for key in (0, 1):
                    light = 0 if key else 235 - 70 * cyan - 90 * magenta - 10 * yellow
                    a = 128 - 30 * cyan + 70 * magenta
                    b = 138 - 40 * cyan - 10 * magenta + 70 * yellow
                    entries += bytes(
                        (max(0, light), 128 if key else min(a, 255), 128 if key else min(b, 255))
                    )
    identity = b"".join(s15(float(i == j)) for i in range(3) for j in range(3))
    ramp = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + identity + ramp * 4 + bytes(entries) + ramp * 3
    text = b"Test press\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    white = b"XYZ \0\0\0\0" + s15(0.9642) + s15(1.0) + s15(0.8249)
    return assemble_profile(
        b"prtr", b"CMYK", b"Lab ", [(b"desc", description), (b"wtpt", white), (b"A2B0", lut), (b"A2B1", lut)]
    )


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_profile(format: str) -> None:
    magenta = Image.merge("CMYK", [Image.new("L", (32, 32), value) for value in (0, 255, 0, 0)])
    plain = read_picture(encode(magenta, format)).getpixel((9, 9))
    printed = read_picture(encode(magenta, format, icc_profile=cmyk_profile())).getpixel((9, 9))
    assert plain[2] > 200, "without a profile magenta is (255, 0, 255)"
    assert printed[0] > printed[2] + 40, printed
    assert printed[2] < 180, printed


def test_lab_tiff() -> None:
    lab = ImageCms.profileToProfile(
        scene(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    result = read_picture(encode(lab, "TIFF"))
    assert np.abs(np.asarray(result, int) - np.asarray(scene(), int)).mean() < 4
