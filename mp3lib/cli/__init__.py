"""The command line: a file a command, each with its options (``add``) and what it does (``run``).

What several commands share is in ``options`` and ``training``. Nothing here imports PyTorch before a command runs, so
that ``--help`` comes at once.
"""

from __future__ import annotations

from . import data, embed, evaluate, export, finetune, pretrain, probe, runs
from .options import RECIPES, Parser

FILES = {
    "data": data,
    "pretrain": pretrain,
    "finetune": finetune,
    "runs": runs,
    "probe": probe,
    "evaluate": evaluate,
    "embed": embed,
    "export": export,
}
COMMANDS = {name: file.run for name, file in FILES.items()}

__all__ = ["COMMANDS", "RECIPES", "parser"]


def parser() -> Parser:
    """Of all commands; ``commands`` are their own, by name."""
    top = Parser(
        prog="python -m mp3lib",
        description="Masked position prediction for vision transformers: pretrain on pictures without labels, compare "
        "runs, finetune on labels, probe and evaluate, and take features (embed) or the model (export) elsewhere.",
        epilog="python -m mp3lib COMMAND --help shows the options of a command.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    top.commands = {name: file.add(commands) for name, file in FILES.items()}
    return top
