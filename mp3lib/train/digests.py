"""Digests of the images of a run, by which a resumed run knows that they are the same."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..data.streaming import Stream, name_of


def training_digest(
    out: str | Path | None, about: dict[str, Any], images: Tensor | Stream, labels: Tensor | None = None
) -> dict[str, str]:
    """The setting ``images_digest`` of a run that is kept, where ``about`` names no fingerprint."""
    return {} if out is None or about.get("fingerprint") else {"images_digest": digest_of(images, labels)}


def evaluation_settings(
    out: str | Path | None,
    judged: bool,
    images: Tensor | Stream | None,
    labels: Tensor | None = None,
    **options: Any,
) -> dict[str, Any]:
    """How a run that is kept is evaluated, where the evaluations decide its weights (``judged``)."""
    if out is None or images is None or not judged:
        return {}
    return {"eval_digest": digest_of(images, labels)} | options


def digest_of(images: Tensor | Stream, labels: Tensor | None = None) -> str:
    """32 hex digits that are the same for the same images uint8 (N, c, H, W), and labels (N,), in the same order.

    A stream is not read: its shape, the names of its files and their sizes in bytes stand for the pixels. Where its
    pictures have no names, their numbers do.
    """
    found = hashlib.blake2b(repr(tuple(images.shape)).encode(), digest_size=16)
    if isinstance(images, Stream):
        contents, chosen = images.contents, images.chosen.tolist()
        sizes = getattr(contents, "sizes", None)
        found.update("\n".join(name_of(contents, number).rsplit(os.sep, 1)[-1] for number in chosen).encode())
        found.update(repr(images.value_range).encode())
        found.update(b"" if sizes is None else np.ascontiguousarray(sizes[chosen]))
    else:
        for part in images.split(4096):
            found.update(part.cpu().contiguous().flatten().numpy())
    if labels is not None:
        found.update(labels.cpu().contiguous().numpy())
    return found.hexdigest()
