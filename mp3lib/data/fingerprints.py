"""The fingerprint of a data set: 32 digits that depend on its pixels and labels, and that of CIFAR-10."""

from __future__ import annotations

import hashlib

import numpy as np
from torch import Tensor

from ..arguments import shown
from .images import Split

CIFAR10_FINGERPRINT = "c55f42c974b53503aff2a9407ce49eec"  # of the lossless pixels, from whichever source


def digest(pixels: np.ndarray, salt: bytes = b"") -> bytes:
    """16 bytes that are the same for the same pixels and the same salt alone."""
    return hashlib.blake2b(pixels, digest_size=16, salt=salt).digest()


def fingerprint(train: Split, test: Split) -> str:
    """32 hex digits that depend on which (pixels, label) pairs are in each split, not on their order.

    Raises:
        ValueError: unless both are a ``Split`` whose images are in memory, with a label each.
    """
    for name, split in (("train", train), ("test", test)):
        if not isinstance(split, Split) or not isinstance(split.images, Tensor) or not split.is_whole():
            raise ValueError(f"{name} must be a Split of images in memory, with a label each, got {shown(split)}")
    whole = hashlib.sha256()
    for split in (train, test):
        rows = np.ascontiguousarray(split.images.numpy()).reshape(len(split), -1)
        pairs = zip(rows, split.labels.tolist(), strict=True)
        digests = [digest(row, b"%d" % label) for row, label in pairs]
        whole.update(repr(tuple(split.images.shape)).encode())
        whole.update(b"".join(sorted(digests)))
    return whole.hexdigest()[:32]
