"""Paths as people write them: ``~`` is expanded, in one place for the whole library."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: str | os.PathLike) -> Path:
    """An absolute path, with ``~`` and ``~user`` replaced by the home folder. It need not exist.

    Raises:
        ValueError: for an empty path, and for a user who has no home folder here.
    """
    text = os.fspath(path)
    if not text.strip():
        raise ValueError("the path is empty")
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"{text}: there is no home folder of the user {text.split('/')[0]} here") from None
