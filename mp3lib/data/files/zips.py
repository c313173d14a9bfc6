"""The files in a zip. What its directory and its members claim is bounded before it is read."""

from __future__ import annotations

import bz2
import lzma
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from .entries import (
    LARGEST_FILE,
    Entry,
    Files,
    check_ratio,
    count_hidden,
    empty_folders,
    files_and_notes,
    hidden,
    last_of_each,
    plain_name,
)


@contextmanager
def files_of_zip(path: Path) -> Iterator[Files]:
    """The files of a zip; each has a checksum of its own."""
    check_directory_size(path)
    with zipfile.ZipFile(path) as archive:
        yield files_in(path, archive)


def files_in(path: Path, archive: zipfile.ZipFile) -> Files:
    check_directory(path, archive)
    members = [info for info in archive.infolist() if not info.is_dir()]
    check_members(path, members)
    for info in archive.infolist():
        if info.is_dir() or any(hidden(part) for part in PurePosixPath(info.filename).parts):
            archive.open(info).close()  # compares the name with the one beside the bytes: neither has a checksum
    left_out: Counter[str] = Counter()
    entries, shown = [], []
    for info in members:
        if any(hidden(part) for part in PurePosixPath(info.filename).parts):
            count_hidden(PurePosixPath(info.filename).name, left_out)
        elif stat.S_ISLNK(info.external_attr >> 16):
            left_out["symbolic link(s), which lead nowhere in a zip: unpack it"] += 1
        elif name := plain_name(info.filename, left_out):
            shown.append(info)
            entries.append(
                Entry(
                    name,
                    info.file_size,
                    lambda info=info: content(path, archive, info, info.file_size),
                    lambda info=info: content(path, archive, info, 16),
                )
            )
    empty = empty_folders(
        (info.filename for info in archive.infolist() if info.is_dir()), (info.filename for info in members)
    )
    files = files_and_notes(last_of_each(entries, left_out), left_out, empty)
    garbled = [entry.name for entry, info in zip(entries, shown, strict=True) if is_garbled(info)]
    if garbled:
        files.notes.append(
            f"{len(garbled)} name(s) may be garbled, as {garbled[0]}, because the zip does not say that they are in "
            "UTF-8: unpack it, or pack it with names in UTF-8"
        )
    return files


def is_garbled(info: zipfile.ZipInfo) -> bool:
    """Whether a name has letters beyond ASCII whose encoding the zip does not say."""
    return not info.flag_bits & 0x800 and not info.filename.isascii()


def content(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    """The first ``most`` bytes of a member, and no more of them in memory, whatever is packed into it."""
    with archive.open(info) as file:  # compares the name, too
        if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return file.read(most)
    most = min(most, info.file_size)
    data = decompressed(packed(path, info), info, most)
    if len(data) < most or (most == info.file_size and zlib.crc32(data) != info.CRC):
        raise zipfile.BadZipFile(f"{info.filename} is damaged")
    return data


def packed(path: Path, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a member as they lie in the archive, behind a header of its own."""
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        header = file.read(30)
        name, extra = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
        file.seek(info.header_offset + 30 + name + extra)
        return file.read(info.compress_size)


def decompressed(data: bytes, info: zipfile.ZipInfo, most: int) -> bytes:
    """The first ``most`` bytes of a member packed with bzip2 or LZMA, of which ``zipfile`` unpacks all at once."""
    if info.compress_type == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(data, most)
    length = int.from_bytes(data[2:4], "little")  # of the settings, behind two bytes of a version
    if length != 5 or len(data) < 9 or data[4] >= 9 * 5 * 5:
        raise zipfile.BadZipFile(f"{info.filename} is damaged")
    settings = {
        "id": lzma.FILTER_LZMA1,
        "lc": data[4] % 9,
        "lp": data[4] // 9 % 5,
        "pb": data[4] // 45,
        "dict_size": min(int.from_bytes(data[5:9], "little"), max(info.file_size, 4096)),
    }
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[settings]).decompress(data[9:], most)


def end_records(path: Path) -> tuple[bytes, bytes]:
    """The record at the end of a zip, and the one before it that a zip64 has."""
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - (1 << 16) - 98, 0))  # its longest comment, and the records before that
        tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if tail[-22:-18] == b"PK\5\6" and tail.endswith(b"\0\0"):
        at = len(tail) - 22
    return tail[at : at + 22], tail[max(at - 76, 0) : at]


def check_directory_size(path: Path) -> None:
    """Refuse a directory that is large for its archive: ``zipfile`` reads all of it, and keeps it."""
    end, end64 = end_records(path)
    size = int.from_bytes(end64[40:48] if end64.startswith(b"PK\6\6") else end[12:16], "little")
    most = min(10_000_000 + path.stat().st_size // 4, LARGEST_FILE)
    if size > most:
        raise ValueError(f"{path} claims to have a directory of {size:,} bytes; at most {most:,} are read")


def check_directory(path: Path, archive: zipfile.ZipFile) -> None:
    """Compare the number of members with the one at the end of the archive: a damaged directory can hide members."""
    end, end64 = end_records(path)
    number, said = len(archive.infolist()), int.from_bytes(end[10:12], "little")
    if end64.startswith(b"PK\6\6"):
        said = int.from_bytes(end64[32:40], "little")
    elif end.startswith(b"PK\5\6"):
        number %= 1 << 16  # as older programs count
    else:
        raise zipfile.BadZipFile("its end is damaged")
    if number != said:
        raise zipfile.BadZipFile(f"its directory is damaged: it lists {number:,} of {said:,} members")


def check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse what cannot be read, or claims more than it can hold, before a byte is unpacked."""
    if encrypted := [info for info in members if info.flag_bits & 1]:
        raise ValueError(f"{path} is encrypted ({encrypted[0].filename}): unpack it with its password first")
    known = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    if other := [info for info in members if info.compress_type not in known]:
        raise ValueError(
            f"{path} uses a compression that Python cannot read (method {other[0].compress_type}, {other[0].filename}; "
            "9 is Deflate64): unpack it with another program, or pack it again"
        )
    end = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise ValueError(f"{path} has members that overlap ({info.filename}), as archives made to do harm have")
        end = info.header_offset + 30 + info.compress_size
    check_ratio(path, sum(info.file_size for info in members))
