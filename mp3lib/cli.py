"""The options of the command line and their help. It imports nothing of ours, so that --help comes at once."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95)
RECIPES: dict[str, dict] = {  # what a new model is pretrained with, unless an option says otherwise
    "best": dict(
        patch_norm=False,
        mask_ratio=[0.75],
        context="updated",
        query_fraction=0.5,
        batch_size=128,
        optimizer="muon",
        precision="auto",
    ),
    "reference": dict(  # the way of vit_pytorch.mp3
        patch_norm=True,
        mask_ratio=[0.75],
        context="frozen",
        query_fraction=1.0,
        batch_size=256,
        optimizer="adamw",
        precision="float32",
    ),
}
SHAPE = {  # of a new ViT: default, letter, help
    "patch_size": (8, "P", "side of a patch in pixels"),
    "dim": (128, "D", "features of a token, a multiple of 4"),
    "depth": (4, "L", "layers"),
    "heads": (2, "H", "attention heads, 64 features each"),
    "mlp_dim": (512, "M", "hidden features of the feed-forward"),
}


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the default of an option, but not where the default is nothing."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m mp3lib", description="Masked position prediction for vision transformers."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    figures = argparse.ArgumentParser(add_help=False)
    figures.add_argument("--json", action="store_true", help="print the figures as a last line of JSON")
    figures.add_argument("--debug", action="store_true", help="after an error, show where it came from")

    data = commands.add_parser(
        "data", parents=[figures], help="where the images are: show, fetch or remove them", description=data_help()
    )
    data.add_argument("action", choices=("status", "fetch", "clear"), help="what to do")

    common = argparse.ArgumentParser(add_help=False, parents=[figures])
    common.add_argument("--data", type=named, default="auto", metavar="auto|cifar10|scenes|PATH", help="the images")
    common.add_argument(
        "--size",
        type=whole,
        nargs="+",
        metavar="PIXELS",
        help="side, or height and width (default: that of the weights, else 32)",
    )
    common.add_argument("--limit", type=whole, metavar="N", help="use the first N training images only")

    shape = argparse.ArgumentParser(add_help=False)
    for name, (default, metavar, text) in SHAPE.items():
        shape.add_argument(option(name), type=whole, metavar=metavar, help=f"{text} (default: {default})")
    shape.add_argument(
        "--patch-norm",
        action=argparse.BooleanOptionalAction,
        help=f"LayerNorm on a patch's pixels (default: {by_recipe('patch_norm')}; finetune: with it)",
    )

    run = argparse.ArgumentParser(add_help=False)
    run.add_argument("--out", type=path, required=True, metavar="DIR", help="run folder; made if missing")
    run.add_argument("--epochs", type=whole, default=5, metavar="N", help="passes over the training images")
    run.add_argument(
        "--batch-size",
        type=whole,
        metavar="B",
        help=f"images a step, over all processes (default: {by_recipe('batch_size')}; finetune: 256)",
    )
    run.add_argument(
        "--lr", type=positive, help="highest learning rate (default: muon 0.002, adamw 0.001; finetune: half of it)"
    )
    run.add_argument("--weight-decay", type=number, default=0.05, metavar="W", help="of the matrices, decoupled")
    run.add_argument(
        "--optimizer",
        choices=("muon", "adamw"),
        help=f"for the transformer's matrices (default: {by_recipe('optimizer')}; finetune: muon)",
    )
    run.add_argument(
        "--ema", type=number, default=0.0, metavar="D", help="test and save a moving average of the weights; try 0.999"
    )
    run.add_argument(
        "--crop-area",
        type=number,
        nargs=2,
        default=(0.6, 1.0),
        metavar=("LOW", "HIGH"),
        help="share of an image's area that a random crop keeps",
    )
    run.add_argument("--no-flip", action="store_true", help="do not mirror images; for digits and letters")
    run.add_argument(
        "--precision",
        choices=("auto", "bf16", "float32"),
        help=f"of matrix products (default: {by_recipe('precision')}; finetune: auto)",
    )
    run.add_argument("--seed", type=count, default=0, help="of weights and training")
    run.add_argument("--eval-every", type=count, default=1, metavar="N", help="epochs between tests; 0: never")
    run.add_argument("--resume", action="store_true", help="go on from DIR, or start anew where there is nothing")

    pre = commands.add_parser(
        "pretrain", parents=[common, run, shape], formatter_class=Help, help="pretrain a ViT by position prediction"
    )
    pre.add_argument(
        "--recipe",
        choices=tuple(RECIPES),
        default="best",
        help="settings of a new model: the best ones known, or those of vit_pytorch; single options change them",
    )
    default = "(default: that of --start, else {})"
    ratio = f"fraction hidden from attention; two: drawn between them for each batch {default.format('0.75')}"
    pre.add_argument("--mask-ratio", type=number, nargs="+", metavar="R", help=ratio)
    context = f"updated as in the paper, or frozen as in vit_pytorch {default.format(by_recipe('context'))}"
    pre.add_argument("--context", choices=("updated", "frozen"), help=context)
    pre.add_argument(
        "--start",
        type=named,
        metavar="DIR",
        help="begin with these weights, pretrained on any size; they give the model's shape",
    )
    pre.add_argument(
        "--query-fraction",
        type=number,
        metavar="Q",
        help=f"share of hidden patches that give queries (default: {by_recipe('query_fraction')})",
    )

    weights = "folder with config.json and model.safetensors"
    fine = commands.add_parser(
        "finetune", parents=[common, run, shape], formatter_class=Help, help="train a ViT, pretrained or not, on labels"
    )
    fine.add_argument("--weights", type=named, required=True, metavar="DIR|none", help=f"{weights}; none: from scratch")
    fine.add_argument("--no-pos-emb", action="store_true", help="leave the position embeddings out")
    fine.add_argument(
        "--layer-decay",
        type=number,
        default=1.0,
        metavar="D",
        help="learning rate of a layer, relative to the layer above",
    )
    fine.add_argument(
        "--augment", type=number, default=0.0, metavar="S", help="distort geometry and colours, strength 0 to 1"
    )
    fine.add_argument(
        "--erase", type=number, default=0.0, metavar="P", help="probability that a box of an image is painted over"
    )
    fine.add_argument(
        "--mix", type=number, default=0.0, metavar="P", help="probability that a batch is mixed, by MixUp or CutMix"
    )
    fine.add_argument("--label-smoothing", type=number, default=0.0, metavar="S", help="probability spread evenly")
    fine.add_argument(
        "--drop-path",
        type=number,
        default=0.0,
        metavar="P",
        help="probability that the last layer is left out for an image",
    )

    probe = commands.add_parser(
        "probe", parents=[common], formatter_class=Help, help="k-NN and linear top-1 accuracy of frozen features"
    )
    probe.add_argument("--weights", type=named, required=True, metavar="DIR", help=weights)
    probe.add_argument("--no-pos-emb", action="store_true", help="leave the position embeddings out")
    probe.add_argument("--seed", type=count, default=0, help="of the probe and of the random-init control")
    probe.add_argument("--out", type=path, metavar="FILE", help="also write the figures there, as JSON")

    test = commands.add_parser(
        "evaluate",
        parents=[common],
        formatter_class=Help,
        help="position accuracy of a pretrained model; top-1 of a fine-tuned one",
    )
    test.add_argument("--weights", type=named, required=True, metavar="DIR", help=weights)
    test.add_argument("--mask-ratios", type=number, nargs="+", default=RATIOS, metavar="R", help="fractions hidden")
    test.add_argument(
        "--no-pos-emb",
        action="store_true",
        help="leave the position embeddings out (a run folder trained without them does so by itself)",
    )
    test.add_argument("--seed", type=count, default=0, help="of the contexts")
    test.add_argument("--floor-epochs", type=whole, default=20, metavar="N", help="for the patch-only floor")
    test.add_argument("--out", type=path, metavar="FILE", help="also write the figures there, as JSON")
    return top


def data_help() -> str:
    return (
        "CIFAR-10 is looked for at $MP3_DATA, then in the cache ($MP3_CACHE, else the user's cache folder), then "
        "downloaded; MP3_DATA=scenes forces the small embedded set."
    )


def by_recipe(name: str) -> str:
    """The default of an option in words: that of the best recipe, and of the reference where it is another one."""
    best, reference = (recipe[name] for recipe in RECIPES.values())
    return str(best) if best == reference else f"{best}; --recipe reference: {reference}"


def option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


LARGEST = 2**31 - 1  # of whole numbers; more than any size, number or seed needs


def whole(text: str) -> int:
    """A whole number from 1."""
    return _between(text, 1)


def count(text: str) -> int:
    """A whole number from 0."""
    return _between(text, 0)


def _between(text: str, lowest: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}") from None
    if not lowest <= value <= LARGEST:
        raise argparse.ArgumentTypeError(f"must be {lowest} to {LARGEST}, got {value}")
    return value


def number(text: str) -> float:
    """A finite number from 0."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, got {text!r}") from None
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number of 0 or more, got {text}")
    return value


def positive(text: str) -> float:
    """A finite number above 0."""
    if not (value := number(text)):
        raise argparse.ArgumentTypeError("must be above 0, got 0")
    return value


def named(text: str) -> str:
    """A name or a path that is not empty; ``~`` is expanded where it is used."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def path(text: str) -> Path:
    """A path that is not empty, with ``~`` expanded."""
    from .paths import expanded

    try:
        return expanded(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
