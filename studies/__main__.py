"""The repository's own runs and tables: ``python -m studies COMMAND --help``."""

from __future__ import annotations

import argparse
import json
import sys

# Each command imports what it needs after the arguments are read, so that --help comes at once.


def run_train(args: argparse.Namespace) -> None:
    from .train import main

    main(args.names, args.list)


def run_stages(args: argparse.Namespace) -> None:
    from .stages import main

    main(args.stages, args.list)


def run_ship(args: argparse.Namespace) -> None:
    from .ship import main

    main(args.run)


def run_cues(args: argparse.Namespace) -> None:
    from .cues import main

    main(args.name)


def run_layers(args: argparse.Namespace) -> None:
    from .layers import main

    main(args.names)


def run_table(args: argparse.Namespace) -> None:
    from .pages import write_made_files
    from .runs import ROOT

    changed = write_made_files(ROOT, args.check)
    if args.json:
        print(json.dumps({"changed": changed}))


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m studies", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(call=run)
        return command

    train = add("train", run_train, "train what the tables and curves show; a call that was stopped goes on")
    train.add_argument("names", nargs="*", metavar="STUDY", help="a study, or how the name of a run begins; none: all")
    train.add_argument("--list", action="store_true", help="train nothing: say what is done and what is left")
    stages = add("stages", run_stages, "train the networks that come with the library; goes on where it was stopped")
    stages.add_argument("stages", nargs="*", metavar="STAGE", help="its name, or how several names begin; none: all")
    stages.add_argument("--list", action="store_true", help="train nothing: print the command of each stage")
    ship = add("ship", run_ship, "add the model of a finished run to the weights that come with the library")
    ship.add_argument("run", metavar="DIR", help="the folder of the run, such as results/runs/flagship-8x8")
    cues = add("cues", run_cues, "measure a shipped model on test images that lack a cue")
    cues.add_argument("name", metavar="NAME", help="of the shipped model, such as flagship-8x8")
    layers = add("layers", run_layers, "probe the features after every layer, with and without position embeddings")
    layers.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="a shipped model, a trained run such as hidden/0.1-20/seed-0, or random",
    )
    table = add("table", run_table, "write anew: results/README.md, results/shown and the cards of shipped models")
    table.add_argument("--check", action="store_true", help="change nothing; fail where a file differs")
    table.add_argument("--json", action="store_true", help="print the names of the changed files as a line of JSON")
    return top


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    from mp3lib.data import DataUnavailable

    try:
        args.call(args)
    except (ValueError, OSError, FloatingPointError, DataUnavailable) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
