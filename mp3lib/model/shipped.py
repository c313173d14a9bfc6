"""The trained models that come with the library, in ``mp3lib/weights``."""

from __future__ import annotations

from .finding import FOLDER, shipped_names
from .loading import load_model
from .mp3 import MP3
from .vit import ViT

PUZZLERS = {"scenes": "puzzler-scenes"}  # by the name of the images; all others: the one trained on CIFAR-10
PUPILS = {"scenes": "pupil-scenes"}


def puzzler_of(name: str) -> str:
    """The name of the weights that solve the jigsaw best on ``load_images(...)``'s images ``name``: a 4 x 4 grid.

    Pretrained with few patches hidden at times: mask ratios drawn for each batch. Any other name than ``"scenes"``
    gives ``"puzzler-4x4"``.
    """
    return PUZZLERS.get(name, "puzzler-4x4")


def pupil_of(name: str) -> str:
    """The name of the weights that saw least in training, for ``load_images(...)``'s images ``name``: a 4 x 4 grid.

    Pretrained with three quarters of the patches hidden. On CIFAR-10 its features are better than those of the puzzler;
    on scenes they are not. Any other name gives ``"pupil-4x4"``.
    """
    return PUPILS.get(name, "pupil-4x4")


def load_shipped(name: str) -> MP3 | ViT:
    """A trained model in eval mode, float32 (stored in half precision).

    An ``MP3`` such as ``"pupil-4x4"``, or a classifier of CIFAR-10, the ``ViT`` ``"classifier-8x8"``.

    Raises:
        ValueError: for a name that is not there, naming those that are.
    """
    if name not in shipped_names():
        raise ValueError(f"mp3lib comes with no weights named {name!r}; there are: {', '.join(shipped_names())}")
    return load_model(FOLDER / name).eval()
