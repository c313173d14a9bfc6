"""Images as arrays of pixels, cut into patches and joined again, and the checks of figures' arguments."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..luma import LUMA


def to_numpy(a) -> np.ndarray:
    if hasattr(a, "detach"):
        a = a.detach().cpu()
        return (a.float() if str(a.dtype) == "torch.bfloat16" else a).numpy()
    if isinstance(a, (list, tuple)) and a and hasattr(a[0], "detach"):
        return np.stack([to_numpy(one) for one in a])
    return np.asarray(a)


def to_picture(image: ArrayLike) -> np.ndarray:
    """An image as (H, W, 3) uint8, ready to draw.

    image: (3, H, W), (H, W, 3), (1, H, W), (H, W, 1) or (H, W). Where both ends could be channels, the first one is.
    uint8 is taken as it is; other integers must lie in [0, 255]; floats must lie in [-1, 1], -1 black and 1 white, as
    `to_float` makes them (rounding noise up to 0.001 is clipped). A [0, 1] image has to be given as `2 * image - 1`.
    Raises ValueError for another shape, for values outside the range, and for NaN.
    """
    a = to_numpy(image)
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
    pictures = [to_picture(image) for image in (images if isinstance(images, (list, tuple)) else to_numpy(images))]
    sizes = sorted({picture.shape[:2] for picture in pictures})
    if len(sizes) != 1:
        raise ValueError(f"images have sizes {sizes}; expected at least one image, and one size")
    return pictures


def cut(picture, patch_size):
    """(H, W, 3) -> patches (n, ph, pw, 3) and their grid (rows, cols)."""
    (H, W), (ph, pw) = picture.shape[:2], (patch_size, patch_size) if np.ndim(patch_size) == 0 else patch_size
    if ph < 1 or pw < 1 or H % ph or W % pw:
        raise ValueError(f"patches of {ph} x {pw} pixels do not divide an image of {H} x {W}")
    rows, cols = H // ph, W // pw
    return picture.reshape(rows, ph, cols, pw, 3).swapaxes(1, 2).reshape(-1, ph, pw, 3), (rows, cols)


def join_patches(patches, rows, cols):
    n, ph, pw, _ = patches.shape
    return patches.reshape(rows, cols, ph, pw, 3).swapaxes(1, 2).reshape(rows * ph, cols * pw, 3)


def reassemble(image: ArrayLike, patch_size, order: ArrayLike) -> np.ndarray:
    """The picture with its patches in another order, (H, W, 3) uint8: position i shows patch order[i] of `image`.

    patch_size: int or (height, width) in pixels; order: (n,) integers in [0, n), repeats allowed; -1 leaves the
    position grey (`patch_grid(..., hidden=order < 0)` hatches it). Raises ValueError for another length or value.
    """
    patches, (rows, cols) = cut(to_picture(image), patch_size)
    order = check_indices(order, len(patches), "order", low=-1, length=len(patches))
    return join_patches(np.where((order < 0)[:, None, None, None], np.uint8(0xDC), patches[order]), rows, cols)


def fade(patches):
    """Grey and pale, so that colours and arrows on top stand out."""
    grey = 125 + 0.5 * patches @ np.array(LUMA)
    return np.repeat(grey[..., None], 3, -1).round().astype(np.uint8)


def check_indices(values, n, name, low=0, length=None):
    values = to_numpy(values).astype(int).ravel()
    bad = values[(values < low) | (values >= n)]
    if len(bad):
        raise ValueError(f"{name} holds {bad[0]}; expected {low} to {n - 1}")
    if length is not None and len(values) != length:
        raise ValueError(f"{name} has length {len(values)}; expected {length}")
    return values


def check_flags(flags, n, name="hidden"):
    flags = to_numpy(flags).astype(bool).ravel()
    if len(flags) != n:
        raise ValueError(f"{name} has length {len(flags)}; expected {n}, one flag a patch")
    return flags


def check_texts(texts, count) -> list[str]:
    if len(texts) != count:
        raise ValueError(f"got {len(texts)} texts; expected {count}")
    return [str(text) for text in texts]
