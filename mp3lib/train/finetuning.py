"""Fine-tuning: train a ViT, pretrained or not, on labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import below_one, share, shown, truth, whole
from ..data.augment import check_area, strong_augment
from ..data.streaming import Stream
from ..data.tensors import ImagesLike, LabelsLike, as_images, as_labels, picked
from ..evaluate.probes import top1_accuracy
from ..model.attention import Attention, FeedForward
from ..model.checking import check_kind, with_positions
from ..model.vit import ViT
from .batches import Batch, source_of
from .checking import check_call, check_kept
from .digests import evaluation_settings, training_digest
from .hardware import resolve_precision
from .loop import fit
from .optimizers import highest_rate
from .randomness import Part, own_draws, random_state_restored
from .settings import RunSettings, frozen_names, switched_on
from .watching import check_trackers


def finetune(
    vit: ViT,
    images: ImagesLike,
    labels: LabelsLike,
    *,
    pos_emb: bool | None = None,
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
    schedule: Literal["cosine", "constant", "wsd"] = "cosine",
    warmup: float | None = None,
    accumulate: int = 1,
    clip_grad: float = 0.0,
    compile: bool = False,
    checkpoint_activations: bool = False,
    precision: Literal["auto", "bf16", "float32"] = "auto",
    seed: int = 0,
    eval_images: ImagesLike | None = None,
    eval_labels: LabelsLike | None = None,
    eval_name: str = "test",
    eval_every: int = 1,
    keep: Literal["last", "best"] = "last",
    patience: int = 0,
    out: str | Path | None = None,
    resume: bool = False,
    save_every: int = 0,
    log: str | Sequence[str] | None = None,
    about: dict | None = None,
    progress: bool = True,
    on_epoch: Callable[[dict], None] | None = None,
) -> list[dict]:
    """Train a ViT, pretrained or not, to classify images; all its weights are trained, in place.

    As with ``pretrain``, make an ``Accelerator`` of your own before you call this function.

    Args:
        vit: the model; ``MP3.vit`` after pretraining, or a fresh one for training from scratch.
        images, labels: uint8 (N, c, H, W) and int64 (N,), 0 … classes - 1; PyTorch tensors or NumPy arrays, and labels
            may be a list. There have to be two classes or more. Images may be streamed, as in ``pretrain``.
        pos_emb: add position embeddings to the tokens, which pretraining did not have. Default: ``vit.pos_emb``, which
            is True unless these weights were fine-tuned without them.
        epochs, batch_size, weight_decay, optimizer, crop_area, flip, ema, schedule, warmup, accumulate, clip_grad,
            compile, checkpoint_activations, precision, seed, eval_every, keep, patience, out, resume, save_every, log,
            about, progress, on_epoch: as in ``pretrain``. The best epoch is that with the highest top-1 accuracy.
        lr: the highest, as in ``pretrain``. Default: 4e-3 for ``muon``, the best after MP3 on CIFAR-10 (from random
            weights it was 8e-3), 5e-4 for ``adamw``.
        layer_decay: learning rate of each layer, relative to the layer above; 1 for equal rates.
        augment: strength of the distortions of geometry and colour after the crop, 0 to 1; see ``strong_augment``.
        erase: probability that a box of an image is painted over.
        mix: probability that a batch is mixed, by MixUp or by CutMix (torchvision), each in half of the cases.
        label_smoothing: share of the probability spread evenly over the classes, 0 to below 1.
        drop_path: probability that the last layer is left out for an image, 0 to below 1; for the layers before it,
            it falls in equal steps (arXiv 1603.09382).
        eval_images, eval_labels: of the same form; top-1 accuracy on them goes into the log, as ``test_top1``.
        eval_name: what that entry begins with; ``"validation"`` for a part of the training images.

    Returns:
        one dict an epoch, as in ``pretrain``.

    Raises:
        ValueError: for images, labels or settings out of range, and where there is one class only; and as ``pretrain``
            does.
    """
    check_kind(vit, ViT, words="vit must be a ViT")
    about = check_call(vit, out, resume, about, progress, on_epoch)
    log, save_every = check_trackers(log, out), whole("save_every", save_every, 0)
    checkpoint_activations = truth("checkpoint_activations", checkpoint_activations)
    if not isinstance(eval_name, str) or not eval_name:
        raise ValueError(f'eval_name must be a name such as "test", got {shown(eval_name)}')
    images, labels = labelled(images, labels, vit)
    for number_of, count in (("the ViT", vit.num_classes), ("labels", len(labels.unique()))):
        if count < 2:
            raise ValueError(f"there is nothing to tell apart: {number_of} must have 2 classes or more, got {count}")
    if eval_images is None and eval_labels is not None:
        raise ValueError("eval_labels need eval_images, got None")
    if eval_images is not None:
        eval_images, eval_labels = labelled(eval_images, eval_labels, vit, "eval_")
    augment, erase = share("augment", augment), share("erase", erase)
    mix, label_smoothing = share("mix", mix), below_one("label_smoothing", label_smoothing)
    pos_emb, flip, eval_every = with_positions(vit, pos_emb), truth("flip", flip), whole("eval_every", eval_every, 0)
    crop_area, drop_path = check_area(crop_area, "crop_area"), below_one("drop_path", drop_path)
    settings = RunSettings(
        task="finetune",
        epochs=epochs,
        batch_size=min(whole("batch_size", batch_size), len(images)),
        lr=highest_rate(lr, optimizer, muon=4e-3, adamw=5e-4),
        weight_decay=weight_decay,
        optimizer=optimizer,
        precision=resolve_precision(precision),
        seed=seed,
        num_images=len(images),
        layer_decay=layer_decay,
        ema=ema,
        schedule=schedule,
        warmup=warmup,
        accumulate=accumulate,
        clip_grad=clip_grad,
        compile=compile,
        keep=keep,
        patience=patience,
        options={
            "pos_emb": pos_emb,
            "crop_area": crop_area,
            "mix": mix,
            "label_smoothing": label_smoothing,
            "data": about.get("fingerprint"),
        }
        | switched_on(
            augment=augment,
            erase=erase,
            drop_path=drop_path,
            unflipped=not flip,
            frozen=frozen_names(vit),
            streamed=isinstance(images, Stream),
        )
        | training_digest(out, about, images, labels)
        | evaluation_settings(
            out, keep == "best" or patience, eval_images, eval_labels, eval_every=eval_every, eval_name=eval_name
        ),
    )
    check_kept(settings, save_every, out, eval_images is not None and eval_every > 0)
    mixed = mixup_or_cutmix(vit.num_classes) if mix else None

    def loss(model: nn.Module, batch: Batch, part: Part, device: torch.device) -> Tensor:
        crop = {"area": (1.0, 1.0), "flip": False} if batch.cropped else {"area": crop_area, "flip": flip}
        x, target = strong_augment(batch.images.to(device), augment, erase, **crop, part=part), batch.labels.to(device)
        if mixed is not None and torch.rand(()) < mix:
            x, target = mixed(x, target)
        with own_draws(part):
            return F.cross_entropy(model(x, pos_emb=pos_emb), target, label_smoothing=label_smoothing)

    def evaluate(vit: ViT) -> dict:
        share = top1_accuracy(vit, eval_images, eval_labels, pos_emb=pos_emb, batch_size=settings.batch_size)
        return {f"{eval_name}_top1": share}

    with random_state_restored(), torch.no_grad():  # fail on bad inputs before creating the run folder
        first = next(picked(images, [torch.tensor([0])])).to(next(vit.parameters()).device)
        vit.embed(strong_augment(first, area=crop_area))
    with stochastic_depth(vit, drop_path):
        return fit(
            vit,
            loss,
            source_of(images, labels, crop_area, flip),
            settings,
            evaluate=evaluate if eval_images is not None else None,
            eval_every=eval_every,
            out=out,
            resume=resume,
            save_every=save_every,
            checkpoint_activations=checkpoint_activations,
            log=log,
            about=about,
            progress=progress,
            on_epoch=on_epoch,
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
    rate = below_one("drop_path", rate)

    def leave_out(module: nn.Module, inputs: tuple, output: Tensor, share: Tensor) -> Tensor:
        from torchvision.ops import stochastic_depth

        if not torch.compiler.is_compiling():
            return stochastic_depth(output, share.item(), mode="row", training=module.training)
        if not module.training:
            return output
        stays = torch.rand(len(output), 1, 1, device=output.device) >= share
        return output * stays / (1 - share)

    hooks = []
    if rate:
        parts = [m for m in model.modules() if isinstance(m, (Attention, FeedForward))]  # two in each layer
        for i, part in enumerate(parts):
            # a tensor, because torch.compile would make a graph for each number
            share = torch.tensor(rate * (i // 2 + 1) / (len(parts) // 2), dtype=torch.float64, device="cpu")
            hooks.append(part.register_forward_hook(partial(leave_out, share=share)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def mixup_or_cutmix(num_classes: int) -> nn.Module:
    """MixUp (arXiv 1710.09412) or CutMix (arXiv 1905.04899), drawn anew for each batch."""
    from torchvision.transforms import v2

    return v2.RandomChoice([v2.MixUp(num_classes=num_classes), v2.CutMix(num_classes=num_classes)])


def labelled(images: Tensor, labels: Tensor | None, vit: ViT, which: str = "") -> tuple[Tensor, Tensor]:
    """Images and labels as tensors; ``ValueError`` unless ``vit`` can be trained or tested on them."""
    images, classes = as_images(images, f"{which}images", vit.channels, vit.image_size), vit.num_classes
    if labels is None:
        raise ValueError(f"{which}images need {which}labels, int64 ({len(images)},), got None")
    labels = as_labels(labels, len(images), f"{which}labels")
    if labels.max() >= classes:
        raise ValueError(
            f"{which}labels must be 0 to {classes - 1} for a ViT of {classes} classes, got {labels.min()} to "
            f"{labels.max()}; use_classes(vit, number) gives it a new head"
        )
    return images, labels
