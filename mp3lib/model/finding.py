"""Where weights are: in a folder, with the library by name, or in a repository on the Hugging Face Hub."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

from ..arguments import shown
from ..paths import expanded

FOLDER = Path(__file__).resolve().parents[1] / "weights"
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]+")  # user/repo
FILES = ("config.json", "model.safetensors", "run.json")


def shipped_names() -> list[str]:
    """The names that ``load_shipped`` knows; each is a folder with weights, configuration, log and settings."""
    return sorted(config.parent.name for config in FOLDER.glob("*/config.json"))


def find_weights(weights: str | Path, subfolder: str | None = None, **options: Any) -> Path:
    """The folder of weights, which need not hold a model yet to be looked into.

    Args:
        weights: a folder; the name of weights that come with the library, such as ``"pupil-4x4"`` (see
            ``shipped_names``); or a repository on the Hugging Face Hub, ``"user/repo"``, whose files are downloaded
            into Hugging Face's cache, or taken from there. A folder is looked for first.
        subfolder: a folder below that.
        options: for a repository, those of ``huggingface_hub.snapshot_download``: ``revision``, ``token``,
            ``cache_dir``, ``force_download`` and ``local_files_only``.

    Raises:
        FileNotFoundError: for a name that nothing has, with those that there are; for a repository that could not be
            downloaded, with the reason.
        ValueError: for something else than a path, an empty path, one with a null character, an address such as
            ``https://…``, for a name that a folder here has as well, and for a subfolder that is not a string.
    """
    if subfolder is not None and not isinstance(subfolder, (str, os.PathLike)):
        raise ValueError(f"subfolder must be a string or None, got {shown(subfolder)}")
    folder = expanded(weights)
    text = os.fsdecode(weights)
    named = isinstance(weights, str) and text in shipped_names()
    if named and folder.is_dir() and (folder / FILES[0]).exists():
        raise ValueError(
            f"{text!r} is a folder here, and the name of weights that come with mp3lib: write "
            f"{os.path.join('.', text)} for the folder, or {FOLDER / text} for the other"
        )
    if named:
        folder = FOLDER / text
    elif isinstance(weights, str) and not folder.exists():
        if REPOSITORY.fullmatch(text) and not folder.parent.exists():
            folder = from_hub(text, subfolder, **options)
        elif text == Path(text).name and text not in (".", ".."):
            raise FileNotFoundError(unknown(text))
    return folder / subfolder if subfolder else folder


def check_folder(folder: Path) -> None:
    """``FileNotFoundError`` where there is no such folder."""
    if folder.is_file():
        raise FileNotFoundError(f"{folder} is a file: give the folder that it is in, {folder.parent}")
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")


def from_hub(name: str, subfolder: str | None, **options: Any) -> Path:
    """The local copy of a repository's model, in Hugging Face's cache."""
    from huggingface_hub import snapshot_download

    above = f"{os.fspath(subfolder).strip('/')}/" if subfolder else ""
    try:
        return Path(snapshot_download(name, allow_patterns=[above + file for file in FILES], **options))
    except Exception as error:  # of the network, the Hub, its cache: each library has errors of its own
        reason = " ".join(str(error).split())[:200]
        raise FileNotFoundError(
            f"{name} is not a folder here, and could not be downloaded from the Hugging Face Hub "
            f"({type(error).__name__}: {reason}). {what_there_is()}"
        ) from error


def unknown(name: str) -> str:
    close = difflib.get_close_matches(name, shipped_names(), n=3, cutoff=0.5)
    close = [known for known in shipped_names() if known.startswith(name)] or close
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"there are no weights named {shown(name)}, and no folder {expanded(name)}.{hint} {what_there_is()}"


def what_there_is() -> str:
    return f"With mp3lib come: {', '.join(shipped_names())}. Otherwise give a folder, or user/repo of the Hub"
