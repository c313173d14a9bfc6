"""Images: ``load_images`` (``load``, ``from_paths``) and what it returns (``images``, ``fingerprints``).

How images are wanted is in ``wanted``. ``formats`` chooses the form of what is at a path. Folders of ``pictures`` have
a ``layout`` (``folder_roles``, ``split_names``, ``class_names``, ``annotations``, ``unlabelled``). ``parquet`` and
``webdataset`` have ``labelled_rows``, in ``columns``, and are kept in
``shards``; ``idx``, ``cifar10`` and ``cifar100`` (``cifar_pickle``) have files of their own;
``datasets`` (``map_style``) are objects. All are read from the ``files`` of a folder, of ``tars`` or of ``zips``
(``entries``) into ``arrays``, which ``making`` turns into a set. ``contents`` gives the pixels of a file: ``decode`` a
picture, ``npy`` an array; ``jpeg_grid`` sees whether they were compressed. Many are read by ``picture_reading`` into
``rows``, or by ``streaming`` when they are needed. Notes (``notes``) say what is odd, ``unread`` what is not read, with
lists of names as ``sentences`` has them.

Where sets are kept and from: ``cache``, ``pack`` (``tensor_files``), ``download``, and the built-in ``scenes``
(``scene_classes``, ``scene_painter``). What is done with images: ``tensors`` of the right dtype, ``augment``, ``crops``
of single pictures, and ``cues`` that could give positions away.
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
