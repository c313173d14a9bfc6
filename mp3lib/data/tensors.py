"""Images and labels as people hold them, as tensors of the dtype, shape and range that the library works on."""

import os
import warnings
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..arguments import check_dense, shown
from .sets.map_style import as_stream, transform_note
from .streaming import Stream, warn_of

ImagesLike = Tensor | np.ndarray | Stream | Dataset  # what as_images takes
LabelsLike = Tensor | np.ndarray | Sequence[int]  # what as_labels takes


def to_float(images: Tensor) -> Tensor:
    """Convert a uint8 tensor of any shape to float32 in [-1, 1]: ``x / 127.5 - 1``.

    Raises:
        ValueError: if ``images`` is not a uint8 tensor.
    """
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        found = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"to_float takes a uint8 tensor (0 to 255), got {found}")
    check_dense("images", images, meta=True)
    return images.to(torch.float32).div_(127.5).sub_(1)


def as_images(
    images: Any, name: str = "images", channels: int | None = None, size: tuple[int, int] | None = None
) -> Tensor | Stream:
    """Images as people hold them, as a uint8 tensor (N, c, H, W): a PyTorch tensor, or a NumPy array.

    A ``Stream`` stays one, and a map-style data set of pictures becomes one.

    Args:
        images: uint8 (N, c, H, W), at least one; or such a data set.
        name: of the argument, for the error.
        channels: the c that is expected; default: any.
        size: (height, width) to which the pictures of a data set are cropped and resized.

    Raises:
        ValueError: for anything else. Images whose channels come last are recognised, and the error says so.
    """
    if isinstance(images, np.ndarray) and images.dtype == np.uint8:
        images = tensor_of(images)
    if is_data_set(images):
        warn_of(transform_note(images))
        images = as_stream(images, size, channels, name)
        if channels is not None and images.channels != channels:
            raise ValueError(f"{name} must have {channels} channels, got {tuple(images.shape)}")
        if not len(images):
            raise ValueError(f"{name} must hold at least one image, got 0")
        return images
    accepted = f"{name} must be a torch tensor or NumPy array of uint8 (N, c, H, W)"
    if not isinstance(images, Tensor):
        held = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else shown(images)
        raise ValueError(f"{accepted}, got {held}{hint(images)}")
    check_dense(name, images)
    if images.ndim != 4 or images.dtype != torch.uint8 or not images.numel():
        raise ValueError(f"{accepted}, got {images.dtype} {tuple(images.shape)}")
    given, last = images.shape[1], images.shape[3]
    expected = (1, 3, 4) if channels is None else (channels,)
    if last in expected and given not in expected:
        shape = tuple(images.shape)
        raise ValueError(f"{accepted}, got {shape}, which looks like (N, H, W, c): permute(0, 3, 1, 2)")
    if channels is not None and given != channels:
        raise ValueError(f"{name} must have {channels} channels (N, {channels}, H, W), got {tuple(images.shape)}")
    return images


def hint(images: Any) -> str:
    """What to give instead of something that holds images in another way; empty where that is not known."""
    if isinstance(images, (str, os.PathLike)):
        return ": load_images reads what is at a path"
    if isinstance(images, DataLoader):
        return ": give its data set, images.dataset"
    for inside in ("train.images", "images"):
        try:
            held = attrgetter(inside)(images)
        except AttributeError:
            continue
        if isinstance(held, (Tensor, Stream)):
            return f": give its images, .{inside}"
    return ""


def tensor_of(array: np.ndarray) -> Tensor:
    """The same numbers as a tensor, without a copy: an array on disk (``np.memmap``) stays there."""
    if min(array.strides, default=0) < 0:
        array = array.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arrays that cannot be written to: nothing here writes
        return torch.from_numpy(array)


def is_data_set(images: Any) -> bool:
    """Whether this is a ``Stream``, or a data set of pictures with a length and elements by number."""
    if isinstance(images, (Tensor, np.ndarray, str, bytes, list, tuple, dict)):
        return False
    return isinstance(images, (Stream, Dataset)) or hasattr(images, "cast_column")


def picked(images: Tensor | Stream, batches: Sequence[Tensor]) -> Iterator[Tensor]:
    """Batches of images, uint8 (b, c, H, W), by their numbers, int64 (b,)."""
    return images.read(batches) if isinstance(images, Stream) else (images[chosen] for chosen in batches)


def numbered(images: Tensor | Stream, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The images in order, uint8 (b, c, H, W) at a time, with their numbers, int64 (b,).

    In place of a broken picture of a stream there is a later one, with its own number.
    """
    batches = torch.arange(len(images)).split(batch_size)
    if isinstance(images, Stream):
        return images.read_numbered(batches)
    return zip(images.split(batch_size), batches, strict=True)


def as_labels(labels: Any, number: int, name: str = "labels") -> Tensor:
    """Labels as people hold them, as an int64 tensor (N,): a tensor, a NumPy array, or a list of whole numbers.

    Raises:
        ValueError: for anything but ``number`` whole numbers of at least 0.
    """
    accepted = f"{name} must be int64 ({number},)"
    if isinstance(labels, np.ndarray) and labels.dtype.kind not in "iu":
        raise ValueError(f"{accepted}, got {labels.dtype} {labels.shape}")
    try:
        labels = torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise ValueError(f"{accepted}, got {shown(labels)}") from None
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool or labels.shape != (number,):
        raise ValueError(f"{accepted}, got {labels.dtype} {tuple(labels.shape)}")
    check_dense(name, labels)
    labels = labels.long()
    if number and labels.min() < 0:
        raise ValueError(f"{name} must be 0 or more, got {labels.min()}")
    return labels


def as_float_batch(images: Tensor) -> Tensor:
    """uint8 or float images (b, c, h, w) as float32 in [-1, 1]. Raises ValueError for all other input."""
    shape = tuple(getattr(images, "shape", ()))
    if not isinstance(images, Tensor) or images.dim() != 4 or 0 in shape:
        raise ValueError(f"images must be a tensor of shape (b, c, h, w), got {shape or type(images).__name__}")
    check_dense("images", images)
    if images.dtype == torch.uint8:
        return to_float(images)
    if images.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        raise ValueError(f"images must be uint8, or float in [-1, 1], got {images.dtype}")
    low, high = images.aminmax()
    if not (low >= -1 and high <= 1):
        raise ValueError(f"float images must lie in [-1, 1], got {low.item():.4g} to {high.item():.4g}")
    return images.to(torch.float32)
