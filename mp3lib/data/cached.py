"""What is in the cache: told, and removed."""

import os

from ..paths import expanded
from .images import CIFAR10_FINGERPRINT, Images
from .sources import cache
from .sources.from_paths import NAMES
from .sources.making import from_cache


def cache_status() -> str:
    """What is in the cache and where ``load_images("cifar10")`` would look, as text. Touches no network."""
    place = os.environ.get("MP3_DATA") or "not set"
    if place not in (*NAMES, "not set"):
        try:
            place = cache.short(expanded(place))
        except ValueError as error:
            place = f"{place!r}, which cannot be used: {error}"
    lines = [f"MP3_DATA  {place}", f"cache     {cache.short(cache.folder())}"]
    for file in cache.sets():
        found = from_cache(file)
        if isinstance(found, Images):
            known = ", lossless CIFAR-10" if found.fingerprint == CIFAR10_FINGERPRINT else ""
            about = f"{len(found.train):,} + {len(found.test):,} images{known}, from {found.source}"
            lines.append(f"  {file.name}  {file.stat().st_size / 1e6:.0f} MB, {about}, fingerprint {found.fingerprint}")
        else:
            lines.append(f"  {file.name}  {found}")
    lines += [f"  {file.name}  not written by mp3lib, or damaged: clear leaves it" for file in cache.others()]
    for path in cache.parts():
        held = "in the making by a process that runs" if cache.is_held(path) else "left over from a killed process"
        lines.append(f"  {path.name}  {held}")
    if not os.environ.get("MP3_DATA") and not os.path.exists(cache.folder() / "cifar10.safetensors"):
        lines.append('  no CIFAR-10: load_images("cifar10") would download it (139 to 170 MB)')
    if (recent := cache.recent_failure()) is not None:
        lines.append(f"  the download failed {recent[0]} min ago; python -m mp3lib data fetch tries again at once")
    return "\n".join(lines)


def clear_cache() -> str:
    """Remove what this library put into the cache, and nothing else; returns what was removed and what not, as text.

    What another process that runs is making, such as a download, stays.
    """
    lines = []
    for path in [*cache.sets(), *cache.failures(), *cache.parts(), *cache.locks()]:
        if cache.is_held(path):
            lines.append(f"left {cache.short(path)}: a process that runs is making it")
        elif reason := cache.remove(path):
            lines.append(f"left {cache.short(path)}: {reason}")
        else:
            lines.append(f"removed {cache.short(path)}")
    lines += [f"left {cache.short(path)}: not written by mp3lib, or damaged" for path in cache.others()]
    return "\n".join(lines) or f"nothing in {cache.short(cache.folder())}"
