"""Readers: from the forms that image data come in (folders, archives, pickles, parquet) to uint8 arrays.

``read`` chooses the form by what is complete: CIFAR-10 or CIFAR-100, the npm package's sprites, MNIST's files, parquet
files, or pictures in files of their own. One stray file of another form does not decide.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ..files.entries import Entry, instead_of, read_bytes
from ..files.walk import files_of
from ..folders.shards import split_of_file
from ..pictures import kinds
from ..pictures.npy import HEADER, MAGIC, is_npy, may_be_picture
from ..sets.arrays import ARCHIVES, Arrays
from ..sets.wanted import USUAL, Wanted
from .cifar import BATCHES, CIFAR100, SPRITES, from_batches, from_cifar100, from_sprites, is_cifar100
from .idx import from_idx, is_idx, number_of_images
from .parquet import from_parquet, is_parquet, rows_of
from .picture_files import from_pictures, is_picture
from .unread import ACCEPTED, other_forms
from .webdataset import are_samples, from_samples, from_shards

DAMAGE = (  # what the readers of archives raise where one is damaged
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
    UnicodeError,
)  # fmt: skip


def read(path: Path, wanted: Wanted = USUAL) -> Arrays:
    """Read the images at ``path``, in whichever of the accepted forms they are.

    Pictures in files of their own are cropped about the centre and resized to the size that is wanted; sets of a fixed
    size ignore it.

    Raises:
        ValueError: with the path, what was found and the accepted forms, where there are no images that can be used;
            or where they would not fit into memory.
    """
    if not path.exists():
        raise ValueError(f"there is nothing at {path}. Accepted: {ACCEPTED}")
    try:
        if path.is_file() and (other := instead_of(read_bytes(path, 512))):
            raise ValueError(f"{path} is {other}")
        if path.is_file() and is_parquet(path):
            check_channels(path, wanted)
            return from_parquet([path], path, wanted)
        if path.is_file() and not path.name.lower().endswith(ARCHIVES) and (told := other_forms([path.name])):
            raise ValueError(f"{path} cannot be read. {told}Accepted: {ACCEPTED}")
        if path.is_file() and kinds.looks_like_picture(read_bytes(path, 16)):
            raise ValueError(f"{path} is a single picture: give the folder that holds it. Accepted: {ACCEPTED}")
        if path.is_file() and read_bytes(path, 6) == MAGIC:
            raise ValueError(
                f"{path} is a single array: give the folder that holds a file for each picture; or, where it holds "
                'many, uint8 (N, c, H, W), call load_images(np.load(file, mmap_mode="r"))'
            )
        if path.is_file() and path.suffix.lower() == ".safetensors":
            raise ValueError(
                f"{path} is no pack that python -m mp3lib data pack has made, or a damaged one: other files of tensors "
                f"are not read. Accepted: {ACCEPTED}"
            )
        if path.is_file() and is_idx(path.name):
            raise ValueError(f"{path} is one file of a set in MNIST's form (idx): give the folder that holds them all")
        with files_of(path) as files:
            arrays = from_entries(files.entries, path, wanted, files.empty)
    except MemoryError as error:
        reason = f" ({error})" if str(error) else ""
        raise ValueError(f"there is not enough memory to read {path}{reason}") from None
    except DAMAGE as error:
        if path.is_file() and not path.name.lower().endswith(ARCHIVES):
            raise ValueError(f"{path} is neither a folder nor an archive. Accepted: {ACCEPTED}") from None
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} cannot be read to its end ({reason}). Accepted: {ACCEPTED}") from None
    arrays.notes += tuple(files.notes)
    return arrays


def from_entries(entries: Sequence[Entry], path: Path, wanted: Wanted, empty: Sequence[str] = ()) -> Arrays:
    """Choose the form by what is complete, and read it; ``empty`` are folders without files."""
    pictures = [entry for entry in entries if is_picture(entry)]
    arrays_of_numpy = [entry for entry in entries if is_npy(entry.name)]
    if len(arrays_of_numpy) > len(pictures) and number_of_arrays(arrays_of_numpy, pictures) > len(pictures):
        rest = [entry for entry in entries if not is_npy(entry.name) and not is_picture(entry)]
        beside = (f"left out {len(pictures)} picture(s) beside the arrays (.npy), which are more",) if pictures else ()
        return from_pictures(arrays_of_numpy, rest, path, wanted, empty, beside)
    check_channels(path, wanted)
    if len(pictures) < 2:
        check_brought(entries, path)
    batches, sprites = complete(entries, BATCHES), complete(entries, SPRITES)
    if len(batches) == len(BATCHES):
        return from_batches(batches, path)
    if len(sprites) == len(SPRITES):
        return from_sprites(sprites, path)
    if is_cifar100(hundred := complete(entries, CIFAR100)):
        return from_cifar100(hundred, path, wanted)
    idx = [entry for entry in entries if is_idx(entry.name)]
    if idx and (len(pictures) < 2 or number_of_images(idx, path) > 10 * len(pictures)):
        arrays = from_idx(idx, path, wanted)
        arrays.notes += (f"left out {len(pictures)} picture(s) beside the idx files",) if pictures else ()
        return arrays
    if are_samples(pictures, entries):
        return from_samples(entries, path, wanted)
    tars = [entry for entry in entries if entry.path and entry.name.lower().endswith(".tar")]
    if tars and len(pictures) < 2 and (arrays := from_shards(tars, path, wanted)) is not None:
        return arrays
    parquets = [entry for entry in entries if entry.name.lower().endswith(".parquet")]
    if parquets and path.is_dir():
        files = [entry.path for entry in parquets]
        named = any(split_of_file(entry.name) for entry in parquets)
        if len(pictures) < 2 or (named and rows_of(files) > 10 * len(pictures)):
            arrays = from_parquet(files, path, wanted)
            arrays.notes += (f"left out {len(pictures)} picture(s) beside the parquet files",) if pictures else ()
            return arrays
    others = [e for e in pictures if PurePosixPath(e.name).name not in sprites]
    if not others and (partial := max(batches, sprites, key=len)):
        names = BATCHES if partial is batches else SPRITES
        missing = ", ".join(sorted(name.removesuffix(".png") for name in names - {*partial}))
        raise ValueError(f"{path} is not complete: {missing} missing")
    arrays = from_pictures(pictures, entries, path, wanted, empty)
    if parquets:
        arrays.notes += (f"left out {len(parquets)} parquet file(s), as {parquets[0].name}",)
    return arrays


def number_of_arrays(arrays: Sequence[Entry], pictures: Sequence[Entry]) -> int:
    """How many arrays may be pictures. Where there are pictures as well, features and the like do not count."""
    if not pictures:
        return len(arrays)
    beginnings = (read_bytes(entry.path, HEADER) if entry.path else entry.read()[:HEADER] for entry in arrays)
    return sum(map(may_be_picture, beginnings))


def check_channels(path: Path, wanted: Wanted) -> None:
    """Refuse channels, which are for arrays, where there are none."""
    if wanted.channels != 3:
        raise ValueError(
            f"channels is for folders of arrays (.npy), and {path} holds none, or more pictures than arrays: pictures "
            f"have 3 channels. Got channels={wanted.channels}"
        )


def check_brought(entries: Sequence[Entry], path: Path) -> None:
    """Refuse a set of which a file is a git-lfs pointer or a web page."""
    parts = [entry for entry in entries if is_part(entry.name)]
    parts = parts or [entry for entry in entries if entry.name.lower().endswith(ARCHIVES)]
    small = [entry for entry in parts if entry.size < 1_000_000]
    if odd := [(entry.name, other) for entry in small if (other := instead_of(entry.read()[:512]))]:
        more = f" ({len(odd)} of {len(parts)} such files)" if len(parts) > 1 else ""
        raise ValueError(f"{path}: {odd[0][0]} is {odd[0][1]}{more}")


def is_part(name: str) -> bool:
    """Whether a file has the name of a part of a set, which is no picture."""
    plain = name.lower().endswith((".parquet", ".tar")) or is_idx(name)
    return plain or PurePosixPath(name).name in BATCHES | CIFAR100


def complete(entries: Sequence[Entry], names: frozenset[str]) -> dict[str, Entry]:
    """The entries with these names, of the folder that has most of them."""
    folders: dict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        file = PurePosixPath(entry.name)
        if file.name in names:
            folders[file.parent.as_posix()][file.name] = entry
    return max(folders.values(), key=len, default={})
