"""How images are wanted: their size, and in memory, in a file or streamed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from ...arguments import as_range, whole
from ..pictures.npy import MOST
from ..streaming import processes_here

LARGEST_SHARE = 0.8  # of the free memory: what a set may take where it is asked for, or cannot be streamed
USUAL_SHARE = 0.5  # of the free memory: a set that takes more is streamed, unless it is asked for in memory
PEAK = 1.3  # how many times the pixels are in memory at the worst moment of loading


class Wanted(NamedTuple):
    """What a reader is asked for."""

    size: tuple[int, int] = (32, 32)  # height and width in pixels
    stream: bool | None = None  # None: where the set takes more than its usual share of memory
    workers: int | None = None  # processes that read a streamed set; None: as many as there are cores
    unlabelled: bool = False  # whether pictures without labels are wanted, too: their label is -1
    channels: int = 3
    value_range: tuple[float, float] | None = None  # of arrays: the values that become 0 and 255
    file: Path | None = None  # the pixels go there, behind a header, and not into memory

    def of_arrays(self, channels: Any, value_range: Any) -> Wanted:
        """The same for arrays of so many channels, 3 by default, whose values are these. ValueError for odd ones."""
        if value_range is not None:
            words = "a pair of finite numbers, low below high"
            value_range = as_range("value_range", value_range, words, lambda low, high: low < high)
        channels = 3 if channels is None else whole("channels", channels, 1, MOST)
        return self._replace(channels=channels, value_range=value_range)

    def pixels(self, number: int) -> int:
        """Bytes that so many images take."""
        return number * self.channels * self.size[0] * self.size[1]

    def streams(self, number: int, path: Path, possible: bool) -> bool:
        """Whether so many images at ``path`` are to be streamed. Nothing is in memory yet.

        Args:
            number: of images.
            path: for the error.
            possible: whether the form that they are in can be streamed.

        Raises:
            ValueError: where they are to be streamed and cannot be, and where they do not fit into memory or on
                the disk.
        """
        needed, free = PEAK * self.pixels(number), free_memory() / processes_here()
        if self.file is not None:
            if (room := shutil.disk_usage(self.file.parent).free) < self.pixels(number):
                raise ValueError(
                    f"{path}: {number:,} packed pictures take {self.pixels(number) / 1e9:.1f} GB, and "
                    f"{self.file.parent} has {room / 1e9:.1f} GB free: choose another place (--out), or a smaller size"
                )
            return False
        if self.stream and not possible:
            raise ValueError(
                f"{path} cannot be streamed: only folders of pictures, and tars without compression, can. "
                "Unpack it, or pack it once: python -m mp3lib data pack PATH --size PIXELS"
            )
        if self.stream or (self.stream is None and possible and needed > USUAL_SHARE * free):
            return True
        if needed > LARGEST_SHARE * free:
            way = "choose a smaller size, or fewer pictures"
            way = f"stream them (stream=True, --stream) or {way}" if possible else f"pack them (data pack), or {way}"
            size = f"{self.size[0]} x {self.size[1]}"
            raise ValueError(
                f"{path}: {number:,} pictures of {size} pixels take about {needed / 1e9:.1f} GB while they "
                f"are loaded, and {free / 1e9:.1f} GB of memory are free: {way}"
            )
        return False


USUAL = Wanted()


def free_memory() -> int:
    """Bytes that this process can still take: of the machine, of its control group and of its own limit."""
    free = psutil.virtual_memory().available
    try:
        most = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        free = free if most == "max" else min(free, int(most) - used)
    except (OSError, ValueError):
        pass
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            free = min(free, limit - psutil.Process().memory_info().vms)
    except (ImportError, OSError, ValueError):  # Windows has no such limits
        pass
    return max(free, 0)
