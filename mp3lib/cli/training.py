"""What the commands that train share: images, a new ViT, and the arguments of ``pretrain`` and ``finetune``."""

from __future__ import annotations

import argparse
import warnings

from .options import SHAPE, option

DEFAULT = "student"  # the shape of a new model
NO_POSITIONS = "a model of MP3 adds no position embeddings"
SCRATCH_LR = 8e-3  # of Muon, for a classifier from random weights; results/README.md, "Learning rates"


def images_of(args: argparse.Namespace, vit=None, unlabelled: bool = False):
    """The images, of ``--size``; without it of the size of given weights, of ``--model``, or else 32.

    Where no option says it, channels and the range of values are those of the given weights.
    """
    from ..data import load_images, packed_size
    from ..data.notes import Note
    from ..model import PRESETS

    model = getattr(args, "model", None)
    own, packed = vit.value_range if vit else None, packed_size(args.data)
    size = size_of(args) or (vit.image_size if vit else None)
    if size is None and (model or packed is None):
        size = PRESETS[model or DEFAULT].image_size
    channels = args.channels or (vit.channels if vit and vit.channels != 3 else None)
    try:
        images = load_images(
            args.data,
            size,
            stream=args.stream,
            workers=args.workers,
            unlabelled=unlabelled,
            channels=channels,
            value_range=args.value_range or (own if packed is None else None),
        )
    except ValueError as error:
        if channels == args.channels or "channel" not in str(error):
            raise
        raise ValueError(f"the weights take images of {in_channels(channels)}: {error}") from None
    if own and images.value_range not in (None, own):
        (low, high), (lowest, highest) = images.value_range, own
        warnings.warn(
            f"{images.name}: the values from {low:g} to {high:g} became 0 to 255; when the weights were trained, it "
            f"was those from {lowest:g} to {highest:g}",
            Note,
            stacklevel=2,
        )
    return images


def in_channels(number: int) -> str:
    return f"{number} channel{'s' * (number != 1)}"


def limited(args: argparse.Namespace, images):
    """The training images and labels that ``--limit`` leaves. A note says which classes have none among them."""
    from ..data.notes import Note, listed

    labels = images.train.labels[: args.limit]
    left_out = sorted({*images.train.labels.tolist()} - {*labels.tolist()})
    if left_out:
        names = listed(images.classes[number] for number in left_out)
        warnings.warn(
            f"{images.name}: the first {len(labels):,} training images (--limit) have none of the class {names}",
            Note,
            stacklevel=2,
        )
    return images.train.images[: args.limit], labels


def size_of(args: argparse.Namespace) -> int | tuple[int, ...] | None:
    """What ``--size`` says."""
    size = args.size or []
    if len(size) > 2:
        raise ValueError(f"--size takes one number or two, got {size}")
    return (size[0] if len({*size}) == 1 else tuple(size)) if size else None


def new_vit(args: argparse.Namespace, images):
    """A ViT with random weights, of the shape that the options name, for these images."""
    import torch

    from ..model import PRESETS, ViT, preset

    torch.manual_seed(args.seed)
    name, size = args.model or DEFAULT, tuple(images.train.images.shape[2:])
    given = {name: value for name in SHAPE if (value := getattr(args, name))}
    # with a patch size given, the size of the images need not have a usual one
    shape = preset(name, PRESETS[name].image_size if args.patch_size else size) | {"image_size": size} | given
    return ViT(
        num_classes=len(images.classes),
        channels=images.train.images.shape[1],
        patch_norm=bool(args.patch_norm),
        **shape,
    )


def on_device(model):
    """The same model, moved to ``device``."""
    return model.to(device())


def device() -> str:
    """Where models are measured: on the GPU if there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def with_positions(args: argparse.Namespace, model) -> bool:
    """Whether position embeddings are added: yes, unless an option says no, or what is saved with the weights."""
    return getattr(model, "vit", model).pos_emb and not args.no_pos_emb


def note_no_use(option: str, why: str) -> None:
    """A note on an option that changes nothing."""
    from ..data.notes import Note

    warnings.warn(f"no use of {option}: {why}", Note, stacklevel=2)


def model_line(vit, shape: str | None, lr: float | None) -> str:
    """What is trained, in a line: name, number of weights, grid, and the learning rate where it goes with the name."""
    (height, width), (rows, columns) = vit.patch_size, vit.grid
    weights = sum(p.numel() for p in vit.parameters())
    patch = f"{height} pixels" if height == width else f"{height} x {width} pixels"
    many = f"{weights / 1e6:.1f} million" if weights > 1e5 else f"{weights:,}"
    words = f"model: {shape or 'ViT'}, {many} weights, {rows} x {columns} patches of {patch}"
    return words if lr is None else f"{words}, lr {lr:.3g}"


def check_shape(args: argparse.Namespace, vit) -> None:
    """Refuse options that name another shape than that of the given weights."""
    from ..model import preset_of

    has = vit.config | {"patch_size": vit.patch_size[0]}
    if args.model and args.model != preset_of(vit):
        raise ValueError(f"the weights are not those of a {args.model}: leave --model out, which is for new models")
    asked = {name: getattr(args, name) for name in SHAPE}
    wrong = [f"{option(n)} {value} (theirs: {has[n]})" for n, value in asked.items() if value not in (None, has[n])]
    if args.patch_norm not in (None, vit.patch_norm):
        wrong.append("--patch-norm (theirs have none)" if args.patch_norm else "--no-patch-norm (theirs have it)")
    if wrong:
        raise ValueError(f"the weights are of another shape than {', '.join(wrong)}: leave that out")


def training_arguments(args: argparse.Namespace, images, vit, usual_lr: float | None = None) -> dict:
    """The arguments that ``pretrain`` and ``finetune`` have in common; a line says which model is trained.

    ``usual_lr`` is the learning rate where neither an option nor the model's shape gives one; None: the library's.
    """
    from ..model import preset_lr, preset_of

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
    about |= {"license": args.license} if args.license else {}
    about |= {"value_range": images.value_range} if images.value_range else {}
    vit.value_range = images.value_range  # is saved with the weights
    options = {name: getattr(args, name) for name in names} | {"flip": not args.no_flip}
    given = {name: getattr(args, name) for name in ("batch_size", "optimizer", "precision")}
    options |= {name: value for name, value in given.items() if value is not None}
    shape, batch = preset_of(vit), min(args.batch_size or 256, len(images.train.images[: args.limit]))
    if args.lr is None:
        options["lr"] = (preset_lr(shape, batch) if shape else None) or usual_lr
    print(model_line(vit, shape, options["lr"]), flush=True)
    return options | {"crop_area": tuple(args.crop_area), "eval_images": images.test.images, "about": about}
