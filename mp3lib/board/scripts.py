"""The JavaScript of the board, from the files of mp3lib/live."""

from __future__ import annotations

import re
from pathlib import Path

LIVE = Path(__file__).parents[1] / "live"
# the files of the board, each after those that it imports
BOARD = (
    "mp3.js", "solve.js", "worker.js", "drawing.js", "questions.js", "panels.js", "cells.js", "gestures.js",
    "actions.js", "layout.js", "networks.js", "board.js",
)  # fmt: skip


def script(*modules: str) -> str:
    """JavaScript files of mp3lib/live as one script, without imports and exports; each file after those it imports."""
    texts = [(LIVE / name).read_text(encoding="utf-8") for name in modules]
    return "\n".join(re.sub(r"^(export |import .*\n)", "", text, flags=re.MULTILINE) for text in texts)
