"""What the commands that train share: images, a new ViT, and the arguments of ``pretrain`` and ``finetune``."""

from __future__ import annotations

import argparse

from .options import SHAPE, option


def images_of(args: argparse.Namespace, vit=None):
    """The images, of ``--size``; without it of the size that the ViT of given weights was trained on, or else 32."""
    from ..data import load_images

    size = args.size or list(vit.image_size if vit else [32])
    if len(size) > 2:
        raise ValueError(f"--size takes one number or two, got {size}")
    return load_images(args.data, size=size[0] if len(set(size)) == 1 else tuple(size))


def new_vit(args: argparse.Namespace, images):
    """A ViT with random weights, of the shape that the options name, for these images."""
    import torch

    from ..model import ViT

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


def training_arguments(args: argparse.Namespace, images) -> dict:
    """The arguments that ``pretrain`` and ``finetune`` have in common."""
    names = (
        "epochs",
        "lr",
        "weight_decay",
        "ema",
        "seed",
        "eval_every",
        "schedule",
        "warmup",
        "accumulate",
        "clip_grad",
        "compile",
        "checkpoint_activations",
        "keep",
        "patience",
        "save_every",
        "log",
        "out",
        "resume",
    )
    about = {"data": images.name, "source": images.source, "fingerprint": images.fingerprint}
    options = {name: getattr(args, name) for name in names} | {"flip": not args.no_flip}
    given = {name: getattr(args, name) for name in ("batch_size", "optimizer", "precision")}
    options |= {name: value for name, value in given.items() if value is not None}
    return options | {"crop_area": tuple(args.crop_area), "eval_images": images.test.images, "about": about}
