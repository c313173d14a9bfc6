"""The values of a picture are those that its file means; where they cannot be, it is left out with the reason."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import torch
from PIL import Image
from pyarrow import parquet
from set_makers import mnist, noise_pictures, tiff

from mp3lib import load_images
from mp3lib.data import pack_images, read_picture
from mp3lib.data.images import CIFAR10_CLASSES
from mp3lib.data.sets.arrays import Arrays
from mp3lib.data.sources import making

pytestmark = pytest.mark.usefixtures("own_cache")
RNG = np.random.default_rng(0)
RAMP = np.tile(np.linspace(0, 1, 16), (16, 1))
NOISE = RNG.integers(0, 65536, (16, 16, 6), dtype=np.uint16)
BYTES = NOISE.astype(np.uint8)


def grey(image: np.ndarray) -> np.ndarray:
    return np.broadcast_to(image, (3, *image.shape))


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    alpha = alpha.astype(float) / 255
    return rgb * alpha + 255 * (1 - alpha)


def loaded(path: Path, size: int, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_images(path, size, **options)


def folder_of(folder: Path, data: bytes, ending: str = "tif") -> Path:
    """Two classes of four such pictures."""
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(4):
            (folder / name / f"{i}.{ending}").write_bytes(data)
    return folder


# --- TIFF -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planes", [1, 2])
def test_colours_of_a_tiff_are_right_in_every_order_of_bytes_and_bands(planes, order, packed):
    for values in (NOISE, BYTES):
        high = (values >> 8 if values is NOISE else values).transpose(2, 0, 1)
        with_alpha = over_white(high[:3], high[3])
        for bands, extra, right in ((3, (), high[:3]), (4, (2,), with_alpha)):
            pixels = read_picture(tiff(values[..., :bands], 2, planes, extra, order, packed), 16).numpy()
            assert np.abs(pixels - right.astype(float)).max() <= 1


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u2", "u4", "i2", "i4", "f4"])
def test_grey_values_of_a_tiff_are_right_in_every_type(kind, order, packed):
    ends = (-3.0, 70_000.0) if kind == "f4" else (np.iinfo(kind).min, np.iinfo(kind).max)
    values = (ends[0] + RAMP * (ends[1] - ends[0])).astype("f8").clip(*ends).astype(kind)
    data = tiff(values, 1, order=order, packed=packed)
    if (kind, order) == ("u4", ">"):
        with pytest.raises(ValueError, match="not a picture in a format"):
            read_picture(data, 16)
    else:
        assert np.abs(read_picture(data, 16).numpy() - 255 * grey(RAMP)).max() <= 1


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_grey_of_which_0_is_white_is_not_inverted(kind, packed):
    values = np.round(RAMP * np.iinfo(kind).max).astype(kind)
    assert np.abs(read_picture(tiff(values, 0, packed=packed), 16).numpy() - 255 * (1 - grey(RAMP))).max() <= 1


SIGNED = tiff(np.arange(-128, 128, dtype=np.int8).reshape(16, 16), 1)
UNREAD = {
    "signed values of 8 bits": SIGNED,
    "floats of which the lowest is white": tiff(RAMP.astype("f4"), 0),
    "one after the other": tiff(BYTES[..., 0], 0, 2),
    "stores its bands one after the other": tiff(BYTES[..., :4], 2, 2, packed=True),
    "bands one after the other in a way": tiff(BYTES[..., :3], 8, 2),
    "its bands one after the other in a way": tiff(NOISE[..., :4], 5, 2),
    "only the preview": tiff(BYTES[..., :3], 2, t254=1, t330=8),
    "a raw photograph": tiff(BYTES[..., :3], 2, t50706=257),
}


@pytest.mark.parametrize("words", UNREAD)
def test_a_tiff_whose_values_would_be_wrong_is_left_out_with_the_reason(words, tmp_path):
    with pytest.raises(ValueError, match=f"^The .*{words}.*: convert it to PNG.$"):
        read_picture(UNREAD[words], 16)
    folder = noise_pictures(tmp_path / "set", 6)
    (folder / "odd.tif").write_bytes(UNREAD[words])
    for stream in (False, True):
        images = loaded(folder, 8, stream=stream, workers=0)
        assert len(images.train) + len(images.test) == 6
        assert "left out 1 unreadable picture(s): odd.tif (The " in images.notes[0] and words in images.notes[0]


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (tiff(BYTES[..., :4], 2, extra=(0,)), 4),
        (tiff(BYTES[..., :4], 2), 4),  # no tag says alpha
        (tiff(BYTES[..., :4], 2, packed=True), 4),
        (tiff(NOISE[..., :4], 2), 4),
        (tiff(BYTES[..., :5], 2, extra=(0, 0)), 5),
        (tiff(BYTES, 2, extra=(2, 0, 0)), 6),
        (tiff(NOISE[..., :4], 2, extra=(0,)), 4),
        (tiff(BYTES[..., :2], 1, extra=(0,)), 2),
        (tiff(NOISE, 1, 2, (0,) * 5, packed=True), 6),
        (tiff(BYTES, 2, 2, (0,) * 3, packed=True), 6),
    ],
    ids=range(10),
)
def test_further_bands_of_a_tiff_are_said(data, number, tmp_path):
    folder = folder_of(tmp_path / "set", data)
    words = f"8 picture(s) have {number} bands: only the first ones, of grey or colour, are taken"
    sets = [loaded(folder, 16, stream=stream, workers=0) for stream in (False, True)]
    sets.append(loaded(pack_images(folder, 16, tmp_path / "packed"), 16))
    assert all(sum(words in note for note in images.notes) == 1 for images in sets)
    pixels = [torch.cat([*images.train.images.split(4)]) for images in sets]
    assert torch.equal(pixels[0], pixels[1]) and torch.equal(pixels[0], pixels[2])
    with_alpha = folder_of(tmp_path / "4", tiff(BYTES[..., :4], 2, extra=(2,)))
    assert not any("bands" in note for note in loaded(with_alpha, 16).notes)


@pytest.mark.parametrize("packed", [False, True])
def test_a_fourth_band_that_no_tag_calls_alpha_hides_nothing(packed):
    pixels = read_picture(tiff(BYTES[..., :4], 2, packed=packed), 16).numpy()
    assert np.array_equal(pixels, BYTES[..., :3].transpose(2, 0, 1))


def test_values_of_a_tiff_are_the_same_streamed_packed_and_in_memory(tmp_path):
    half = (1 - RAMP / 2) * 65535
    for number, data in enumerate(
        (tiff(half.astype("u2"), 0), tiff(NOISE[..., :3], 2, 2), tiff((RAMP * 4e9).astype("u4"), 1))
    ):
        folder = folder_of(tmp_path / str(number), data)
        sets = [loaded(folder, 16, stream=stream, workers=0) for stream in (False, True)]
        sets.append(loaded(pack_images(folder, 16, tmp_path / f"{number}-packed"), 16))
        pixels = [torch.cat([*images.train.images.split(4)]) for images in sets]
        assert torch.equal(pixels[0], pixels[1]) and torch.equal(pixels[0], pixels[2])
        assert all(images.value_range == sets[0].value_range for images in sets)


def test_an_image_of_pillow_whose_values_would_be_wrong_is_refused():
    for data, words in ((SIGNED, "signed"), (tiff(NOISE[..., :3], 2, 2), "give the bytes of the file")):
        with Image.open(io.BytesIO(data)) as picture, pytest.raises(ValueError, match=words):
            load_images(Elements([picture] * 4), 16, workers=0)


class Elements(torch.utils.data.Dataset):
    def __init__(self, elements: list):
        self.elements = elements

    def __len__(self) -> int:
        return len(self.elements)

    def __getitem__(self, index: int):
        return self.elements[index]


# --- transparency -----------------------------------------------------------------------------------------------------


def png(values: bytes, width: int, depth: int, colour: int, clear: bytes) -> bytes:
    """A PNG of one row, in which the colour ``clear`` is transparent."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0)
    rest = chunk(b"tRNS", clear) + chunk(b"IDAT", zlib.compress(b"\0" + values)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rest


@pytest.mark.parametrize(
    ("data", "right"),
    [
        (png(bytes([0b00011011]), 4, 2, 0, b"\0\1"), [0, 255, 170, 255]),
        (png(bytes([0x3A, 0x0F]), 4, 4, 0, b"\0\3"), [255, 170, 0, 255]),
        (png(bytes([7, 8, 9, 10]), 4, 8, 0, b"\0\7"), [255, 8, 9, 10]),
        (png(struct.pack(">4H", 7, 50_000, 8, 0), 4, 16, 0, b"\0\7"), [255, 195, 0, 0]),
        (png(struct.pack(">12H", *[7 << 8] * 3, *[9 << 8] * 9), 4, 16, 2, b"\7\0" * 3), [255, 9, 9, 9]),
    ],
    ids=["2 bits", "4 bits", "8 bits", "16 bits", "RGB of 16 bits"],
)
def test_the_transparent_value_of_a_png_becomes_white_at_every_depth(data, right, tmp_path):
    assert read_picture(data, (1, 4))[:, 0].tolist() == [right] * 3
    folder = folder_of(tmp_path / "set", data, "png")
    for stream in (False, True):
        images = loaded(folder, (1, 4), stream=stream, workers=0)
        assert torch.cat([*images.train.images.split(4)])[0, :, 0].tolist() == [right] * 3


COLOURS = np.dstack([BYTES[..., 2::-1], np.zeros((16, 16), np.uint8)])  # as BMP and TGA store them, with a fourth byte


def bmp(values: np.ndarray) -> bytes:
    held = struct.pack("<IiiHHIIiiII", 108, 16, -16, 1, 32, 3, values.nbytes, 0, 0, 0, 0)
    held += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    return b"BM" + struct.pack("<IHHI", 14 + len(held) + values.nbytes, 0, 0, 14 + len(held)) + held + values.tobytes()


def tga(values: np.ndarray, bits: int) -> bytes:
    return struct.pack("<3B2HB4H2B", 0, 0, 2, 0, 0, 0, 0, 0, 16, 16, 32, 0x20 | bits) + values.tobytes()


def test_a_fourth_byte_that_is_not_used_is_no_transparency():
    half = COLOURS.copy()
    half[:8, :, 3], half[8:, :, 3] = 255, 0
    rgb = BYTES[..., :3].transpose(2, 0, 1)
    for data in (bmp(COLOURS), tga(COLOURS, 8), tga(COLOURS, 0), tga(half, 0)):
        assert np.array_equal(read_picture(data, 16).numpy(), rgb)
    for data in (bmp(half), tga(half, 8)):  # where some of it is opaque, it is transparency
        pixels = read_picture(data, 16).numpy()
        assert np.array_equal(pixels[:, :8], rgb[:, :8]) and (pixels[:, 8:] == 255).all()


# --- which files, and what they are called ----------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["NEF", "cr2", "dng", "arw"])
def test_raw_photographs_are_left_out_as_a_format_that_is_not_read(ending, tmp_path):
    folder = folder_of(tmp_path / "set", tiff(BYTES[..., :3], 2), ending)
    for name in ("a", "b"):
        noise_pictures(folder / name, 3)
    images = loaded(folder, 8)
    assert len(images.train) + len(images.test) == 6
    assert any(note.startswith("left out 8") and f"a/0.{ending}" in note for note in images.notes)


def test_a_folder_named_emnist_turns_nothing(tmp_path):
    images = loaded(mnist(tmp_path / "sets/emnist").parent, (12, 10))
    assert torch.equal(images.train.images, loaded(mnist(tmp_path / "digits"), (12, 10)).train.images)
    [note] = images.notes
    assert "a folder is named emnist" in note and "not turned upright" in note


def test_only_the_pixels_of_cifar_10_name_its_classes(tmp_path, monkeypatch):
    pictures = RNG.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    data = [io.BytesIO() for _ in pictures]
    for file, pixels in zip(data, pictures, strict=True):
        Image.fromarray(pixels).save(file, "PNG")
    table = {"img": [{"bytes": file.getvalue()} for file in data], "label": [i % 10 for i in range(40)]}
    parquet.write_table(pyarrow.table(table), tmp_path / "digits.parquet")
    images = load_images(tmp_path / "digits.parquet")
    assert images.classes == tuple("0123456789") and images.name == "digits" and not images.notes
    monkeypatch.setattr(making, "CIFAR10_FINGERPRINT", images.fingerprint)
    assert load_images(tmp_path / "digits.parquet", 16).classes == tuple("0123456789")
    images = making.to_images(arrays_of(images), "here", "digits")
    assert images.classes == CIFAR10_CLASSES and images.name == "cifar10"


def arrays_of(images):
    parts = [part.numpy() for split in (images.train, images.test) for part in (split.images, split.labels)]
    return Arrays(*parts, images.classes)
