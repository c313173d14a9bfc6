"""Convert images to uint8 pixels, cut them into patches and join patches, and check the arguments of figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..luma import LUMA


def to_numpy(a) -> np.ndarray:
    """An array, a tensor on any device, or a list of numbers or tensors, as a NumPy array; bfloat16 becomes float32."""
    if hasattr(a, "detach"):
        try:
            a = a.detach().cpu()
            return (a.float() if str(a.dtype) == "torch.bfloat16" else a).numpy()
        except (TypeError, NotImplementedError) as error:  # on the meta device, sparse, quantized
            raise ValueError(f"a dense tensor with values is needed ({' '.join(str(error).split())[:100]})") from None
    if isinstance(a, (list, tuple)) and a and hasattr(a[0], "detach"):
        return np.stack([to_numpy(one) for one in a])
    return np.asarray(a)


def to_picture(image: ArrayLike) -> np.ndarray:
    """An image as (H, W, 3) uint8, ready to draw.

    image: (3, H, W), (H, W, 3), (1, H, W), (H, W, 1) or (H, W). If both the first and the last axis could be channels,
    the first axis is taken. uint8 values are kept. Other integers must lie in [0, 255]. Floats must lie in [-1, 1],
    where -1 is black and 1 is white, as `to_float` returns them; rounding errors up to 0.001 are clipped. Convert an
    image in [0, 1] with `2 * image - 1`.
    Raises ValueError for another shape, for values outside the range, and for NaN.
    """
    a = to_numpy(image)
    if a.dtype.kind not in "biuf":
        raise ValueError(f"an image must hold numbers, got {a.dtype}")
    shape, a = a.shape, a[None] if a.ndim == 2 else a
    if a.ndim != 3 or 0 in a.shape or (a.shape[0] not in (1, 3) and a.shape[2] not in (1, 3)):
        raise ValueError(f"image has shape {shape}; expected (3, H, W), (H, W, 3) or (H, W)")
    if a.shape[0] in (1, 3):
        a = np.moveaxis(a, 0, 2)
    if a.dtype != np.uint8:
        kind, bottom, top, slack = ("integer", 0, 255, 0) if a.dtype.kind in "iu" else ("float", -1, 1, 1e-3)
        low, high = float(a.min()), float(a.max())
        if not (low >= bottom - slack and high <= top + slack):
            raise ValueError(f"{kind} image has values from {low:g} to {high:g}; expected {bottom} to {top}")
        a = (a if kind == "integer" else np.rint((a.clip(-1, 1).astype(float) + 1) * 127.5)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(a, (*a.shape[:2], 3)))


def to_pictures(images) -> list[np.ndarray]:
    """Images of one size, (b, 3, H, W) or a list, as (H, W, 3) uint8 each. Raises ValueError for none or several sizes.

    Each image may have any form that `to_picture` accepts.
    """
    pictures = [to_picture(image) for image in (images if isinstance(images, (list, tuple)) else to_numpy(images))]
    sizes = sorted({picture.shape[:2] for picture in pictures})
    if len(sizes) != 1:
        raise ValueError(f"images have sizes {sizes}; expected at least one image, and one size")
    return pictures


def cut(picture, patch_size):
    """Cut a picture (H, W, 3) into patches. Returns the patches, (n, ph, pw, 3), and their grid, (rows, cols).

    patch_size: int or (height, width) in pixels. Raises ValueError if the patches do not divide the picture.
    """
    (H, W), (ph, pw) = picture.shape[:2], (patch_size, patch_size) if np.ndim(patch_size) == 0 else patch_size
    if ph < 1 or pw < 1 or H % ph or W % pw:
        raise ValueError(f"patches of {ph} x {pw} pixels do not divide an image of {H} x {W}")
    rows, cols = H // ph, W // pw
    return picture.reshape(rows, ph, cols, pw, 3).swapaxes(1, 2).reshape(-1, ph, pw, 3), (rows, cols)


def join_patches(patches, rows, cols):
    """The inverse of `cut`: patches (rows * cols, ph, pw, 3) as one picture (rows * ph, cols * pw, 3)."""
    n, ph, pw, _ = patches.shape
    return patches.reshape(rows, cols, ph, pw, 3).swapaxes(1, 2).reshape(rows * ph, cols * pw, 3)


def reassemble(image: ArrayLike, patch_size, order: ArrayLike) -> np.ndarray:
    """The picture with its patches in another order, (H, W, 3) uint8: position i shows patch order[i] of `image`.

    image: see `to_picture`.
    patch_size: int or (height, width) in pixels.
    order: (n,) integers in [0, n); repeats are allowed. -1 makes the position grey;
    `patch_grid(..., hidden=order < 0)` hatches it.
    Raises ValueError for another length, and for values that are not such integers.
    """
    patches, (rows, cols) = cut(to_picture(image), patch_size)
    order = check_indices(order, len(patches), "order", low=-1, length=len(patches))
    return join_patches(np.where((order < 0)[:, None, None, None], np.uint8(0xDC), patches[order]), rows, cols)


def fade(patches):
    """Patches in pale grey, so that colours and arrows drawn over them stand out. uint8, same shape."""
    grey = 125 + 0.5 * patches @ np.array(LUMA)
    return np.repeat(grey[..., None], 3, -1).round().astype(np.uint8)


def check_indices(values, n, name, low=0, length=None):
    """`values` as a flat int array. Raises ValueError unless all are whole numbers in [low, n), `length` of them."""
    values = to_numpy(values).ravel()
    if len(values) and values.dtype.kind not in "iu":
        raise ValueError(f"{name} holds {values[0]} of type {values.dtype}; expected integers from {low} to {n - 1}")
    bad = values[(values < low) | (values >= n)]
    if len(bad):
        raise ValueError(f"{name} holds {bad[0]}; expected {low} to {n - 1}")
    if length is not None and len(values) != length:
        raise ValueError(f"{name} has length {len(values)}; expected {length}")
    return values.astype(int)


def check_permutation(values, n, name):
    """`values` as a flat int array. Raises ValueError unless it holds every number from 0 to n - 1 once."""
    values = check_indices(values, n, name, length=n)
    if len(np.unique(values)) < n:
        raise ValueError(f"{name} must hold every number from 0 to {n - 1} once, got {values.tolist()}")
    return values


def as_flags(flags, name):
    """`flags` as a bool array of the same shape. Raises ValueError unless all are bools, or whole numbers 0 or 1."""
    flags = to_numpy(flags)
    if flags.size and flags.dtype != bool:
        bad = flags.ravel() if flags.dtype.kind not in "iu" else flags[(flags != 0) & (flags != 1)]
        if len(bad):
            raise ValueError(f"{name} holds {bad[0]} of type {bad.dtype}; expected True or False")
    return flags.astype(bool)


def check_flags(flags, n, name="hidden"):
    """`flags` as a flat bool array. Raises ValueError unless there are n of them; see `as_flags`."""
    flags = as_flags(flags, name).ravel()
    if len(flags) != n:
        raise ValueError(f"{name} has length {len(flags)}; expected {n}, one flag a patch")
    return flags


def check_filled(name, values):
    """Raises ValueError for an empty array or list; `name` is what the error calls it."""
    if not np.size(values):
        raise ValueError(f"{name} must hold at least one value, got 0")


def check_texts(texts, count) -> list[str]:
    """`texts` as strings. Raises ValueError unless there are `count` of them."""
    if len(texts) != count:
        raise ValueError(f"got {len(texts)} texts; expected {count}")
    return [str(text) for text in texts]
