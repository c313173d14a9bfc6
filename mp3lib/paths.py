"""Paths as people write them: ``~`` is expanded, in one place for the whole library."""

from __future__ import annotations

import os
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
