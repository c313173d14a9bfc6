"""The command line: ``python -m mp3lib COMMAND --help``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from . import stopping
from .cli import COMMANDS, parser


def main(argv: list[str] | None = None) -> int:
    """Run a command. Returns 0, or 1 after an error, or 130 after an interruption; wrong arguments exit with 2."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot show is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    with stopping.stoppable():
        return run(argv)


def run(argv: list[str] | None) -> int:
    """``main``, with the handlers of signals set."""
    args = argparse.Namespace(command=None, debug=False)
    try:
        args = parser().parse_args(argv)
        if getattr(args, "out", None) and args.command in ("probe", "evaluate"):
            from .train.run_folder import check_output

            check_output(args.out)
        with main_process_prints(), notes_as_lines(), new_folders_named(args):
            figures = COMMANDS[args.command](args)
        if getattr(args, "json", False) and not process_named():
            print(json.dumps(figures))
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        print(interrupted(args), file=sys.stderr)
        return 130
    except BrokenPipeError:  # who was reading has gone, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # the one place where an error becomes a line
        if stopping.asked:  # the error is what the interruption became
            print(interrupted(args), file=sys.stderr)
            return 130
        if args.debug:
            raise
        if not getattr(error, "of_main", False):  # else the main process prints it
            print(process_named() + in_a_line(error), file=sys.stderr)
        return 1
    return 0


def process_named() -> str:
    """How a process that is not the main one of several begins its errors: ``process 1: ``."""
    count, rank = (os.environ.get(name, "") for name in ("WORLD_SIZE", "RANK"))
    several = count.isdecimal() and int(count) > 1 and rank.isdecimal()
    return f"process {rank}: " if several and int(rank) else ""


@contextmanager
def main_process_prints() -> Iterator[None]:
    """Of several processes, let the main one alone print what is no error."""
    if not process_named():
        yield
        return
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


@contextmanager
def notes_as_lines() -> Iterator[None]:
    """Print the library's notes as lines, without the place in its source; a setting for warnings never ends a command.

    The library's own warnings alone are meant; for those of others, ``PYTHONWARNINGS`` holds.
    """
    from .data.notes import Note

    with warnings.catch_warnings():
        show = warnings.showwarning

        def line(message, category, *where, **more) -> None:
            if issubclass(category, Note):
                if not process_named():
                    print(f"note: {' '.join(str(message).split())}", file=sys.stderr, flush=True)
            else:
                show(message, category, *where, **more)

        warnings.simplefilter("always", Note)
        warnings.showwarning = line
        yield


@contextmanager
def new_folders_named(args: argparse.Namespace) -> Iterator[None]:
    """Name the folders above a command's outputs that were missing and are there afterwards: a path may be mistyped."""
    outputs = [path for path in vars(args).values() if isinstance(path, Path)]
    missing = dict.fromkeys(f for path in outputs for f in reversed(path.parents) if not f.exists())
    try:
        yield
    finally:
        if (made := [str(folder) for folder in missing if folder.is_dir()]) and not process_named():
            print(
                f"note: made the missing folder{'s' * (len(made) > 1)} {', '.join(made)}", file=sys.stderr, flush=True
            )


def interrupted(args: argparse.Namespace) -> str:
    """What is left of an interrupted command, and how it goes on."""
    if args.command not in ("pretrain", "finetune"):
        return "interrupted before the command was finished"
    # Without an import: the command may have been interrupted while PyTorch was being imported.
    if kept := sorted(args.out.glob("checkpoint-" + "[0-9]" * 8), reverse=True):
        return f"interrupted: {kept[0]} is kept; the same command with --resume goes on from there"
    return f"interrupted before the first checkpoint in {args.out}: the same command with --resume starts anew"


def in_a_line(error: Exception) -> str:
    """An error as one line; one that nobody expected says how to see where it came from."""
    from .data import DataUnavailable

    if isinstance(error, DataUnavailable):  # its lines list what was tried
        return f"{type(error).__name__}: {error}"
    text = " ".join(str(error).split()) or "no message"
    expected = isinstance(error, (ValueError, OSError, FloatingPointError, ImportError))
    if isinstance(error, (MemoryError, RuntimeError)) and "memory" in text.lower():
        return f"{type(error).__name__}: out of memory ({text[:300]}). Try a smaller --batch-size, --size or model"
    hint = "" if expected else " (--debug shows where)"
    return f"{type(error).__name__}: {text[:2000]}{hint}"


if __name__ == "__main__":
    sys.exit(main())
