"""``python -m mp3lib finetune``."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import PLACES, WEIGHTS, Parser, image_options, run_options, shape_options
from .training import SCRATCH_LR, check_shape, images_of, limited, new_vit, training_arguments, with_positions
from .values import named, number


def add(commands) -> Parser:
    fine = commands.add_parser(
        "finetune",
        parents=[image_options(), run_options(), shape_options()],
        help="train a ViT, pretrained or not, on labels",
    )
    fine.add_argument(
        "--weights", type=named, required=True, metavar=f"{PLACES}|none", help=f"{WEIGHTS}; none: from scratch"
    )
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
    return fine


def run(args: argparse.Namespace) -> dict:
    import torch

    from ..data.notes import listed
    from ..model import MP3, load_model, use_classes
    from ..train import finetune

    start = None if args.weights == "none" else load_model(args.weights)
    body = start.vit if isinstance(start, MP3) else start
    images = images_of(args, body)
    if body is None:
        vit = new_vit(args, images)
        vit.classes = images.classes
    else:
        check_shape(args, body)
        torch.manual_seed(args.seed)
        vit = use_classes(body, images.classes, tuple(images.train.images.shape[2:]))
        if body is start and body.classes in (None, images.classes) and body.num_classes == len(images.classes):
            vit.linear_head.load_state_dict(body.linear_head.state_dict())
            known = "already tells these classes apart" if body.classes else "has as many classes, without names"
            print(f"{args.weights} {known}: its head is kept")
        elif body is start and body.classes:
            print(f"{args.weights} tells other classes apart ({listed(body.classes)}): it gets a new head")
    scratch_with_muon = body is None and args.optimizer != "adamw"
    options = training_arguments(args, images, vit, SCRATCH_LR if scratch_with_muon else None)
    options["about"] |= {"weights": Path(args.weights).as_posix(), "classes": list(images.classes)}
    lines = finetune(
        vit,
        *limited(args, images),
        pos_emb=with_positions(args, vit),
        layer_decay=args.layer_decay,
        augment=args.augment,
        erase=args.erase,
        mix=args.mix,
        label_smoothing=args.label_smoothing,
        drop_path=args.drop_path,
        eval_labels=images.test.labels,
        **options,
    )
    top1 = f", top-1 {lines[-1]['test_top1']:.4f}" if "test_top1" in lines[-1] else ""
    print(f"{args.out}: epoch {lines[-1]['epoch']}, loss {lines[-1]['loss']:.4f}{top1}")
    return lines[-1]
