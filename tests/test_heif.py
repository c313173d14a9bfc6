"""HEIF, the pictures of iPhones: read where pillow-heif is installed, named where it is not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from mp3lib import load_images
from mp3lib.data import read_picture

CODE = """
import sys, warnings
{before}
from mp3lib import load_images
print(load_images(sys.argv[1], 16, stream=sys.argv[2] == "stream", workers=0).train.images[0].shape)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    pillow_heif.register_heif_opener()
    folder = tmp_path_factory.mktemp("heif")
    draw = np.random.default_rng(0)
    for name in ("a/0", "a/1", "b/0", "b/1"):
        (folder / name).parent.mkdir(exist_ok=True)
        pixels = np.kron(draw.integers(0, 256, (4, 4, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8))
        Image.fromarray(pixels).save(folder / f"{name}.heic", quality=100)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def without_pngs(folder: Path, to: Path) -> Path:
    for file in folder.rglob("*.heic"):
        (to / file.parent.name).mkdir(exist_ok=True)
        (to / file.parent.name / file.name).write_bytes(file.read_bytes())
    return to


def test_heif_has_the_pixels_of_the_png(folder):
    for file in folder.rglob("*.heic"):
        heif, exact = (read_picture(file.with_suffix(suffix).read_bytes(), 64).float() for suffix in (".heic", ".png"))
        assert (heif - exact).abs().mean() < 8


@pytest.mark.parametrize("how", ["memory", "stream"])
@pytest.mark.parametrize("there", [True, False])
def test_heif_is_read_without_more_than_pillow_heif_installed(folder, there, how, tmp_path):
    before = "" if there else "sys.modules['pillow_heif'] = None"
    command = [sys.executable, "-c", CODE.format(before=before), str(without_pngs(folder, tmp_path)), how]
    done = subprocess.run(command, capture_output=True, text=True)
    if there:
        assert "torch.Size([3, 16, 16])" in done.stdout, done.stderr
    else:
        assert "The picture is HEIF, as iPhones take them: with pillow-heif it can be read" in done.stderr


def test_classes_of_heif_pictures(folder, tmp_path):
    assert load_images(without_pngs(folder, tmp_path), 16).classes == ("a", "b")
