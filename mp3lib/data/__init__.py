"""Images. Begin with ``load``: ``load_images`` finds a set and returns what ``images`` describes. ``cached``
says what is kept, and removes it.

Beside it: ``tensors`` of the right dtype, ``augment`` for batches and ``crops`` of single pictures, ``cues`` that could
give positions away, ``streaming`` of sets larger than memory, and ``notes`` on what is odd. The sub-packages, from
the last step of loading to the first; each uses only those below it:

- ``sources``: where sets come from and where they are kept: a path, an object, the cache, packs, the download;
- ``readers``: one file for each form in which sets are stored, and the choice between them;
- ``sets``: what readers share: how images are wanted, and how pictures with labels become a set;
- ``folders``: what the names of folders and files say: a split, a class, or nothing;
- ``pictures``: one picture, from the bytes of its file to pixels;
- ``files``: the files in a folder or an archive;
- ``scenes``: the landscapes that the library paints itself.
"""

from . import cues
from .augment import random_resized_crop, strong_augment
from .cached import cache_status, clear_cache
from .images import CIFAR10_CLASSES, CIFAR10_FINGERPRINT, Images, Split, fingerprint
from .load import DataUnavailable, fetch_cifar10, load_images
from .notes import Note
from .pictures.decode import read_picture
from .sources.from_paths import pack_images
from .sources.pack import packed_size
from .streaming import Stream
from .tensors import to_float

__all__ = [
    "CIFAR10_CLASSES",
    "CIFAR10_FINGERPRINT",
    "DataUnavailable",
    "Images",
    "Note",
    "Split",
    "Stream",
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
