"""The command line: ``python -m mp3lib COMMAND --help``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from .cli import RECIPES, SHAPE, option, parser


def run_data(args: argparse.Namespace) -> dict:
    from .data import cache_status, clear_cache, fetch_cifar10

    if args.action == "fetch":
        images = fetch_cifar10()
        return {"data": images.name, "fingerprint": images.fingerprint}
    text = cache_status() if args.action == "status" else clear_cache()
    print(text)
    return {args.action: text}


def images_of(args: argparse.Namespace, vit=None):
    """The images, of ``--size``; without it of the size that the ViT of given weights was trained on, or else 32."""
    from .data import load_images

    size = args.size or list(vit.image_size if vit else [32])
    if len(size) > 2:
        raise ValueError(f"--size takes one number or two, got {size}")
    return load_images(args.data, size=size[0] if len(set(size)) == 1 else tuple(size))


def new_vit(args: argparse.Namespace, images):
    """A ViT with random weights, of the shape that the options name, for these images."""
    import torch

    from .model import ViT

    torch.manual_seed(args.seed)
    return ViT(
        num_classes=len(images.classes),
        image_size=tuple(images.train.images.shape[2:]),
        channels=images.train.images.shape[1],
        patch_norm=args.patch_norm is not False,
        **{name: getattr(args, name) or default for name, (default, *_) in SHAPE.items()},
    )


def check_shape(args: argparse.Namespace, vit) -> None:
    """Refuse options that name another shape than that of the given weights."""
    has = vit.config | {"patch_size": vit.patch_size[0]}
    asked = {name: getattr(args, name) for name in SHAPE}
    wrong = [f"{option(n)} {value} (theirs: {has[n]})" for n, value in asked.items() if value not in (None, has[n])]
    if args.patch_norm not in (None, vit.patch_norm):
        wrong.append("--patch-norm (theirs have none)" if args.patch_norm else "--no-patch-norm (theirs have it)")
    if wrong:
        raise ValueError(f"the weights are of another shape than {', '.join(wrong)}: leave that out")


def run_options(args: argparse.Namespace, images) -> dict:
    """The arguments that ``pretrain`` and ``finetune`` have in common."""
    names = (
        "epochs",
        "lr",
        "weight_decay",
        "ema",
        "seed",
        "eval_every",
        "out",
        "resume",
    )
    about = {"data": images.name, "source": images.source, "fingerprint": images.fingerprint}
    options = {name: getattr(args, name) for name in names} | {"flip": not args.no_flip}
    given = {name: getattr(args, name) for name in ("batch_size", "optimizer", "precision")}
    options |= {name: value for name, value in given.items() if value is not None}
    return options | {"crop_area": tuple(args.crop_area), "eval_images": images.test.images, "about": about}


def run_pretrain(args: argparse.Namespace) -> dict:
    from .model import MP3, load_mp3, with_image_size
    from .train import pretrain

    for name, value in RECIPES[args.recipe].items():
        if getattr(args, name) is None and not (args.start and name in ("patch_norm", "mask_ratio", "context")):
            setattr(args, name, value)
    ratios = args.mask_ratio or []
    if len(ratios) > 2:
        raise ValueError(f"--mask-ratio takes one ratio, or the lowest and the highest, got {ratios}")
    ratio = sum(ratios) / len(ratios) if ratios else None  # of two, the mean becomes the model's own ratio
    start = load_mp3(args.start) if args.start else None
    images = images_of(args, start and start.vit)
    options = run_options(args, images) | {"mask_ratios": tuple(ratios) if len(ratios) == 2 else None}
    if start:
        check_shape(args, start.vit)
        mp3 = with_image_size(start, tuple(images.train.images.shape[2:]), ratio, args.context)
        options["about"]["start"] = Path(args.start).as_posix()
    else:
        mp3 = MP3(new_vit(args, images), ratio, args.context)
    lines = pretrain(mp3, images.train.images[: args.limit], query_fraction=args.query_fraction, **options)
    print(f"{args.out}: epoch {lines[-1]['epoch']}, loss {lines[-1]['loss']:.4f}")
    return lines[-1]


def run_finetune(args: argparse.Namespace) -> dict:
    import torch

    from .model import MP3, load_model, use_classes
    from .train import finetune

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
            print(f"{args.weights} already tells these classes apart: its head is kept")
    options = run_options(args, images)
    options["about"] |= {"weights": Path(args.weights).as_posix(), "classes": list(images.classes)}
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
        **options,
    )
    top1 = f", top-1 {lines[-1]['test_top1']:.4f}" if "test_top1" in lines[-1] else ""
    print(f"{args.out}: epoch {lines[-1]['epoch']}, loss {lines[-1]['loss']:.4f}{top1}")
    return lines[-1]


def run_probe(args: argparse.Namespace) -> dict:
    import torch

    from .evaluate import frozen_features, knn_top1, linear_top1
    from .model import ViT, load_vit
    from .train.run_folder import versions, write_json

    vit = load_vit(args.weights)
    images = images_of(args, vit)
    train, test, labels = images.train.images[: args.limit], images.test.images, images.train.labels[: args.limit]
    torch.manual_seed(args.seed)
    control = ViT(**vit.config)
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


def run_evaluate(args: argparse.Namespace) -> dict:
    from .measures import measure_positions, measure_top1
    from .model import MP3, load_model
    from .train.run_folder import versions, write_json

    model = load_model(args.weights)
    measure, vit = (measure_positions, model.vit) if isinstance(model, MP3) else (measure_top1, model)
    images = images_of(args, vit)
    figures = {"weights": str(args.weights), "images": len(images.test), "fingerprint": images.fingerprint}
    figures |= measure(args, images, model) | {"versions": versions()}
    if args.out:
        write_json(args.out, figures)
    return figures


COMMANDS = {
    "data": run_data,
    "pretrain": run_pretrain,
    "finetune": run_finetune,
    "probe": run_probe,
    "evaluate": run_evaluate,
}


def main(argv: list[str] | None = None) -> int:
    """Run a command. Returns 0, or 1 after an error, or 130 after an interruption; wrong arguments exit with 2."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot show is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    args = parser().parse_args(argv)
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, interrupt) if in_main_thread else None
    try:
        if getattr(args, "out", None) and args.command in ("probe", "evaluate"):
            from .train.run_folder import check_output

            check_output(args.out)
        figures = COMMANDS[args.command](args)
        if getattr(args, "json", False):
            print(json.dumps(figures))
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        print(interrupted(args), file=sys.stderr)
        return 130
    except BrokenPipeError:  # who was reading has gone, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # the one place where an error becomes a line
        if args.debug:
            raise
        print(in_a_line(error), file=sys.stderr)
        return 1
    finally:
        if before is not None:  # a caller in the same process keeps its own handler
            signal.signal(signal.SIGTERM, before)
    return 0


def interrupt(*_) -> None:
    """End a command that is told to terminate as Ctrl-C does."""
    raise KeyboardInterrupt


def interrupted(args: argparse.Namespace) -> str:
    """What is left of an interrupted command, and how it goes on."""
    if args.command not in ("pretrain", "finetune"):
        return "interrupted: nothing was written"
    # Without an import: the command may have been interrupted while PyTorch was being imported.
    if kept := sorted(args.out.glob("checkpoint-" + "[0-9]" * 8), reverse=True):
        return f"interrupted: {kept[0]} is kept; the same command with --resume goes on from there"
    return f"interrupted before the first checkpoint in {args.out}: the same command with --resume starts anew"


def in_a_line(error: Exception) -> str:
    """An error as one line; one that nobody expected says how to see where it came from."""
    from .data import DataUnavailable

    if isinstance(error, DataUnavailable):  # its lines list what was tried
        return f"{type(error).__name__}: {error}"
    text = " ".join(str(error).split()) or "no message"
    expected = isinstance(error, (ValueError, OSError, FloatingPointError, ImportError))
    if isinstance(error, (MemoryError, RuntimeError)) and "memory" in text.lower():
        return f"{type(error).__name__}: out of memory ({text[:300]}). Try a smaller --batch-size, --size or model"
    hint = "" if expected else " (--debug shows where)"
    return f"{type(error).__name__}: {text[:2000]}{hint}"


if __name__ == "__main__":
    sys.exit(main())
