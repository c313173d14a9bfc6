"""``python -m mp3lib probe``."""

from __future__ import annotations

import argparse
import warnings

from .options import Parser, feature_options, image_options, weights_options
from .training import images_of, limited, on_device, with_positions
from .values import path, seed


def add(commands) -> Parser:
    probe = commands.add_parser(
        "probe",
        parents=[image_options(), weights_options(), feature_options()],
        help="k-NN and linear top-1 accuracy of frozen features",
    )
    probe.add_argument("--seed", type=seed, default=0, help="of the probe and of the random-init control")
    probe.add_argument("--out", type=path, metavar="FILE", help="also write the figures there, as JSON")
    return probe


def run(args: argparse.Namespace) -> dict:
    import torch

    from ..data.notes import Note
    from ..evaluate import frozen_features, knn_top1, linear_top1
    from ..json_files import write_json
    from ..model import ViT, load_vit
    from ..model.checking import layer_numbers
    from ..train.run_folder import versions

    vit = on_device(load_vit(args.weights))
    layer_numbers([args.layer], len(vit.transformer.layers), "--layer")
    images, pos_emb = images_of(args, vit), with_positions(args, vit)
    (train, labels), test = limited(args, images), images.test.images
    note_unknown(images, labels)
    torch.manual_seed(args.seed)
    control = on_device(ViT(**vit.config))
    figures = {"folder": args.weights, "fingerprint": images.fingerprint, "versions": versions()}
    figures |= {"layer": args.layer, "pos_emb": pos_emb}
    for name, model in (("weights", vit), ("random init", control)):
        x, z = (frozen_features(model, part, pos_emb=pos_emb, layer=args.layer) for part in (train, test))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"\d+ of \d+ test labels", Note)  # told above, by name
            knn = knn_top1(x, labels, z, images.test.labels)
            linear = linear_top1(x, labels, z, images.test.labels, seed=args.seed)
        print(f"{name:>12}: k-NN {knn:.4f}, linear {linear:.4f}")
        figures[name] = {"knn": knn, "linear": linear}
    if args.out:
        write_json(args.out, figures)
    return figures


def note_unknown(images, labels) -> None:
    """A note where some test images are of classes that no training label (N,) names."""
    from ..data.notes import Note, listed

    known = {*labels.tolist()}
    unknown = [label for label in images.test.labels.tolist() if label not in known]
    if 0 < len(unknown) < len(images.test):
        names = listed(images.classes[label] for label in unknown)
        text = f"{len(unknown):,} of {len(images.test):,} test images are of the class {names}"
        warnings.warn(f"{images.name}: {text}, which no training image has: they count as wrong", Note, stacklevel=2)
