"""``python -m mp3lib embed``: features of images as arrays, for other programs."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .options import IMAGES, Parser, feature_options, image_options, weights_options
from .training import images_of, on_device, with_positions
from .values import path, whole


def add(commands) -> Parser:
    embed = commands.add_parser(
        "embed",
        parents=[image_options(), weights_options(), feature_options()],
        help="features of images, as arrays of NumPy",
        description="Writes arrays with a row an image: pooled (N, d) and labels (N,), names (N,) and split (N,), and "
        "classes (C,), the names of the labels. NumPy reads them: numpy.load(FILE)['pooled'].",
    )
    embed.add_argument("--out", type=path, required=True, metavar="FILE", help="file to write; .npz")
    embed.add_argument("--tokens", action="store_true", help="also the features of every patch, tokens (N, n, d)")
    embed.add_argument("--batch-size", type=whole, default=64, metavar="B", help="images at a time")
    return embed


def run(args: argparse.Namespace) -> dict:
    import numpy as np
    import torch

    from ..data import to_float
    from ..model import load_vit
    from ..model.checking import layer_numbers
    from ..paths import check_target, written_beside

    target, vit = check_target(args.out, ".npz", ours=is_ours), on_device(load_vit(args.weights))
    layers = layer_numbers([args.layer], len(vit.transformer.layers), "--layer")
    pos_emb = with_positions(args, vit)
    images = with_names(args, vit)
    device = next(vit.parameters()).device
    pooled, labels, names, splits = [], [], [], []
    with written_beside(target) as beside, tempfile.TemporaryFile(dir=target.parent) as tokens, torch.no_grad():
        for split, part, limit in (("train", images.train, args.limit), ("test", images.test, None)):
            for pixels, indices, named_as in batches(part.images[:limit], split, args.batch_size, folder_of(args)):
                (found,) = vit.features(to_float(pixels.to(device)), pos_emb, layers)
                pooled.append(found.pooled.cpu().numpy())
                labels.append(part.labels[indices].numpy())
                names += named_as
                splits += [split] * len(named_as)
                if args.tokens:
                    tokens.write(found.tokens.cpu().numpy().tobytes())
        arrays = {
            "pooled": np.concatenate(pooled),
            "labels": np.concatenate(labels),
            "names": np.array(names),
            "split": np.array(splits),
            "classes": np.array(images.classes),
        }
        shape = (len(names), vit.num_patches, vit.dim) if args.tokens else None
        write_npz(beside, arrays, tokens, shape)
    print(f"{args.out}: {len(names):,} images, {vit.dim} features each")
    return {"out": str(args.out), "images": len(names), "features": vit.dim, "fingerprint": images.fingerprint}


def is_ours(file: Path) -> bool:
    """Whether a file holds arrays that ``embed`` wrote."""
    with zipfile.ZipFile(file) as archive:
        return {"pooled.npy", "labels.npy", "names.npy", "split.npy"} <= {*archive.namelist()}


def with_names(args: argparse.Namespace, vit):
    """The images, streamed where that is possible: then each picture has the name of its file."""
    if args.stream is None and args.data not in IMAGES:
        try:
            return images_of(argparse.Namespace(**vars(args) | {"stream": True}), vit)
        except ValueError:  # this kind of set cannot be streamed
            pass
    return images_of(args, vit)


def folder_of(args: argparse.Namespace) -> Path | None:
    from ..paths import expanded

    return None if args.data in IMAGES else expanded(args.data)


def batches(images, split: str, size: int, folder: Path | None) -> Iterator[tuple]:
    """Pixels uint8 (b, c, h, w), the numbers of the images, and their names; a broken picture is left out."""
    import torch

    from .. import stopping
    from ..data.streaming import Asked, Stream, name_of, warn_of

    parts = torch.arange(len(images)).split(size)
    if not isinstance(images, Stream):
        for part in parts:
            yield images[part], part, [f"{split}/{index}" for index in part.tolist()]
        return
    asked = [[Asked(index) for index in part.tolist()] for part in parts]
    for part, read in zip(parts, images.loader(asked, size, images.workers if len(parts) > 1 else 0), strict=True):
        stopping.check()
        warn_of(note.replace("; the next image takes its place", "") for note in read.notes)
        own = read.indices == part
        files = [name_of(images.contents, int(images.chosen[index])) for index in part[own].tolist()]
        yield read.pixels[own], part[own], [below(folder, file) for file in files]


def below(folder: Path | None, file: str) -> str:
    """A file's name relative to the folder of the images."""
    above = f"{folder}{os.sep}"
    return file.removeprefix(above) if folder is not None else file


def write_npz(file: Path, arrays: dict, tokens: IO[bytes], shape: tuple[int, int, int] | None) -> None:
    """Arrays in the format of ``numpy.savez``. The tokens, float32 of this shape, are copied, not read into memory."""
    import numpy as np

    with open(file, "wb") as out:  # to a name, savez appends .npz where it ends otherwise, as in X.NPZ
        np.savez(out, **arrays)
    if shape is None:
        return
    tokens.seek(0)
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with zipfile.ZipFile(file, "a") as archive, archive.open("tokens.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array_header_1_0(entry, header)
        shutil.copyfileobj(tokens, entry)
