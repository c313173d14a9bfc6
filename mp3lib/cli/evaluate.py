"""``python -m mp3lib evaluate``."""

from __future__ import annotations

import argparse

from .options import RATIOS, Parser, image_options, weights_options
from .training import NO_POSITIONS, images_of, note_no_use, on_device
from .values import count, number, path, seed

FLOOR_EPOCHS = 20  # of the patch-only floor, unless an option says otherwise


def add(commands) -> Parser:
    test = commands.add_parser(
        "evaluate",
        parents=[image_options(), weights_options()],
        help="position accuracy of a pretrained model; top-1 of a fine-tuned one",
        description="Measures a model on the test images. For a pretrained model it also trains a small network to "
        "place single patches of the training images, without any context: the patch-only floor, with which position "
        "accuracies are compared. With many large images this takes longer than the rest; --floor-epochs makes it "
        "shorter or leaves it out.",
    )
    test.add_argument("--mask-ratios", type=number, nargs="+", default=RATIOS, metavar="R", help="fractions hidden")
    test.add_argument("--seed", type=seed, default=0, help="of the contexts")
    test.add_argument(
        "--floor-epochs",
        type=count,
        default=FLOOR_EPOCHS,
        metavar="N",
        help="passes of the patch-only floor over the training images, or over every second, third, … one where all "
        "have more than 3.2 million patches; 0: no floor",
    )
    test.add_argument("--out", type=path, metavar="FILE", help="also write the figures there, as JSON")
    return test


def run(args: argparse.Namespace) -> dict:
    from ..json_files import write_json
    from ..model import MP3, load_model
    from ..train.run_folder import versions
    from .measures import measure_positions, measure_top1

    model = on_device(load_model(args.weights))
    measure, vit = (measure_positions, model.vit) if isinstance(model, MP3) else (measure_top1, model)
    note_unused(args, isinstance(model, MP3))
    images = images_of(args, vit)
    figures = {"weights": str(args.weights), "images": len(images.test), "fingerprint": images.fingerprint}
    figures |= measure(args, images, model) | {"versions": versions()}
    if args.out:
        write_json(args.out, figures)
    return figures


def note_unused(args: argparse.Namespace, pretrained: bool) -> None:
    """A note on options that change nothing: of positions for a classifier, of the floor where there is none,
    of position embeddings for a model of MP3."""
    given = {
        "--mask-ratios": tuple(args.mask_ratios) != RATIOS,
        "--floor-epochs": args.floor_epochs != FLOOR_EPOCHS,
        "--seed": args.seed,
        "--limit": args.limit,
    }
    unused = [name for name, is_given in given.items() if is_given]
    if unused and not pretrained:
        why = "of a classifier the top-1 accuracy on all test images is measured, without anything random"
        note_no_use(" and ".join(unused), why)
    if pretrained and args.no_pos_emb:
        note_no_use("--no-pos-emb", NO_POSITIONS)
    if pretrained and args.limit and not args.floor_epochs:
        note_no_use("--limit", "it is for the training images of the patch-only floor, which is left out")
