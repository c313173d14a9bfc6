"""Pictures in files of their own: decoding, cropping and resizing, and finding split and class in their folders."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

TEST_NAMES = ("test", "val", "valid", "validation")
LARGEST = 89_478_485  # pixels to decode for a reader's own file: what Pillow takes for normal


@dataclass
class Arrays:
    """What a reader returns: images (N, 3, H, W) uint8 and labels (N,) int64, as numpy arrays."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]
    jpeg: bool = False  # some pixels come straight out of a JPEG file, its compression grid in place
    notes: tuple[str, ...] = ()  # what the reader should be warned of


def suffixes() -> set[str]:
    """The endings of the files that Pillow can open."""
    return {suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN}


def try_decode(data: bytes, size: tuple[int, int]):
    """What ``decode`` returns, or the exception that it raises."""
    try:
        return decode(data, size)
    except Exception as error:  # Pillow raises many kinds; the caller names the file
        return error


def decode(data: bytes, size: tuple[int, int], careful: bool = False) -> tuple[np.ndarray, bool]:
    """Decode one picture to ((3, H, W) uint8, whether its JPEG grid is still in place).

    careful: what is transparent becomes white, 32-bit values are stretched to 0 … 255, and what would decode to more
    than ``LARGEST`` pixels is refused.
    """
    height, width = size
    with Image.open(io.BytesIO(data)) as picture:
        form = picture.format
        picture.draft("RGB", (4 * width, 4 * height))  # lets big JPEGs decode at a smaller scale
        if careful and picture.width * picture.height > LARGEST:
            raise TooLarge(picture.width, picture.height)
        picture = ImageOps.exif_transpose(picture)
        if picture.mode.startswith("I;16"):
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        elif careful and picture.mode in ("I", "F"):
            picture = Image.fromarray(stretched(np.asarray(picture)))
        see_through = careful and picture.has_transparency_data
        picture = picture.convert("RGBA" if see_through else "RGB")
        in_place = picture.size == (width, height)
        if not in_place:
            picture = fit_picture(picture, size)
        if see_through:
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
        return np.asarray(picture).transpose(2, 0, 1), in_place and form in ("JPEG", "MPO")


def fit_picture(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Cropped about the centre and resized to (height, width) pixels."""
    return ImageOps.fit(picture, size[::-1], Image.Resampling.LANCZOS)


def fit_pixels(pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The same for uint8 pixels (3, H, W)."""
    picture = fit_picture(Image.fromarray(pixels.permute(1, 2, 0).numpy()), size)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


def stretched(values: np.ndarray) -> np.ndarray:
    """Numbers of any range as uint8, the lowest black and the highest white; those of 0 … 255 stay as they are."""
    fractions = values.dtype.kind == "f" and np.nanmax(values, initial=0) <= 1
    values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    if low < 0 or high > 255 or fractions:
        values = (values - low) * (255 / max(high - low, 1e-12))
    return values.round().astype(np.uint8)


class TooLarge(ValueError):
    """A picture of more pixels than will be decoded."""

    def __init__(self, width: int, height: int):
        super().__init__(
            f"The picture has {width:,} x {height:,} pixels; at most {LARGEST / 1e6:.0f} million are read."
        )


def read_picture(data: bytes, size: int | tuple[int, int] = 32) -> torch.Tensor:
    """The picture in a file's bytes, upright, cropped about the centre and resized: uint8 (3, H, W).

    Takes every format that Pillow reads: grey, palette, CMYK, 16 and 32 bit become RGB, what is transparent becomes
    white, of an animation the first frame is taken, and the camera's orientation (EXIF) is followed.

    Args:
        data: the content of the file.
        size: side or (height, width) in pixels.

    Raises:
        ValueError: in one sentence for the person whose file it is: the file is empty, is no picture, is broken, or
            holds more than 89 million pixels (JPEG, which can be decoded at an eighth of its side: 179 million).
    """
    size = (size, size) if isinstance(size, int) else tuple(size)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be a positive side or (height, width) in pixels, got {size}")
    if not len(data):
        raise ValueError("The file is empty.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about size, which is judged below, and odd metadata
            pixels, _ = decode(bytes(data), size, careful=True)
    except TooLarge:
        raise
    except Image.DecompressionBombError:
        raise ValueError(f"The picture has more than {2 * LARGEST / 1e6:.0f} million pixels.") from None
    except UnidentifiedImageError:
        known = "such as PNG, JPEG, WebP, GIF, TIFF or BMP"
        raise ValueError(f"The file is no picture in a format that Pillow reads, {known}.") from None
    except Exception as error:  # Pillow raises many kinds for files that are cut off or damaged
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"The picture is broken and cannot be read to its end ({reason[:120]}).") from None
    return torch.from_numpy(pixels.copy(order="C"))


def arrange(pictures: list, path: Path) -> Arrays:
    """Make a data set of (name, pixels, jpeg) triples; the folders in the names say the split and the class."""
    pictures = sorted(pictures, key=lambda picture: picture[0])
    folders = [PurePosixPath(name).parts[:-1] for name, _, _ in pictures]
    root = path.name.split(".")[0]
    while folders[0] and all(parts[:1] == folders[0][:1] for parts in folders):
        root, folders = folders[0][0], [parts[1:] for parts in folders]
    tops = {parts[0].lower() for parts in folders if parts}
    test_name = next((name for name in TEST_NAMES if name in tops), None)
    by_split = "train" in tops and test_name is not None
    # with folders there, pictures lying beside them are not part of the set
    wanted = {"train", test_name} if by_split else tops
    kept = [i for i, parts in enumerate(folders) if not tops or (parts and parts[0].lower() in wanted)]
    left_out = [pictures[i][0] for i in sorted(set(range(len(pictures))) - set(kept))]
    pictures, folders = [pictures[i] for i in kept], [folders[i] for i in kept]
    in_test = np.array([parts[0].lower() == test_name for parts in folders]) if by_split else None
    names = [parts[by_split] if len(parts) > by_split else root for parts in folders]
    classes = tuple(sorted(set(names)))
    labels = np.array([classes.index(name) for name in names], dtype=np.int64)
    images = np.stack([pixels for _, pixels, _ in pictures])
    arrays = split(images, labels, classes, in_test, any(jpeg for _, _, jpeg in pictures))
    mixed = np.random.default_rng(0).permutation(len(arrays.train_labels))  # so that the first few hold all classes
    arrays.train_images, arrays.train_labels = arrays.train_images[mixed], arrays.train_labels[mixed]
    if left_out:
        arrays.notes = (f"left out {len(left_out)} picture(s) beside the folders in use, as {left_out[0]}",)
    return arrays


def split(images, labels, classes, in_test=None, jpeg=False) -> Arrays:
    """Split as told, or else give every tenth image of each class (at least one, if it has two) to the test set.

    Where no class has two images, classes play no part in it.
    """
    if in_test is None:
        in_test = np.zeros(len(labels), dtype=bool)
        groups = labels if np.bincount(labels).max(initial=0) > 1 else np.zeros_like(labels)
        for group in range(len(classes)):
            (members,) = np.nonzero(groups == group)
            in_test[members[9::10] if len(members) >= 10 else members[1:][-1:]] = True
    return Arrays(images[~in_test], labels[~in_test], images[in_test], labels[in_test], classes, jpeg)


def jpeg_grid(images: np.ndarray) -> float:
    """How much larger the step from pixel to pixel is across the borders of 8 x 8 blocks than right beside them.

    ``images`` is (N, 3, H, W) uint8. About 1 for pixels that were never compressed, 1.07 and more at the usual quality
    of JPEG; meant for hundreds of images, for a few it is noise, so 1 is returned below 500.
    """
    if len(images) < 500 or min(images.shape[2:]) < 17:
        return 1.0
    ratios = []
    for axis in (2, 3):
        steps = np.abs(np.diff(images[:2000].astype(np.int16), axis=axis)).mean(axis=(0, 1, 5 - axis))
        borders = np.arange(7, len(steps) - 1, 8)
        ratios.append(2 * steps[borders].mean() / max((steps[borders - 1] + steps[borders + 1]).mean(), 1e-6))
    return float(min(ratios))
