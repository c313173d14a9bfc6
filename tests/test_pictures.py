"""A reader's own file becomes pixels, or one sentence."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from mp3lib.data import read_picture
from mp3lib.data.pictures import kinds

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(mode="RGB", side=64):
    """Red, green, blue and white, from the top left."""
    image = Image.new("RGB", (side, side))
    for spot, colour in zip(((0, 0), (1, 0), (0, 1), (1, 1)), (RED, GREEN, BLUE, WHITE), strict=True):
        image.paste(
            colour, (spot[0] * side // 2, spot[1] * side // 2, (spot[0] + 1) * side // 2, (spot[1] + 1) * side // 2)
        )
    return image.convert(mode)


def saved(image, form, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def corners(pixels) -> list:
    h, w = pixels.shape[1:]
    return [pixels[:, y, x].tolist() for y in (h // 8, -h // 8) for x in (w // 8, -w // 8)]


def near(colours, expected, tolerance=40):
    assert np.abs(np.array(colours, int) - np.array(expected, int)).max() <= tolerance, (colours, expected)


FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "TGA", "ICO", "JPEG2000", "PCX", "DIB", "SGI"]


@pytest.mark.parametrize("form", FORMATS)
def test_formats(form):
    pixels = read_picture(saved(quarters(), form), 32)
    assert pixels.shape == (3, 32, 32) and pixels.dtype == torch.uint8 and pixels.is_contiguous()
    near(corners(pixels), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize(
    "mode, form",
    [("P", "PNG"), ("CMYK", "TIFF"), ("CMYK", "JPEG"), ("RGBA", "WEBP"), ("LAB", "TIFF"), ("YCbCr", "TIFF")],
)
def test_modes(mode, form):
    image = quarters() if mode == "LAB" else quarters(mode)
    if mode == "LAB":
        from PIL import ImageCms

        image = ImageCms.profileToProfile(
            image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    options = {"compression": "tiff_lzw"} if mode == "YCbCr" else {}  # before Pillow 13 it needs one
    near(corners(read_picture(saved(image, form, **options), 32)), [RED, GREEN, BLUE, WHITE], 60)


@pytest.mark.parametrize("size", [32, (24, 48), (1, 1), (300, 200)])
@pytest.mark.parametrize("side", [1, 7, 32, 500])
def test_any_size_to_any_size(side, size):
    height, width = (size, size) if isinstance(size, int) else size
    assert read_picture(saved(quarters(side=side), "PNG"), size).shape == (3, height, width)


def test_cropped_about_the_centre():
    wide = Image.new("RGB", (300, 100), RED)
    wide.paste(GREEN, (100, 0, 200, 100))
    assert (read_picture(saved(wide, "PNG"), 10)[:, :, 3:-3] == torch.tensor(GREEN)[:, None, None]).all()
    assert read_picture(saved(wide, "PNG"), (10, 30))[:, 5, 0].tolist() == list(RED)


def test_the_same_size_is_exact():
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert (read_picture(saved(Image.fromarray(noise), "PNG")).numpy() == noise.transpose(2, 0, 1)).all()


@pytest.mark.parametrize("turn, first", [(1, RED), (2, GREEN), (3, WHITE), (4, BLUE), (6, BLUE), (8, GREEN)])
def test_orientation_of_the_camera(turn, first):
    exif = Image.Exif()
    exif[0x0112] = turn
    near(corners(read_picture(saved(quarters(), "JPEG", exif=exif), 32))[0], first)


def test_transparent_becomes_white_and_half_transparent_half():
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 32, 32))
    image.paste((0, 0, 0, 128), (32, 0, 64, 32))
    for form in ("PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if form == "WEBP" else {}
        near(corners(read_picture(saved(image, form, **options), 32)), [(0,) * 3, (127,) * 3, WHITE, WHITE], 3)
    palette = quarters("P")
    one_transparent = saved(palette, "PNG", transparency=palette.getpixel((1, 1)))
    near(corners(read_picture(one_transparent, 32)), [WHITE, GREEN, BLUE, WHITE])
    grey = saved(Image.new("LA", (8, 8), (0, 0)), "PNG")
    near(corners(read_picture(grey, 8)), [WHITE] * 4)


def test_grey_of_every_depth_is_the_same_ramp():
    ramp = np.linspace(0, 1, 64 * 64).reshape(64, 64)
    files = {
        "1 byte": saved(Image.fromarray((255 * ramp).astype(np.uint8)), "PNG"),
        "2 bytes": saved(Image.fromarray((65535 * ramp).astype(np.uint16)), "PNG"),
        "2 bytes, tiff": saved(Image.fromarray((65535 * ramp).astype(np.uint16)), "TIFF"),
        "4 bytes": saved(Image.fromarray((2e9 * ramp).astype(np.int32)), "TIFF"),
        "fractions": saved(Image.fromarray(ramp.astype(np.float32)), "TIFF"),
        "any floats": saved(Image.fromarray((-7 + 90_000 * ramp).astype(np.float32)), "TIFF"),
    }
    first = read_picture(files["1 byte"], 64).int()
    assert first[0, 0, 0] == 0 and first[0, -1, -1] == 255
    for name, file in files.items():
        assert (read_picture(file, 64).int() - first).abs().max() <= 1, name
    holes = ramp.astype(np.float32)
    holes[:8] = np.nan
    with pytest.raises(ValueError, match="^The picture holds values that are not finite: replace them.$"):
        read_picture(saved(Image.fromarray(holes), "TIFF"), 64)


def test_the_first_frame_of_an_animation():
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, GREEN, BLUE)]
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        data = saved(frames[0], form, save_all=True, append_images=frames[1:])
        near(corners(read_picture(data, 16)), [RED] * 4)


def png_of(width: int, height: int) -> bytes:
    """A PNG header that claims so many pixels, with next to nothing behind it."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_before_it_goes_off():
    for side, said in (
        (10_000, "10,000 x 10,000 pixels; at most 89 million"),
        (60_000, "more than 179 million pixels"),
    ):
        with pytest.raises(ValueError, match=said):
            read_picture(png_of(side, side))
    for width, height in ((1, 80_000_000), (80_000_000, 1)):  # each row takes memory, however short it is
        with pytest.raises(ValueError, match="pixels; at most 250,000 a side are read"):
            read_picture(png_of(width, height))


def test_a_large_photo_is_read_at_a_smaller_scale():
    data = saved(Image.new("RGB", (10_500, 10_000), (10, 200, 30)), "JPEG")  # 105 million pixels
    near(corners(read_picture(data, 32)), [(10, 200, 30)] * 4, 4)


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "The file is empty"),
        (b"hello", "not a picture in a format that is read here, such as PNG, JPEG"),
        (b"%PDF-1.7 and more", "not a picture in a format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'></svg>", "not a picture in a format"),
        (b"\0" * 5000, "not a picture in a format"),
        (saved(Image.effect_noise((64, 64), 90), "PNG")[:900], "broken and cannot be read to its end"),
        (saved(quarters(side=200), "JPEG")[:700], "broken and cannot be read to its end"),
        (saved(quarters(side=200), "JPEG")[:20], "not a picture|broken"),
        (png_of(20, 20), "broken and cannot be read to its end"),
    ],
)
def test_what_cannot_be_used_gets_one_sentence(data, said):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=said) as caught:
            read_picture(data)
    told = str(caught.value)
    assert told.endswith(".") and "\n" not in told and len(told) < 300
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_whatever_the_damage_nothing_but_a_value_error():
    random = np.random.default_rng(0)
    for form in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "TGA"):
        whole = np.frombuffer(saved(quarters(side=40), form), np.uint8)
        for _ in range(25):
            damaged = whole.copy()
            damaged[random.integers(0, len(whole), 4)] = random.integers(0, 256, 4)
            try:
                assert read_picture(damaged.tobytes(), 16).shape == (3, 16, 16)
            except ValueError:
                pass


@pytest.mark.parametrize(
    "data", [None, "1.png", 5, [1, 2], Image.new("RGB", (2, 2))], ids=lambda data: type(data).__name__
)
def test_what_is_not_bytes_is_refused_with_what_to_give(data):
    with pytest.raises(ValueError, match="takes the bytes of a file, as Path.*read_bytes.*, got "):
        read_picture(data)


def test_bytes_of_any_kind_are_read():
    data = saved(quarters(), "PNG")
    assert all((read_picture(kind(data)) == read_picture(data)).all() for kind in (bytearray, memoryview))


def test_size_is_checked():
    for size in (0, (8, -1), (8, 8, 8)):
        with pytest.raises(ValueError, match="size must be"):
            read_picture(saved(quarters(), "PNG"), size)


def test_a_file_that_starts_a_program_is_not_opened(tmp_path):
    """PostScript under the name of a PNG: Pillow would start Ghostscript to draw it."""
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    with pytest.raises(ValueError, match="not a picture in a format"):
        read_picture(data)
    assert "EPS" not in kinds.formats() and not {"EPS", "PDF", "WMF"} & {*kinds.FORMATS}


def test_deep_pictures_of_few_bits_are_not_black():
    ramp = np.linspace(0, 1, 64 * 64).reshape(64, 64)
    for bits in (10, 12, 14, 16):
        values = ((2**bits - 1) * ramp).astype(np.uint16)
        for form in ("PNG", "TIFF"):
            pixels = read_picture(saved(Image.fromarray(values), form), 64)
            assert pixels[0, 0, 0] == 0 and pixels[0, -1, -1] == 255
            assert abs(int(pixels[0, 32, 32]) - int(255 * ramp[32, 32])) <= 1


def test_a_deep_picture_is_refused_from_a_quarter_of_the_pixels_on():
    header = struct.pack(">IIBBBBB", 6_000, 6_000, 16, 0, 0, 0, 0)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")
    with pytest.raises(ValueError, match="6,000 x 6,000 pixels; at most 22 million"):
        read_picture(data)
