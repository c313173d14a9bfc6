"""Paths as people write them, with ``~`` expanded, and files that appear only when they are complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def expanded(path: str | os.PathLike) -> Path:
    """An absolute path, with ``~`` and ``~user`` replaced by the home folder. It need not exist.

    Raises:
        ValueError: for something else than a path, an empty path, one with a null character, and for a user who has
            no home folder here.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(f"a path must be a string or a Path, got {repr(path)[:100]} ({type(path).__name__})")
    text = os.fsdecode(path)
    if not text.strip():
        raise ValueError("the path is empty")
    if "\0" in text:
        raise ValueError(f"the path {text[:100]!r} holds a null character: remove it")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"{text}: there is no home folder of the user {text.split('/')[0]} here") from None


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """A hidden path beside ``path`` for a new file, which is renamed into place at the end of the ``with``.

    After an error it is removed, and ``path`` is as it was. Missing folders above are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
