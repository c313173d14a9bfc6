"""The pictures that ``streaming.py`` reads: JPEG files of random shapes, in folders and in a parquet file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

IN_FOLDER = 1000  # pictures
SPARE = 2048  # pixels that a picture can be moved in what it is cut from, so that hardly two are the same
IN_GROUP = 100  # rows of a parquet file that are stored together, as Hugging Face's datasets does with pictures


def make_pictures(folder: Path, images: int, file: list[int]) -> int:
    """Write JPEG files of random shapes in all sizes, a thousand in a folder; returns their bytes."""
    draw = np.random.default_rng(0)
    side = SPARE + max(file)
    canvas = np.zeros((side, side, 3), np.float32)
    for level, cells in enumerate((32, 128, 512, 2048)):
        shapes = Image.fromarray(draw.integers(0, 256, (cells, cells, 3), dtype=np.uint8)).resize((side, side))
        canvas += np.asarray(shapes, np.float32) / 2**level
    canvas = Image.fromarray((255 * (canvas - canvas.min()) / np.ptp(canvas)).astype(np.uint8))
    places = draw.integers(0, [side - file[1] + 1, side - file[0] + 1], (images, 2)).tolist()
    for number in range(0, images, IN_FOLDER):
        (folder / str(number // IN_FOLDER)).mkdir(parents=True)

    def write(number: int) -> int:
        left, top = places[number]
        path = folder / str(number // IN_FOLDER) / f"{number}.jpg"
        canvas.crop((left, top, left + file[1], top + file[0])).save(path, quality=90)
        return path.stat().st_size

    with ThreadPoolExecutor() as threads:
        return sum(threads.map(write, range(images)))


def make_parquet(pictures: Path, file: Path) -> None:
    """Write the files of a folder to a parquet file as well, a row group after the other."""
    import pyarrow
    import pyarrow.parquet

    paths = sorted(pictures.rglob("*.jpg"))
    kinds = pyarrow.schema([("image", pyarrow.struct([("bytes", pyarrow.binary())])), ("label", pyarrow.int64())])
    with pyarrow.parquet.ParquetWriter(file, kinds) as out:
        for first in range(0, len(paths), IN_GROUP):
            group = paths[first : first + IN_GROUP]
            rows = [{"image": {"bytes": path.read_bytes()}, "label": int(path.parent.name)} for path in group]
            out.write_table(pyarrow.Table.from_pylist(rows, kinds))
