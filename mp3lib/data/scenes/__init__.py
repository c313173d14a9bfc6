"""`scenes`: small landscapes that the library paints itself, so that every notebook runs without a download.

There are ten classes of objects. Each object stands in a suitable landscape, with a sky, a sun or a moon, a horizon, a
ground whose texture grows coarser towards the viewer, and light from one side. As in photographs, a patch therefore
carries some information about its position, but does not determine it.

``classes`` has a function for each class, ``painter`` the shapes, skies and grounds that they paint.
"""

import numpy as np

from .classes import PAINTERS
from .painter import SIDE, Scene

CLASSES = tuple(paint.__name__ for paint in PAINTERS)
_CHUNK = 50  # images painted at a time; this few fit into the CPU's cache


def make_scenes(train: int = 10_000, test: int = 2_000, seed: int = 0) -> tuple[tuple, tuple]:
    """Paint the data set. Returns ((images, labels), (images, labels)) for training and test, as NumPy arrays.

    Images are uint8 (N, 3, 32, 32). Labels are int64 (N,), indices into ``CLASSES``; the numbers of images of two
    classes differ by at most one. The same arguments give the same bytes on every machine.

    Args:
        train: number of training images.
        test: number of test images.
        seed: of all random numbers.
    """
    return _make_split(train, (seed, 0)), _make_split(test, (seed, 1))


def _make_split(number: int, seed: tuple) -> tuple[np.ndarray, np.ndarray]:
    # a random permutation: argsort of random integers
    order = np.argsort(np.random.PCG64((*seed, 99)).random_raw(number), kind="stable")
    labels = (order % len(CLASSES)).astype(np.int64)
    images = np.empty((number, 3, SIDE, SIDE), dtype=np.uint8)
    for label, paint in enumerate(PAINTERS):
        (members,) = np.nonzero(labels == label)
        for start in range(0, len(members), _CHUNK):
            chunk = members[start : start + _CHUNK]
            scene = Scene(len(chunk), np.random.PCG64((*seed, label, start)))
            paint(scene)
            images[chunk] = scene.finish()
    return images, labels
