"""After pretraining: fine-tune a ViT to tell classes, or probe what its frozen features know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import Attention, FeedForward
from .augment import strong_augment, to_float
from .machine import resolve_precision
from .mp3 import load_model
from .optimizers import highest_rate
from .train import fit, used
from .vit import ViT


def finetune(
    vit: ViT,
    images: Tensor,
    labels: Tensor,
    *,
    pos_emb: bool = True,
    epochs: int = 5,
    batch_size: int = 256,
    lr: float | None = None,
    weight_decay: float = 0.05,
    optimizer: Literal["muon", "adamw"] = "muon",
    layer_decay: float = 1.0,
    crop_area: tuple[float, float] = (0.6, 1.0),
    flip: bool = True,
    augment: float = 0.0,
    erase: float = 0.0,
    mix: float = 0.0,
    label_smoothing: float = 0.0,
    drop_path: float = 0.0,
    ema: float = 0.0,
    precision: Literal["auto", "bf16", "float32"] = "auto",
    seed: int = 0,
    eval_images: Tensor | None = None,
    eval_labels: Tensor | None = None,
    eval_name: str = "test",
    eval_every: int = 1,
    out: str | Path | None = None,
    resume: bool = False,
    about: dict | None = None,
    progress: bool = True,
) -> list[dict]:
    """Train a ViT, pretrained or not, to classify; all weights are trained, in place.

    Args:
        vit: the model; ``MP3.vit`` after pretraining, or a fresh one for training from scratch.
        images, labels: uint8 (N, c, H, W) and int64 (N,), 0 … classes - 1.
        pos_emb: add position embeddings to the tokens, which pretraining did not have.
        epochs, batch_size, lr, weight_decay, optimizer, crop_area, flip, ema, precision, seed, eval_every, out,
            resume, about, progress: as in ``pretrain``.
        layer_decay: the learning rate of each layer is this share of the one above; 1 for equal rates.
        augment: strength of the distortions of geometry and colour after the crop, 0 to 1; see ``strong_augment``.
        erase: probability with which a box of an image is painted over.
        mix: probability with which a batch is mixed: MixUp or CutMix, half and half (torchvision).
        label_smoothing: share of the probability spread evenly over the classes.
        drop_path: how often the last layer is left out for an image, 0 to below 1; see ``stochastic_depth``.
        eval_images, eval_labels: of the same form; top-1 accuracy on them goes into the log, as ``test_top1``.
        eval_name: what that entry begins with; ``"validation"`` for a part of the training images.

    Returns:
        one dict an epoch, as in ``pretrain``.

    Raises:
        ValueError: for images, labels or settings out of range; and as ``pretrain`` does.
    """
    check_labelled(images, labels, vit)
    if eval_images is not None:
        check_labelled(eval_images, eval_labels, vit, "eval_")
    shares = {"augment": augment, "erase": erase, "mix": mix, "label_smoothing": label_smoothing}
    for name, value in shares.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {value}")
    if not 0 < layer_decay <= 1:
        raise ValueError(f"layer_decay must be above 0 and at most 1, got {layer_decay}")
    settings = {
        "task": "finetune",
        "pos_emb": pos_emb,
        "epochs": epochs,
        "batch_size": min(batch_size, len(images)),
        "lr": highest_rate(lr, optimizer, muon=1e-3, adamw=5e-4),
        "weight_decay": weight_decay,
        "optimizer": optimizer,
        "layer_decay": layer_decay,
        "crop_area": list(crop_area),
        "mix": mix,
        "label_smoothing": label_smoothing,
        "precision": resolve_precision(precision),
        "seed": seed,
        "num_images": len(images),
        "data": (about or {}).get("fingerprint"),
    } | used(augment=augment, erase=erase, drop_path=drop_path, ema=ema, unflipped=not flip)
    mixed = mixer(vit.linear_head[1].out_features) if mix else None

    def loss(model: nn.Module, chosen: Tensor, device: torch.device) -> Tensor:
        batch, target = images[chosen].to(device), labels[chosen].to(device)
        batch = strong_augment(batch, augment, erase, crop_area, flip)
        if mixed is not None and torch.rand(()) < mix:
            batch, target = mixed(batch, target)
        return F.cross_entropy(model(batch, pos_emb=pos_emb), target, label_smoothing=label_smoothing)

    def evaluate(vit: ViT) -> dict:
        share = top1(vit, eval_images, eval_labels, pos_emb=pos_emb, batch_size=settings["batch_size"])
        return {f"{eval_name}_top1": share}

    with torch.no_grad():  # what does not fit is told before a run folder is made
        vit.embed(strong_augment(images[:1].to(next(vit.parameters()).device), area=crop_area))
    with stochastic_depth(vit, drop_path):
        return fit(
            vit,
            loss,
            settings,
            evaluate=evaluate if eval_images is not None else None,
            eval_every=eval_every,
            out=out,
            resume=resume,
            about=about,
            progress=progress,
        )


@contextmanager
def stochastic_depth(model: nn.Module, rate: float) -> Iterator[None]:
    """In training mode, leave out each attention and feed-forward part for some images, drawn anew for each.

    Layer l of L is left out with probability ``rate * l / L``, and counts for more where it stays, so that what it adds
    is the same on average. Outside of the ``with``, in eval mode and with a rate of 0, the model is as it was.

    Raises:
        ValueError: for a rate that is not at least 0 and below 1.

    Source: Huang et al. 2016, *Deep Networks with Stochastic Depth*, arXiv 1603.09382.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"drop_path must be at least 0 and below 1, got {rate}")

    def leave_out(module: nn.Module, inputs: tuple, output: Tensor, share: float) -> Tensor:
        from torchvision.ops import stochastic_depth

        return stochastic_depth(output, share, mode="row", training=module.training)

    hooks = []
    if rate:
        parts = [m for m in model.modules() if isinstance(m, (Attention, FeedForward))]  # two in each layer
        for i, part in enumerate(parts):
            share = rate * (i // 2 + 1) / (len(parts) // 2)
            hooks.append(part.register_forward_hook(partial(leave_out, share=share)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def mixer(num_classes: int) -> nn.Module:
    """MixUp (arXiv 1710.09412) or CutMix (arXiv 1905.04899), drawn anew for each batch."""
    from torchvision.transforms import v2

    return v2.RandomChoice([v2.MixUp(num_classes=num_classes), v2.CutMix(num_classes=num_classes)])


def check_labelled(images: Tensor, labels: Tensor | None, vit: ViT, which: str = "") -> None:
    classes = vit.linear_head[1].out_features
    if images.ndim != 4 or images.dtype != torch.uint8 or not len(images):
        raise ValueError(f"{which}images must be uint8 (N, c, H, W), got {images.dtype} {tuple(images.shape)}")
    if labels is None:
        raise ValueError(f"{which}images need {which}labels, int64 ({len(images)},)")
    if labels.dtype != torch.int64 or labels.shape != (len(images),):
        raise ValueError(f"{which}labels must be int64 ({len(images)},), got {labels.dtype} {tuple(labels.shape)}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"{which}labels must be 0 to {classes - 1} for a ViT of {classes} classes, got {labels.min()} to "
            f"{labels.max()}; "
            "use_classes(vit, number) gives it a new head"
        )


def load_vit(folder: str | Path) -> ViT:
    """The ViT in a folder that a ``ViT`` or an ``MP3`` was saved to, such as a run folder.

    Raises:
        FileNotFoundError: if there is no ``config.json``.
    """
    model = load_model(folder)
    return model if isinstance(model, ViT) else model.vit


def use_classes(vit: ViT, num_classes: int, image_size: int | Sequence[int] | None = None) -> ViT:
    """The same ViT, sharing its weights, with a fresh head for another number of classes.

    image_size: of the images that it is going to be trained on, kept in its configuration; default: as before.
    """
    size = {"image_size": image_size} if image_size else {}
    fresh = ViT(**vit._hub_mixin_config | {"num_classes": num_classes} | size)
    fresh.to_patch_embedding, fresh.transformer = vit.to_patch_embedding, vit.transformer
    fresh.linear_head.to(vit.linear_head[1].weight)  # device and dtype
    return fresh


@torch.no_grad()
def top1(vit: ViT, images: Tensor, labels: Tensor, *, pos_emb: bool = True, batch_size: int = 1000) -> float:
    """Share of uint8 images (N, c, H, W) whose highest logit is their label (N,)."""
    was_training, device = vit.training, next(vit.parameters()).device
    vit.eval()
    right = 0
    for batch, target in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        right += (vit(to_float(batch.to(device)), pos_emb=pos_emb).argmax(dim=1).cpu() == target).sum().item()
    vit.train(was_training)
    return right / len(images)


@torch.no_grad()
def frozen_features(vit: ViT, images: Tensor, *, pos_emb: bool = True, batch_size: int = 1000) -> Tensor:
    """Pooled features float32 (N, d), on the CPU, of uint8 images (N, c, H, W), in eval mode."""
    was_training, device = vit.training, next(vit.parameters()).device
    vit.eval()
    parts = [vit.features(to_float(b.to(device)), pos_emb=pos_emb).pooled.cpu() for b in images.split(batch_size)]
    vit.train(was_training)
    return torch.cat(parts)


def knn_top1(
    train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, *, k: int = 20, temperature: float = 0.07
) -> float:
    """Top-1 of a vote of the ``k`` training features most alike (cosine), weighted by exp(similarity / temperature).

    Features are (N, d) and (M, d), labels int64; the weights are those of Wu et al. 2018 (arXiv 1805.01978).
    """
    train, test = F.normalize(train, dim=1), F.normalize(test, dim=1)
    classes, right = int(train_labels.max()) + 1, 0
    for x, y in zip(test.split(500), test_labels.split(500), strict=True):
        similarity, nearest = (x @ train.T).topk(min(k, len(train)), dim=1)
        votes = torch.zeros(len(x), classes).scatter_add_(1, train_labels[nearest], (similarity / temperature).exp())
        right += (votes.argmax(dim=1) == y).sum().item()
    return right / len(test)


def linear_top1(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    *,
    weight_decays: Sequence[float] = (1e-3, 1e-2, 1e-1),
    epochs: int = 30,
    seed: int = 0,
) -> float:
    """Top-1 of a linear classifier on frozen features (N, d), standardised; AdamW, 20 or more batches an epoch.

    The weight decay is chosen on a tenth of the *training* features, which the final fit then includes.
    """
    mean, std = train.mean(dim=0), train.std(dim=0) + 1e-6
    train, test = (train - mean) / std, (test - mean) / std
    classes = int(train_labels.max()) + 1
    draw = torch.Generator().manual_seed(seed)
    held_out = torch.randperm(len(train), generator=draw) < len(train) // 10

    def scored(x: Tensor, y: Tensor, other: Tensor, other_labels: Tensor, weight_decay: float) -> float:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = nn.Linear(x.shape[1], classes)
            optimizer = torch.optim.AdamW(head.parameters(), lr=1e-2, weight_decay=weight_decay)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
            for _ in range(epochs):
                for chosen in torch.randperm(len(x)).split(max(32, min(1024, len(x) // 20))):
                    F.cross_entropy(head(x[chosen]), y[chosen]).backward()
                    optimizer.step()
                    optimizer.zero_grad()
                schedule.step()
        with torch.no_grad():
            return (head(other).argmax(dim=1) == other_labels).float().mean().item()

    part, rest = (train[~held_out], train_labels[~held_out]), (train[held_out], train_labels[held_out])
    best = max(weight_decays, key=lambda weight_decay: scored(*part, *rest, weight_decay))
    return scored(train, train_labels, test, test_labels, best)
