"""More scenes to train on: 50,000 of another seed than those of the library, beside the same test images."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from mp3lib import load_images
from mp3lib.data import Images, pack_images
from mp3lib.data.scenes import CLASSES, make_scenes

NAME = "more-scenes"  # as run.json names these images
SEED, NUMBER = 1, 50_000


def make(target: Path, train: int = NUMBER, test: int | None = None) -> None:
    """Pack the scenes in the file ``target``: ``train`` training images, and the first ``test`` test images (all)."""
    (images, labels), _ = make_scenes(train, 0, SEED)
    _, (test_images, test_labels) = make_scenes()
    with TemporaryDirectory() as folder:
        root = Path(folder) / NAME
        write(root / "train", images, labels)
        write(root / "test", test_images[:test], test_labels[:test])
        pack_images(root, 32, target)


def write(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write images, uint8 (n, 3, H, W), as ``folder``/CLASS/NUMBER.png."""
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / CLASSES[label] / f"{i:06d}.png", compress_level=1)


def measured_name(about: dict) -> str:
    """The set on which a run is measured: the one that it was trained on; for more scenes, that of the library."""
    return "scenes" if about["data"] == NAME else about["data"]


def measured_on(about: dict, size: int | tuple[int, int]) -> Images:
    """The images on which a run is measured; see ``measured_name``."""
    return load_images(measured_name(about), size=size)
