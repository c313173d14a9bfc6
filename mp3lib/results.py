"""What the notebooks show of the long runs: small files that come with the library."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

CLONE = Path(__file__).resolve().parents[1] / "results"


def stored(name: str) -> Any:
    """The content of a stored result: of a ``.json`` file what it holds, of any other its text.

    Args:
        name: a file below ``results/`` of a clone, such as ``"evaluations/pupil-4x4.json"`` or
            ``"shown/equal_cost.md"``. Where the library was installed without a clone, the same files are in
            ``share/mp3lib/results`` of the Python environment.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for something else than a name.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"the name of a stored result must be a string such as 'shown/equal_cost.md', got {name!r}")
    path = CLONE / name
    if not path.is_file():
        path = _installed(name) or path
    if not path.is_file():
        raise FileNotFoundError(f"there is no stored result {name!r}: neither in {CLONE} nor installed with mp3lib")
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else text


def _installed(name: str) -> Path | None:
    """Where the installed distribution has put a result; None if it has none of that name."""
    try:
        files = metadata.files("mp3lib") or []
    except metadata.PackageNotFoundError:
        return None
    found = [Path(file.locate()) for file in files if file.as_posix().endswith(f"share/mp3lib/results/{name}")]
    found.append(CLONE.parent / "share" / "mp3lib" / "results" / name)  # pip install --target
    return next((path for path in found if path.exists()), None)
