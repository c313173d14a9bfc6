"""The command line: ``python -m mp3lib COMMAND --help``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

RATIOS = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m mp3lib", description="Masked position prediction for vision transformers."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    data = commands.add_parser("data", help="where the images are: show, fetch or remove them", description=data_help())
    data.add_argument("action", choices=("status", "fetch", "clear"), help="what to do")

    show = argparse.ArgumentDefaultsHelpFormatter
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", default="auto", metavar="auto|cifar10|scenes|PATH", help="the images")
    common.add_argument("--limit", type=whole, metavar="N", help="use the first N training images only")
    common.add_argument("--json", action="store_true", help="print the figures as a last line of JSON")

    pre = commands.add_parser(
        "pretrain", parents=[common], formatter_class=show, help="pretrain a ViT by masked position prediction"
    )
    pre.add_argument("--out", type=Path, required=True, metavar="DIR", help="run folder; made if missing")
    pre.add_argument("--epochs", type=whole, default=5, help="passes over the training images")
    pre.add_argument("--patch-size", type=whole, default=8, metavar="P", help="side of a patch in pixels")
    pre.add_argument("--dim", type=whole, default=128, help="features of a token, a multiple of 4")
    pre.add_argument("--depth", type=whole, default=4, help="layers")
    pre.add_argument("--heads", type=whole, default=2, help="attention heads, 64 features each")
    pre.add_argument("--mlp-dim", type=whole, default=512, help="hidden features of the feed-forward parts")
    pre.add_argument("--batch-size", type=whole, default=256, help="images a step, over all processes")
    pre.add_argument("--lr", type=float, help="highest learning rate; without it 2e-3 for muon, 1e-3 for adamw")
    pre.add_argument("--weight-decay", type=float, default=0.05, help="decoupled weight decay of the matrices")
    pre.add_argument("--optimizer", choices=("muon", "adamw"), default="muon", help="for the transformer's matrices")
    pre.add_argument("--mask-ratio", type=float, default=0.75, metavar="R", help="fraction hidden from attention")
    pre.add_argument(
        "--context", choices=("updated", "frozen"), default="updated", help="as in the paper, or as in vit_pytorch"
    )
    pre.add_argument("--query-fraction", type=float, default=1.0, metavar="Q", help="share of hidden patches asked")
    pre.add_argument("--crop-area", type=float, nargs=2, default=(0.6, 1.0), metavar=("LOW", "HIGH"), help="crops")
    pre.add_argument("--precision", choices=("auto", "bf16", "float32"), default="auto", help="of matrix products")
    pre.add_argument("--seed", type=int, default=0, help="of weights and training")
    pre.add_argument("--eval-every", type=count, default=1, metavar="N", help="epochs between tests; 0: never")
    pre.add_argument("--resume", action="store_true", help="go on from DIR, or start anew where there is nothing")

    test = commands.add_parser(
        "evaluate", parents=[common], formatter_class=show, help="position accuracy of a pretrained model"
    )
    test.add_argument("--weights", required=True, metavar="DIR", help="folder with config.json and model.safetensors")
    test.add_argument("--mask-ratios", type=float, nargs="+", default=RATIOS, metavar="R", help="fractions hidden")
    test.add_argument("--seed", type=int, default=0, help="of the contexts")
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


def pretrain(args: argparse.Namespace) -> dict:
    import torch

    from . import MP3, ViT, load_images
    from .train import pretrain

    images = load_images(args.data)
    torch.manual_seed(args.seed)
    vit = ViT(
        num_classes=len(images.classes),
        image_size=tuple(images.train.images.shape[2:]),
        channels=images.train.images.shape[1],
        patch_size=args.patch_size,
        dim=args.dim,
        depth=args.depth,
        heads=args.heads,
        mlp_dim=args.mlp_dim,
    )
    lines = pretrain(
        MP3(vit, args.mask_ratio, args.context),
        images.train.images[: args.limit],
        epochs=args.epochs,
        batch_size=args.batch_size,
        lr=args.lr,
        weight_decay=args.weight_decay,
        optimizer=args.optimizer,
        query_fraction=args.query_fraction,
        crop_area=tuple(args.crop_area),
        precision=args.precision,
        seed=args.seed,
        eval_images=images.test.images,
        eval_every=args.eval_every,
        out=args.out,
        resume=args.resume,
        about={"data": images.name, "source": images.source, "fingerprint": images.fingerprint},
    )
    print(f"{args.out}: epoch {lines[-1]['epoch']}, loss {lines[-1]['loss']:.4f}")
    return lines[-1]


def evaluate(args: argparse.Namespace) -> dict:
    from . import MP3, load_images
    from .evaluate import patch_only_floor, position_accuracy

    images = load_images(args.data)
    mp3 = MP3.from_pretrained(args.weights)
    n = mp3.vit.num_patches
    floor = patch_only_floor(images.train.images[: args.limit], images.test.images, mp3.vit.patch_size, seed=args.seed)
    scores = position_accuracy(mp3, images.test.images, args.mask_ratios, jigsaw=True, seed=args.seed)
    print(f"{'mask ratio':>12} {'argmax':>8} {'Hungarian':>10} {'whole':>8} {'loss':>8}")
    for ratio, s in scores.items():
        print(f"{ratio:12.2f} {s['accuracy']:8.4f} {s['jigsaw']:10.4f} {s['whole']:8.4f} {s['loss']:8.4f}")
    print(f"{'patch only':>12} {floor.accuracy:8.4f} {'':>10} {'':>8} {floor.loss:8.4f}")
    print(f"{'chance':>12} {1 / n:8.4f}")
    return {
        "weights": str(args.weights),
        "fingerprint": images.fingerprint,
        "positions": {str(ratio): s for ratio, s in scores.items()},
        "patch_only": floor._asdict(),
        "chance": 1 / n,
    }


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    try:
        figures = {"data": data, "pretrain": pretrain, "evaluate": evaluate}[args.command](args)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    if getattr(args, "json", False):
        print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
