"""The command line: ``python -m mp3lib COMMAND --help``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .cli import CONTEXT, MASK_RATIO, SHAPE, option, parser


def data(args: argparse.Namespace) -> dict:
    from . import data

    if args.action == "fetch":
        images = data.fetch()
        return {"data": images.name, "fingerprint": images.fingerprint}
    told = data.status() if args.action == "status" else data.clear()
    print(told)
    return {args.action: told}


def the_images(args: argparse.Namespace, vit=None):
    """The images, of ``--size``; without it of the size that the ViT of given weights was trained on, or else 32."""
    from . import load_images

    size = args.size or list(vit.image_size if vit else [32])
    if len(size) > 2:
        raise ValueError(f"--size takes one number or two, got {size}")
    return load_images(args.data, size=size[0] if len(set(size)) == 1 else tuple(size))


def new_vit(args: argparse.Namespace, images):
    import torch

    from . import ViT

    torch.manual_seed(args.seed)
    return ViT(
        num_classes=len(images.classes),
        image_size=tuple(images.train.images.shape[2:]),
        channels=images.train.images.shape[1],
        patch_norm=not args.no_patch_norm,
        **{name: getattr(args, name) or default for name, (default, *_) in SHAPE.items()},
    )


def check_shape(args: argparse.Namespace, vit) -> None:
    """Weights come with their shape: an option that names another one is an error, not a wish."""
    has = vit._hub_mixin_config | {"patch_size": vit.patch_size[0]}
    asked = {name: getattr(args, name) for name in SHAPE}
    wrong = [f"{option(n)} {value} (theirs: {has[n]})" for n, value in asked.items() if value not in (None, has[n])]
    if args.no_patch_norm and vit.patch_norm:
        wrong.append("--no-patch-norm (theirs have it)")
    if wrong:
        raise ValueError(f"the weights are of another shape than {', '.join(wrong)}: leave that out")


def run_settings(args: argparse.Namespace, images) -> dict:
    names = (
        "epochs",
        "batch_size",
        "lr",
        "weight_decay",
        "optimizer",
        "ema",
        "precision",
        "seed",
        "eval_every",
        "out",
        "resume",
    )
    about = {"data": images.name, "source": images.source, "fingerprint": images.fingerprint}
    settings = {name: getattr(args, name) for name in names} | {"flip": not args.no_flip}
    return settings | {"crop_area": tuple(args.crop_area), "eval_images": images.test.images, "about": about}


def pretrain(args: argparse.Namespace) -> dict:
    from . import MP3
    from .mp3 import load_mp3, with_image_size
    from .train import pretrain

    ratios = args.mask_ratio or []
    if len(ratios) > 2:
        raise ValueError(f"--mask-ratio takes one ratio, or the lowest and the highest, got {ratios}")
    ratio = sum(ratios) / len(ratios) if ratios else None  # that of the model, and the mean of those drawn
    start = load_mp3(args.start) if args.start else None
    images = the_images(args, start and start.vit)
    settings = run_settings(args, images) | {"mask_ratios": tuple(ratios) if len(ratios) == 2 else None}
    if start:
        check_shape(args, start.vit)
        mp3 = with_image_size(start, tuple(images.train.images.shape[2:]), ratio, args.context)
        settings["about"]["start"] = Path(args.start).as_posix()
    else:
        mp3 = MP3(new_vit(args, images), MASK_RATIO if ratio is None else ratio, args.context or CONTEXT)
    lines = pretrain(mp3, images.train.images[: args.limit], query_fraction=args.query_fraction, **settings)
    print(f"{args.out}: epoch {lines[-1]['epoch']}, loss {lines[-1]['loss']:.4f}")
    return lines[-1]


def finetune(args: argparse.Namespace) -> dict:
    import torch

    from .finetune import finetune, use_classes
    from .mp3 import MP3, load_model

    start = None if args.weights == "none" else load_model(args.weights)
    body = start.vit if isinstance(start, MP3) else start
    images = the_images(args, body)
    if body is None:
        vit = new_vit(args, images)
    else:
        check_shape(args, body)
        torch.manual_seed(args.seed)
        vit = use_classes(body, len(images.classes), tuple(images.train.images.shape[2:]))
        if body is start and body.linear_head[1].out_features == len(images.classes):
            vit.linear_head.load_state_dict(body.linear_head.state_dict())
            print(f"{args.weights} tells as many classes already: its head is kept")
    settings = run_settings(args, images)
    settings["about"]["weights"] = Path(args.weights).as_posix()
    lines = finetune(
        vit,
        images.train.images[: args.limit],
        images.train.labels[: args.limit],
        pos_emb=not args.no_pos_emb,
        layer_decay=args.layer_decay,
        augment=args.augment,
        erase=args.erase,
        mix=args.mix,
        label_smoothing=args.label_smoothing,
        drop_path=args.drop_path,
        eval_labels=images.test.labels,
        **settings,
    )
    top1 = f", top-1 {lines[-1]['test_top1']:.4f}" if "test_top1" in lines[-1] else ""
    print(f"{args.out}: epoch {lines[-1]['epoch']}, loss {lines[-1]['loss']:.4f}{top1}")
    return lines[-1]


def probe(args: argparse.Namespace) -> dict:
    import torch

    from . import ViT
    from .finetune import frozen_features, knn_top1, linear_top1, load_vit
    from .results import versions, write_json

    vit = load_vit(args.weights)
    images = the_images(args, vit)
    train, test, labels = images.train.images[: args.limit], images.test.images, images.train.labels[: args.limit]
    torch.manual_seed(args.seed)
    control = ViT(**vit._hub_mixin_config)
    figures = {"folder": args.weights, "fingerprint": images.fingerprint, "versions": versions()}
    for name, model in (("weights", vit), ("random init", control)):
        x, z = (frozen_features(model, part, pos_emb=not args.no_pos_emb) for part in (train, test))
        knn = knn_top1(x, labels, z, images.test.labels)
        linear = linear_top1(x, labels, z, images.test.labels, seed=args.seed)
        print(f"{name:>12}: k-NN {knn:.4f}, linear {linear:.4f}")
        figures[name] = {"knn": knn, "linear": linear}
    if args.out:
        write_json(args.out, figures)
    return figures


def evaluate(args: argparse.Namespace) -> dict:
    from .mp3 import MP3, load_model
    from .results import versions, write_json

    model = load_model(args.weights)
    told, vit = (positions, model.vit) if isinstance(model, MP3) else (top1, model)
    images = the_images(args, vit)
    figures = {"weights": str(args.weights), "images": len(images.test), "fingerprint": images.fingerprint}
    figures |= told(args, images, model) | {"versions": versions()}
    if args.out:
        write_json(args.out, figures)
    return figures


def top1(args: argparse.Namespace, images, vit) -> dict:
    """Of a classifier: the share of test images that it names right, of all and of each class."""
    from .finetune import top1
    from .results import read_run

    pos_emb = not args.no_pos_emb
    folder = Path(args.weights)
    run = folder.parent if folder.name.startswith("checkpoint-") else folder
    if (run / "run.json").exists():  # it knows how it was trained
        pos_emb = pos_emb and read_run(run)["settings"].get("pos_emb", True)
    if (classes := vit.linear_head[1].out_features) != len(images.classes):
        raise ValueError(f"{args.weights} tells {classes} classes, {images.name} has {len(images.classes)}")
    test, by_class = images.test, {}
    for label, name in enumerate(images.classes):
        if (chosen := test.labels == label).any():
            share = top1(vit, test.images[chosen], test.labels[chosen], pos_emb=pos_emb)
            by_class[name] = {"images": int(chosen.sum()), "top1": share}
            print(f"{name:>12} {share:8.4f}")
    right = sum(round(c["images"] * c["top1"]) for c in by_class.values())
    print(f"{'all':>12} {right / len(test):8.4f}")
    return {"top1": right / len(test), "pos_emb": pos_emb, "classes": by_class}


def positions(args: argparse.Namespace, images, mp3) -> dict:
    """Of a pretrained model: position accuracy by mask ratio, beside the patch-only floor and chance."""
    from .evaluate import patch_only_floor, position_accuracy

    n = mp3.vit.num_patches
    scores = position_accuracy(mp3, images.test.images, args.mask_ratios, jigsaw=True, seed=args.seed)
    floor = patch_only_floor(
        images.train.images[: args.limit],
        images.test.images,
        mp3.vit.patch_size,
        epochs=args.floor_epochs,
        seed=args.seed,
        patch_norm=mp3.vit.patch_norm,
    )
    print(f"{'mask ratio':>12} {'argmax':>8} {'Hungarian':>10} {'whole':>8} {'loss':>8}")
    for ratio, s in scores.items():
        print(f"{ratio:12.2f} {s['accuracy']:8.4f} {s['jigsaw']:10.4f} {s['whole']:8.4f} {s['loss']:8.4f}")
    print(f"{'patch only':>12} {floor.accuracy:8.4f} {'':>10} {'':>8} {floor.loss:8.4f}")
    print(f"{'chance':>12} {1 / n:8.4f}")
    return {
        "positions": {str(ratio): s for ratio, s in scores.items()},
        "patch_only": floor._asdict() | {"epochs": args.floor_epochs},
        "chance": 1 / n,
    }


def table(args: argparse.Namespace) -> dict:
    from .report import made_files
    from .results import write_text

    root = Path(__file__).resolve().parents[1]
    files = made_files(root)
    old = {path: path.read_text(encoding="utf-8") if path.exists() else None for path in files}
    changed = [str(path.relative_to(root)) for path in files if files[path] != old[path]]
    if args.check and changed:
        raise ValueError(f"{', '.join(changed)} differ from what results/ say; python -m mp3lib table writes them anew")
    for path, text in () if args.check else files.items():
        write_text(path, text)
    return {"changed": changed}


COMMANDS = {
    "data": data,
    "pretrain": pretrain,
    "finetune": finetune,
    "probe": probe,
    "evaluate": evaluate,
    "table": table,
}


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    from .data import DataUnavailable  # after the arguments: --help need not wait for PyTorch

    try:
        figures = COMMANDS[args.command](args)
    except (ValueError, OSError, FloatingPointError, ImportError, DataUnavailable) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if getattr(args, "json", False):
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
