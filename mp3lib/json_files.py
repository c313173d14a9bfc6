"""Files of JSON: read with errors that name the file, and written so that nobody ever reads half of one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from .paths import written_beside

LARGEST = 200_000_000  # bytes of a file that is read: a log has some hundred an epoch


def parse_json(text: str) -> Any:
    """What a text of JSON says.

    Raises:
        ValueError: for anything else; for NaN and Infinity, which JSON lacks; for an object that has a key twice.
    """

    def finite(digits: str) -> float:
        if not math.isfinite(value := float(digits)):
            raise ValueError(f"{digits[:20]} is not a finite number")
        return value

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
            raise ValueError(f"{twice[:50]!r} is there twice")
        return content

    return json.loads(text, parse_constant=finite, parse_float=finite, object_pairs_hook=once)


def text_of(path: Path, errors: str = "strict") -> str:
    """The text of a file; ``ValueError`` for what is not a regular file, such as a pipe, and for a file too large."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file")
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(f"{path} has {size:,} bytes, and at most {LARGEST:,} are read: it is none of mp3lib's")
    return path.read_text(encoding="utf-8", errors=errors)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; ``ValueError`` for a file that does not hold one."""
    try:
        content = parse_json(text_of(path))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: it is not JSON ({' '.join(str(error).split())[:200]})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: it holds {type(content).__name__} instead of an object")
    return content


def read_jsonl(path: Path) -> list[dict]:
    """The objects of a file of JSON lines; ``ValueError`` if a line is not JSON, naming file and line."""
    lines = []
    for number, line in enumerate(text_of(path, "replace").splitlines(), start=1):
        try:
            lines.append(parse_json(line))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number} is not JSON: {line[:80]!r}") from error
    return lines


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as JSON beside ``path`` and rename it into place, so that nobody ever reads half a file."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and rename it into place.

    A symbolic link stays one: the file that it leads to is replaced. What is there and no regular file, such as a pipe
    or a device, is written to and never replaced.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return
    with written_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")
