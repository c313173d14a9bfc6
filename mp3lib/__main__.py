"""The command line: ``python -m mp3lib COMMAND --help``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95)


class Help(argparse.ArgumentDefaultsHelpFormatter):
    """Tells defaults, but not that the default of an optional thing is nothing."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m mp3lib", description="Masked position prediction for vision transformers."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="where the images are: show, fetch or remove them", description=data_help())
    data.add_argument("action", choices=("status", "fetch", "clear"), help="what to do")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", default="auto", metavar="auto|cifar10|scenes|PATH", help="the images")
    common.add_argument(
        "--size", type=whole, nargs="+", default=[32], metavar="PIXELS", help="side, or height and width"
    )
    common.add_argument("--limit", type=whole, metavar="N", help="use the first N training images only")
    common.add_argument("--json", action="store_true", help="print the figures as a last line of JSON")

    shape = argparse.ArgumentParser(add_help=False)
    shape.add_argument("--patch-size", type=whole, default=8, metavar="P", help="side of a patch in pixels")
    shape.add_argument("--dim", type=whole, default=128, metavar="D", help="features of a token, a multiple of 4")
    shape.add_argument("--depth", type=whole, default=4, metavar="L", help="layers")
    shape.add_argument("--heads", type=whole, default=2, metavar="H", help="attention heads, 64 features each")
    shape.add_argument("--mlp-dim", type=whole, default=512, metavar="M", help="hidden features of the feed-forward")

    run = argparse.ArgumentParser(add_help=False)
    run.add_argument("--out", type=Path, required=True, metavar="DIR", help="run folder; made if missing")
    run.add_argument("--epochs", type=whole, default=5, metavar="N", help="passes over the training images")
    run.add_argument("--batch-size", type=whole, default=256, metavar="B", help="images a step, over all processes")
    run.add_argument("--lr", type=float, help="highest learning rate; without it one that suits the optimizer")
    run.add_argument("--weight-decay", type=float, default=0.05, metavar="W", help="of the matrices, decoupled")
    run.add_argument("--optimizer", choices=("muon", "adamw"), default="muon", help="for the transformer's matrices")
    run.add_argument("--crop-area", type=float, nargs=2, default=(0.6, 1.0), metavar=("LOW", "HIGH"), help="kept part")
    run.add_argument("--precision", choices=("auto", "bf16", "float32"), default="auto", help="of matrix products")
    run.add_argument("--seed", type=int, default=0, help="of weights and training")
    run.add_argument("--eval-every", type=count, default=1, metavar="N", help="epochs between tests; 0: never")
    run.add_argument("--resume", action="store_true", help="go on from DIR, or start anew where there is nothing")

    pre = commands.add_parser(
        "pretrain", parents=[common, run, shape], formatter_class=Help, help="pretrain a ViT by position prediction"
    )
    pre.add_argument("--mask-ratio", type=float, default=0.75, metavar="R", help="fraction hidden from attention")
    pre.add_argument(
        "--context", choices=("updated", "frozen"), default="updated", help="as in the paper, or as in vit_pytorch"
    )
    pre.add_argument("--query-fraction", type=float, default=1.0, metavar="Q", help="share of hidden patches asked")

    weights = "folder with config.json and model.safetensors"
    fine = commands.add_parser(
        "finetune", parents=[common, run, shape], formatter_class=Help, help="train a ViT, pretrained or not, on labels"
    )
    fine.add_argument("--weights", required=True, metavar="DIR|none", help=f"{weights}; none: from scratch")
    fine.add_argument("--no-pos-emb", action="store_true", help="leave the position embeddings out")
    fine.add_argument("--layer-decay", type=float, default=1.0, metavar="D", help="rate of a layer to that above it")
    fine.add_argument("--mix", type=float, default=0.0, metavar="P", help="share of batches under MixUp or CutMix")
    fine.add_argument("--label-smoothing", type=float, default=0.0, metavar="S", help="probability spread evenly")

    probe = commands.add_parser(
        "probe", parents=[common], formatter_class=Help, help="what frozen features know: k-NN and linear top-1"
    )
    probe.add_argument("--weights", required=True, metavar="DIR", help=weights)
    probe.add_argument("--no-pos-emb", action="store_true", help="leave the position embeddings out")
    probe.add_argument("--seed", type=int, default=0, help="of the probe and of the random-init control")

    test = commands.add_parser(
        "evaluate", parents=[common], formatter_class=Help, help="position accuracy of a pretrained model"
    )
    test.add_argument("--weights", required=True, metavar="DIR", help=weights)
    test.add_argument("--mask-ratios", type=float, nargs="+", default=RATIOS, metavar="R", help="fractions hidden")
    test.add_argument("--seed", type=int, default=0, help="of the contexts")
    test.add_argument("--floor-epochs", type=whole, default=20, metavar="N", help="for the patch-only floor")
    test.add_argument("--out", type=Path, metavar="FILE", help="also write the figures there, as JSON")

    table = commands.add_parser("table", help="write the README's tables anew from results/")
    table.add_argument("--check", action="store_true", help="change nothing; fail where the README differs")
    return top


def data_help() -> str:
    return (
        "CIFAR-10 is looked for at $MP3_DATA, then in the cache ($MP3_CACHE, else the user's cache folder), then "
        "downloaded; MP3_DATA=scenes forces the small embedded set."
    )


def whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, got {value}")
    return value


def data(args: argparse.Namespace) -> dict:
    from . import data

    if args.action == "fetch":
        images = data.fetch()
        return {"data": images.name, "fingerprint": images.fingerprint}
    print(data.status() if args.action == "status" else data.clear())
    return {}


def the_images(args: argparse.Namespace):
    from . import load_images

    if len(args.size) > 2:
        raise ValueError(f"--size takes one number or two, got {args.size}")
    return load_images(args.data, size=args.size[0] if len(args.size) == 1 else tuple(args.size))


def new_vit(args: argparse.Namespace, images):
    import torch

    from . import ViT

    torch.manual_seed(args.seed)
    return ViT(
        num_classes=len(images.classes),
        image_size=tuple(images.train.images.shape[2:]),
        channels=images.train.images.shape[1],
        patch_size=args.patch_size,
        dim=args.dim,
        depth=args.depth,
        heads=args.heads,
        mlp_dim=args.mlp_dim,
    )


def run_settings(args: argparse.Namespace, images) -> dict:
    names = (
        "epochs",
        "batch_size",
        "lr",
        "weight_decay",
        "optimizer",
        "precision",
        "seed",
        "eval_every",
        "out",
        "resume",
    )
    about = {"data": images.name, "source": images.source, "fingerprint": images.fingerprint}
    settings = {name: getattr(args, name) for name in names}
    return settings | {"crop_area": tuple(args.crop_area), "eval_images": images.test.images, "about": about}


def pretrain(args: argparse.Namespace) -> dict:
    from . import MP3
    from .train import pretrain

    images = the_images(args)
    mp3 = MP3(new_vit(args, images), args.mask_ratio, args.context)
    settings = run_settings(args, images)
    lines = pretrain(mp3, images.train.images[: args.limit], query_fraction=args.query_fraction, **settings)
    print(f"{args.out}: epoch {lines[-1]['epoch']}, loss {lines[-1]['loss']:.4f}")
    return lines[-1]


def finetune(args: argparse.Namespace) -> dict:
    import torch

    from .finetune import finetune, load_vit, use_classes

    images = the_images(args)
    if args.weights == "none":
        vit = new_vit(args, images)
    else:
        torch.manual_seed(args.seed)
        vit = use_classes(load_vit(args.weights), len(images.classes))
    settings = run_settings(args, images)
    settings["about"]["weights"] = args.weights
    lines = finetune(
        vit,
        images.train.images[: args.limit],
        images.train.labels[: args.limit],
        pos_emb=not args.no_pos_emb,
        layer_decay=args.layer_decay,
        mix=args.mix,
        label_smoothing=args.label_smoothing,
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

    images = the_images(args)
    train, test, labels = images.train.images[: args.limit], images.test.images, images.train.labels[: args.limit]
    vit = load_vit(args.weights)
    torch.manual_seed(args.seed)
    control = ViT(**vit._hub_mixin_config)
    figures = {"folder": args.weights, "fingerprint": images.fingerprint}
    for name, model in (("weights", vit), ("random init", control)):
        x, z = (frozen_features(model, part, pos_emb=not args.no_pos_emb) for part in (train, test))
        knn = knn_top1(x, labels, z, images.test.labels)
        linear = linear_top1(x, labels, z, images.test.labels, seed=args.seed)
        print(f"{name:>12}: k-NN {knn:.4f}, linear {linear:.4f}")
        figures[name] = {"knn": knn, "linear": linear}
    return figures


def evaluate(args: argparse.Namespace) -> dict:
    from . import MP3
    from .evaluate import patch_only_floor, position_accuracy

    images = the_images(args)
    mp3 = MP3.from_pretrained(args.weights)
    n = mp3.vit.num_patches
    floor = patch_only_floor(
        images.train.images[: args.limit],
        images.test.images,
        mp3.vit.patch_size,
        epochs=args.floor_epochs,
        seed=args.seed,
    )
    scores = position_accuracy(mp3, images.test.images, args.mask_ratios, jigsaw=True, seed=args.seed)
    print(f"{'mask ratio':>12} {'argmax':>8} {'Hungarian':>10} {'whole':>8} {'loss':>8}")
    for ratio, s in scores.items():
        print(f"{ratio:12.2f} {s['accuracy']:8.4f} {s['jigsaw']:10.4f} {s['whole']:8.4f} {s['loss']:8.4f}")
    print(f"{'patch only':>12} {floor.accuracy:8.4f} {'':>10} {'':>8} {floor.loss:8.4f}")
    print(f"{'chance':>12} {1 / n:8.4f}")
    figures = {
        "weights": str(args.weights),
        "images": len(images.test),
        "fingerprint": images.fingerprint,
        "positions": {str(ratio): s for ratio, s in scores.items()},
        "patch_only": floor._asdict() | {"epochs": args.floor_epochs},
        "chance": 1 / n,
    }
    if args.out:
        from .results import write_json

        write_json(args.out, figures)
    return figures


def table(args: argparse.Namespace) -> dict:
    from .results import with_tables, write_text

    root = Path(__file__).resolve().parents[1]
    readme = root / "README.md"
    if not readme.exists():
        raise ValueError(f"there is no README.md in {root}: tables are made in a clone of the project")
    old = readme.read_text(encoding="utf-8")
    new = with_tables(old, root / "results")
    if args.check and new != old:
        raise ValueError("README.md differs from what results/ say; python -m mp3lib table writes it anew")
    if not args.check:
        write_text(readme, new)
    return {"changed": new != old}


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
