"""``python -m mp3lib pretrain``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import PLACES, RECIPES, Parser, by_recipe, image_options, run_options, shape_options
from .training import check_shape, images_of, new_vit, training_arguments
from .values import named, number


def add(commands) -> Parser:
    pre = commands.add_parser(
        "pretrain",
        parents=[image_options(), run_options(), shape_options()],
        help="pretrain a ViT by position prediction",
    )
    pre.add_argument(
        "--recipe",
        choices=tuple(RECIPES),
        default="best",
        help="settings of a new model: the best ones known, or the model of vit_pytorch.mp3 with our AdamW recipe; "
        "single options change them",
    )
    default = "(default: that of --start, else {})"
    ratio = f"fraction hidden from attention; two: drawn between them for each batch {default.format('0.75')}"
    pre.add_argument("--mask-ratio", type=number, nargs="+", metavar="R", help=ratio)
    context = f"updated as in the paper, or frozen as in vit_pytorch {default.format(by_recipe('context'))}"
    pre.add_argument("--context", choices=("updated", "frozen"), help=context)
    pre.add_argument(
        "--start",
        type=named,
        metavar=PLACES,
        help="begin with these weights, pretrained on any size; they give the model's shape",
    )
    pre.add_argument(
        "--query-fraction",
        type=number,
        metavar="Q",
        help=f"share of hidden patches that give queries (default: {by_recipe('query_fraction')})",
    )
    return pre


def run(args: argparse.Namespace) -> dict:
    from ..model import MP3, load_mp3, with_image_size
    from ..train import pretrain

    for name, value in RECIPES[args.recipe].items():
        if getattr(args, name) is None and not (args.start and name in ("patch_norm", "mask_ratio", "context")):
            setattr(args, name, value)
    ratios = args.mask_ratio or drawn_between(args.start)
    if len(ratios) > 2:
        raise ValueError(f"--mask-ratio takes one ratio, or the lowest and the highest, got {ratios}")
    ratio = sum(ratios) / len(ratios) if ratios else None  # of two, the mean becomes the model's own ratio
    start = load_mp3(args.start) if args.start else None
    images = images_of(args, start and start.vit, unlabelled=True)
    if start:
        check_shape(args, start.vit)
        mp3 = with_image_size(start, tuple(images.train.images.shape[2:]), ratio, args.context)
    else:
        mp3 = MP3(new_vit(args, images), ratio, args.context)
    options = training_arguments(args, images, mp3.vit)
    options["mask_ratios"] = tuple(ratios) if len(ratios) == 2 else None
    if start:
        options["about"]["start"] = Path(args.start).as_posix()
    lines = pretrain(mp3, images.train.images[: args.limit], query_fraction=args.query_fraction, **options)
    print(f"{args.out}: epoch {lines[-1]['epoch']}, loss {lines[-1]['loss']:.4f}")
    return lines[-1]


def drawn_between(start: str | None) -> list[float]:
    """The lowest and the highest mask ratio that weights were trained with, if it was drawn for each batch; else []."""
    from ..model import find_weights
    from ..train import read_run

    if not start:
        return []
    folder = find_weights(start)
    run = folder.parent if folder.name.startswith("checkpoint-") else folder
    return read_run(run)["settings"].get("mask_ratios", []) if (run / "run.json").exists() else []
