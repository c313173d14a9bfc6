"""Images: ``load_images`` (``load``) and what it returns (``images``, ``fingerprints``).

How they are read: ``formats`` chooses the form; ``pictures`` (``layout``, ``split_names``, ``class_names``,
``annotations``), ``parquet`` and ``webdataset`` (``labelled_rows``), ``idx``, ``cifar10`` and ``cifar100`` read it,
from the ``files`` of a folder, of ``tars`` and of ``zips``; ``decode`` reads one picture, ``npy`` one array;
``datasets`` (``map_style``) takes objects;
``unread`` has words for what is not read, ``notes`` are what a reader should know. Where they are kept and from:
``cache``, ``download``, the built-in ``scenes``. What is done with them: ``tensors`` of the right dtype, ``augment``,
and ``cues`` that could give positions away.
"""

from . import cues
from .augment import random_resized_crop, strong_augment
from .cifar10 import CIFAR10_CLASSES
from .decode import read_picture
from .fingerprints import CIFAR10_FINGERPRINT, fingerprint
from .from_paths import pack_images
from .images import Images, Split
from .load import DataUnavailable, cache_status, clear_cache, fetch_cifar10, load_images
from .pack import packed_size
from .tensors import to_float

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
    "pack_images",
    "packed_size",
    "random_resized_crop",
    "read_picture",
    "strong_augment",
    "to_float",
]
