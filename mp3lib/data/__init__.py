"""Images: ``load_images`` and what it returns (``load``), file formats (``formats``), single pictures (``decode``),
CIFAR-10's download (``download``), the cache (``cache``), the built-in images (``scenes``, ``scene_painter``),
crops and other augmentation (``augment``), and cues that could give positions away (``cues``).
"""

from . import cues
from .augment import random_resized_crop, strong_augment, to_float
from .decode import read_picture
from .formats import CIFAR10_CLASSES
from .load import (
    CIFAR10_FINGERPRINT,
    DataUnavailable,
    Images,
    Split,
    cache_status,
    clear_cache,
    fetch_cifar10,
    fingerprint,
    load_images,
)

__all__ = [
    "CIFAR10_CLASSES",
    "CIFAR10_FINGERPRINT",
    "DataUnavailable",
    "Images",
    "Split",
    "cache_status",
    "clear_cache",
    "cues",
    "fetch_cifar10",
    "fingerprint",
    "load_images",
    "random_resized_crop",
    "read_picture",
    "strong_augment",
    "to_float",
]
