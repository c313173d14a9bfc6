"""Options that several commands have."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .values import count, finite, named, number, path, positive, seed, whole

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
    "reference": dict(  # the model of vit_pytorch.mp3, which has no recipe of its own
        patch_norm=True,
        mask_ratio=[0.75],
        context="frozen",
        query_fraction=1.0,
        batch_size=256,
        optimizer="adamw",
        precision="float32",
    ),
}
MODELS = ("vit-ti16", "vit-s16", "vit-b16", "student", "flagship")  # those of mp3lib.model.PRESETS
SHAPE = {  # of a new ViT: letter, help
    "patch_size": (
        "P",
        "side of a patch in pixels (default: the smallest of 8 or more with at most 14 x 14 positions; below 32 "
        "pixels: of a quarter of the shorter side or more)",
    ),
    "dim": ("D", "features of a token, a multiple of 4"),
    "depth": ("L", "layers"),
    "heads": ("H", "attention heads, 64 features each"),
    "mlp_dim": ("M", "hidden features of the feed-forward"),
}
WEIGHTS = "run folder, name of shipped weights, or user/repo of the Hugging Face Hub"
PLACES = "DIR|NAME|USER/REPO"  # of weights
IMAGES = ("auto", "cifar10", "scenes")  # names of images; anything else is a path


class Parser(argparse.ArgumentParser):
    """A parser that shows the default of an option where it is something, and that keeps lists of what it has.

    ``options`` are its options and arguments, those of its ``parents`` first, without ``--help``; ``commands`` its
    parsers of commands, by name.
    """

    def __init__(self, *args: Any, parents: Sequence[Parser] = (), **more: Any):
        self.options: list[argparse.Action] = [option for parent in parents for option in parent.options]
        self.commands: dict[str, Parser] = {}
        super().__init__(*args, parents=parents, **more)

    def add_argument(self, *names: str, **about: Any) -> argparse.Action:
        return self.added(super().add_argument(*names, **with_default(about)))

    def add_either(self, options: dict[str, dict[str, Any]]) -> None:
        """Options that exclude each other, by name, each with the arguments of ``add_argument``."""
        group = self.add_mutually_exclusive_group()
        for name, about in options.items():
            self.added(group.add_argument(name, **with_default(about)))

    def added(self, option: argparse.Action) -> argparse.Action:
        self.options += [option] if option.dest != "help" else []
        return option


def with_default(about: dict[str, Any]) -> dict[str, Any]:
    """The arguments of ``add_argument``, with the default in the help unless it is None, False or 0."""
    if about.get("default") in (None, False, argparse.SUPPRESS):
        return about
    return about | {"help": f"{about['help']} (default: %(default)s)"}


def figures_options() -> Parser:
    """Of every command: how results and errors are printed."""
    figures = Parser(add_help=False)
    figures.add_argument("--json", action="store_true", help="print the figures as a last line of JSON")
    figures.add_argument("--debug", action="store_true", help="after an error, show where it came from")
    return figures


def image_options() -> Parser:
    """Of every command that reads images."""
    common = Parser(add_help=False, parents=[figures_options()])
    common.add_argument("--data", type=named, default="auto", metavar="|".join([*IMAGES, "PATH"]), help="the images")
    common.add_argument(
        "--size",
        type=whole,
        nargs="+",
        metavar="PIXELS",
        help="side, or height and width (default: that of the weights or of --model, else 32)",
    )
    add_array_options(common)
    leave = "leave pictures on disk, and let workers read them when they are needed (default: as memory allows)"
    read = "read all pictures into memory at the start"
    common.add_either(
        {
            "--stream": dict(action="store_true", default=None, help=leave),
            "--in-memory": dict(dest="stream", action="store_false", default=None, help=read),
        }
    )
    common.add_argument(
        "--workers", type=count, metavar="N", help="processes that read a streamed set (default: one a core, at most 8)"
    )
    common.add_argument("--limit", type=whole, metavar="N", help="use the first N training images only")
    return common


def add_array_options(parser: Parser) -> None:
    """Of commands that read arrays (``.npy``), too."""
    parser.add_argument(
        "--channels", type=whole, metavar="C", help="channels of arrays (.npy; default: those of the weights, else 3)"
    )
    parser.add_argument(
        "--value-range",
        type=finite,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="values that become 0 and 255, of arrays (.npy) of uint16 or floats, and of pictures of more than 8 bits "
        "(default: those of the weights; else those of such pictures say it)",
    )


def weights_options() -> Parser:
    """Of every command that uses a trained model as it is."""
    trained = Parser(add_help=False)
    trained.add_argument("--weights", type=named, required=True, metavar=PLACES, help=WEIGHTS)
    trained.add_argument(
        "--no-pos-emb",
        action="store_true",
        help="leave the position embeddings out (a run folder trained without them does so by itself)",
    )
    return trained


def feature_options() -> Parser:
    """Of every command that takes features of images."""
    features = Parser(add_help=False)
    features.add_argument(
        "--layer", type=int, default=-1, metavar="L", help="after so many layers; -1: the last, -2: the one before"
    )
    return features


def shape_options() -> Parser:
    """The shape of a new ViT."""
    shape = Parser(add_help=False)
    shape.add_argument(
        "--model",
        choices=MODELS,
        help="a shape by name, with its image size, patches and learning rate; the options below change it "
        "(default: student, 128 features, 4 layers, 2 heads)",
    )
    for name, (metavar, text) in SHAPE.items():
        shape.add_argument(option(name), type=whole, metavar=metavar, help=text)
    shape.add_argument(
        "--patch-norm",
        action=argparse.BooleanOptionalAction,
        help=f"LayerNorm on a patch's pixels (default: {by_recipe('patch_norm')})",
    )
    return shape


def run_options() -> Parser:
    """Of a training."""
    run = Parser(add_help=False)
    run.add_argument("--out", type=path, required=True, metavar="DIR", help="run folder; made if missing")
    run.add_argument("--epochs", type=whole, default=5, metavar="N", help="passes over the training images")
    run.add_argument(
        "--batch-size",
        type=whole,
        metavar="B",
        help=f"images a step, over all processes (default: {by_recipe('batch_size')}; finetune: 256)",
    )
    run.add_argument(
        "--lr",
        type=positive,
        help="highest learning rate (default: muon 0.002, adamw 0.001; finetune: muon 0.004, or 0.008 with --weights "
        "none, adamw 0.0005; shapes of a vit-…16: 0.0005 for 512 images a step)",
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
    run.add_argument(
        "--schedule",
        choices=("cosine", "constant", "wsd"),
        default="cosine",
        help="of the learning rate: falls to 0, stays, or stays and falls in the last fifth",
    )
    run.add_argument(
        "--warmup",
        type=number,
        metavar="E",
        help="epochs in which the rate rises (default: cosine a tenth of the steps, at most 1 epoch; else 1 epoch)",
    )
    run.add_argument(
        "--accumulate", type=whole, default=1, metavar="N", help="compute a step's batch in N parts, in less memory"
    )
    run.add_argument(
        "--clip-grad", type=number, default=0.0, metavar="X", help="largest norm of the gradient; 0 for any"
    )
    run.add_argument("--compile", action="store_true", help="run the blocks through torch.compile")
    run.add_argument(
        "--checkpoint-activations",
        action="store_true",
        help="compute each block again in the backward pass: the same gradients in less memory and more time",
    )
    run.add_argument("--seed", type=seed, default=0, help="of weights and training")
    run.add_argument("--eval-every", type=count, default=1, metavar="N", help="epochs between tests; 0: never")
    run.add_argument(
        "--keep",
        choices=("last", "best"),
        default="last",
        help="end with the weights of the last epoch, or of that with the best test measure",
    )
    run.add_argument(
        "--patience", type=count, default=0, metavar="N", help="end after N tests without a better measure; 0: never"
    )
    run.add_argument(
        "--save-every", type=count, default=0, metavar="STEPS", help="further checkpoints within an epoch; 0: none"
    )
    run.add_argument(
        "--log",
        nargs="+",
        metavar="TRACKER",
        help="also send the log there: tensorboard, wandb, mlflow, … (see Accelerate)",
    )
    run.add_argument("--license", type=named, metavar="NAME", help="of the weights, for the model card: mit, cc0-1.0 …")
    run.add_argument(
        "--resume",
        action="store_true",
        help="go on from DIR, or start anew where there is nothing; with more --epochs where --schedule allows it",
    )
    return run


def by_recipe(name: str) -> str:
    """The default of an option in words: that of the best recipe, and of the reference where it is another one."""
    best, reference = (recipe[name] for recipe in RECIPES.values())
    return str(best) if best == reference else f"{best}; --recipe reference: {reference}"


def option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
