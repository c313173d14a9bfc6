"""Which files are pictures that are read here: their formats, their endings and how they begin."""

from __future__ import annotations

import contextlib
from functools import cache

from PIL import Image

# The formats that are opened. The list is closed, because a file's ending says nothing about its content, and some of
# Pillow's other formats start programs (PostScript starts Ghostscript).
FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "SGI", "TGA", "TIFF",
    "WEBP",
)  # fmt: skip
MAGIC = (  # how files of these formats begin; TGA has no such mark
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"P4", b"P5", b"P6", b"\0\0\1\0",
    b"\x0a\x05\x01", b"\x01\xda", b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51",
)  # fmt: skip
RAW = (  # endings of the raw photographs of cameras; many begin as TIFF, and hold a small preview that Pillow opens
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq", ".k25", ".kdc", ".mef",
    ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip


@cache
def with_heif() -> bool:
    """Whether Pillow opens HEIF, the pictures of iPhones: where pillow-heif is installed, it does from now on."""
    with contextlib.suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    Image.init()
    return "HEIF" in Image.OPEN


def is_heif(beginning: bytes) -> bool:
    """Whether a file that begins so (16 bytes or more) is HEIF, whose brand stands at byte 8."""
    return beginning[4:8] == b"ftyp" and beginning[8:12] in (b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1")


def formats() -> list[str]:
    """The formats of ``FORMATS`` that Pillow can open here; HEIF only with pillow-heif."""
    with_heif()
    return [name for name in FORMATS if name in Image.OPEN]


def suffixes() -> set[str]:
    """The endings of the files of these formats."""
    known = set(formats())
    return {suffix for suffix, name in Image.registered_extensions().items() if name in known}


def unread_suffixes() -> set[str]:
    """The endings of pictures that Pillow could open, and this library does not."""
    Image.init()
    return {suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN} - suffixes()


def looks_like_picture(beginning: bytes) -> bool:
    """Whether a file that begins so (16 bytes or more) may be a picture of one of the formats."""
    return beginning.startswith(MAGIC) or beginning[4:8] == b"ftyp"
