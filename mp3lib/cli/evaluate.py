"""``python -m mp3lib evaluate``."""

from __future__ import annotations

import argparse

from .options import RATIOS, Parser, image_options, weights_options
from .training import images_of
from .values import number, path, seed, whole


def add(commands) -> Parser:
    test = commands.add_parser(
        "evaluate",
        parents=[image_options(), weights_options()],
        help="position accuracy of a pretrained model; top-1 of a fine-tuned one",
    )
    test.add_argument("--mask-ratios", type=number, nargs="+", default=RATIOS, metavar="R", help="fractions hidden")
    test.add_argument("--seed", type=seed, default=0, help="of the contexts")
    test.add_argument("--floor-epochs", type=whole, default=20, metavar="N", help="for the patch-only floor")
    test.add_argument("--out", type=path, metavar="FILE", help="also write the figures there, as JSON")
    return test


def run(args: argparse.Namespace) -> dict:
    from ..json_files import write_json
    from ..model import MP3, load_model
    from ..train.run_folder import versions
    from .measures import measure_positions, measure_top1

    model = load_model(args.weights)
    measure, vit = (measure_positions, model.vit) if isinstance(model, MP3) else (measure_top1, model)
    images = images_of(args, vit)
    figures = {"weights": str(args.weights), "images": len(images.test), "fingerprint": images.fingerprint}
    figures |= measure(args, images, model) | {"versions": versions()}
    if args.out:
        write_json(args.out, figures)
    return figures
