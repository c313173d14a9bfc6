"""Pretraining by masked position prediction."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ..arguments import as_range, mask_share, number, shown, truth, whole
from ..data.augment import check_area, random_resized_crop
from ..data.cues import changed_by
from ..data.streaming import Stream
from ..data.tensors import ImagesLike, as_images, picked, to_float
from ..evaluate.positions import position_accuracy
from ..model.checking import check_kind
from ..model.context import sample_context
from ..model.mp3 import MP3
from .batches import Batch, source_of
from .checking import check_call, check_kept
from .digests import evaluation_settings, training_digest
from .hardware import resolve_precision
from .loop import fit
from .optimizers import highest_rate
from .randomness import Part, own_draws, random_state_restored
from .settings import RunSettings, frozen_names, switched_on
from .watching import check_trackers


def pretrain(
    mp3: MP3,
    images: ImagesLike,
    *,
    epochs: int = 5,
    batch_size: int = 256,
    lr: float | None = None,
    weight_decay: float = 0.05,
    optimizer: Literal["muon", "adamw"] = "muon",
    query_fraction: float = 1.0,
    mask_ratios: tuple[float, float] | None = None,
    crop_area: tuple[float, float] = (0.6, 1.0),
    flip: bool = True,
    transform: Callable[[Tensor], Tensor] | None = None,
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
    eval_ratios: Iterable[float] = (0.75, 0.5, 0.0),
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
    """Pretrain a ViT by masked position prediction; ``mp3`` and the ViT inside it are changed in place.

    Every random choice of a step (crops, flips, contexts, dropout) follows from ``seed`` and the number of the step: a
    run that was killed and resumed ends with the same float32 weights as one that was not, on one processor with one
    number of threads. Crops, flips and contexts follow from an image's place in the step: several processes, or
    ``accumulate``, change the losses by rounding only, where there is no dropout.

    Accelerate keeps one state for the whole process, and the first ``Accelerator`` sets its precision. If you use an
    ``Accelerator`` of your own with ``mixed_precision``, make it before you call this function: afterwards Accelerate
    refuses it.

    Args:
        mp3: the model, with its mask ratio and kind of context.
        images: uint8 (N, c, H, W), a PyTorch tensor or a NumPy array; or pictures that are read when they are needed,
            the ``Stream`` of ``load_images(…, stream=True).train.images`` or any map-style data set of pictures. Those
            are cropped at random from the whole picture, in other processes.
        epochs: passes over the images; an incomplete last batch is left out.
        batch_size: images a step, over all processes together.
        lr: highest learning rate: warm-up in the first tenth of the steps (at most one epoch), then a cosine to 0.
            Default: 2e-3 for ``muon``, 1e-3 for ``adamw``.
        weight_decay: of the weight matrices, decoupled; biases and norms have none.
        optimizer: ``muon`` for the matrices inside the transformer with AdamW for the rest, or AdamW for everything.
        query_fraction: share of the hidden patches that give queries; see ``MP3.forward``.
        mask_ratios: (lowest, highest): every step draws its mask ratio uniformly between them, for a model that is
            used with few and with many patches hidden. Default: always that of ``mp3``.
        crop_area: share of the image that a random crop keeps, (lowest, highest); (1, 1) with no crop. Never padded.
        flip: whether half of the images are mirrored left to right; not for digits and letters.
        transform: applied to each batch after that, from float (b, c, H, W) in [-1, 1] to the same; see
            ``mp3lib.data.cues``. With ``out`` a function of a module, not one made inside another function;
            ``functools.partial`` gives it settings.
        ema: decay of a moving average of the weights, such as 0.999. The average is then what is tested, saved and
            left in ``mp3``. 0 for none.
        schedule: of the learning rate after the warm-up: ``cosine`` falls to 0, ``constant`` stays, ``wsd`` stays and
            falls to 0 in the last fifth. A run with one of the latter two can be made longer: resume it with more
            epochs. With ``wsd`` it then goes on from before the last fifth, trains these epochs again, and removes
            their checkpoints and their lines of the log: copy the folder first to keep the shorter run.
        warmup: epochs in which the rate rises, such as 0.5. Default: for ``cosine`` a tenth of the steps, at most one
            epoch; for the others one epoch.
        accumulate: compute the images of a step in so many equal parts, one after the other, which needs less memory.
            ``batch_size`` stays the number of images a step.
        clip_grad: the largest norm of the gradient over all weights; a larger gradient is scaled to it. 0 for none.
        compile: run the blocks of the transformer through ``torch.compile``. It changes the rounding.
        checkpoint_activations: keep only the input of every block for the backward pass, which computes the block
            again: the same gradients, with less memory and more time.
        precision: of the matrix products; ``auto`` is bf16 where the hardware has it, else float32.
        seed: of everything random in training. The random state of the caller is left as it was.
        eval_images: uint8 (M, c, H, W), in either form; the log gets the position accuracy on them.
        eval_ratios: mask ratios of that.
        eval_every: epochs between evaluations (the last epoch always is one); 0 for never.
        keep: the weights that the run ends with: those of the ``last`` epoch, or of the ``best``, that with the highest
            position accuracy on ``eval_images``, the mean over ``eval_ratios``. Its checkpoint is kept, and named in
            ``run.json``. The figure of the best epoch is slightly optimistic, because it was chosen on these images.
        patience: end the run after so many evaluations in a row without a better measure; 0 for never.
        out: run folder, or None to keep nothing. It ends with ``model.safetensors``, ``config.json``, ``run.json``,
            ``metrics.jsonl`` and the last two checkpoints.
        resume: go on from the newest readable checkpoint in ``out``, or start anew where there is none. Settings and
            images have to be the same; with ``keep="best"`` or ``patience`` also what is evaluated, and how.
        save_every: steps between further checkpoints within an epoch; 0 for none. A checkpoint is written after every
            epoch in any case.
        log: trackers that get the log as well, by Accelerate's names: ``tensorboard``, ``wandb``, ``mlflow`` ….
        about: further facts for ``run.json``, such as the data's source and ``fingerprint``. A resumed run knows its
            images by the fingerprint, or else by a digest: of the pixels, or of the names and sizes of streamed files.
        progress: show a progress bar on a terminal or in a notebook, and print a line an epoch elsewhere.
        on_epoch: called after every epoch with that epoch's line of the log, once its checkpoint is written.

    Returns:
        one dict an epoch: ``epoch, step, loss, lr, seconds``, ``losses`` (ten means within the epoch) and, where
        evaluated, ``test_accuracy`` and ``test_loss``, each a dict by mask ratio.

    Raises:
        ValueError: for images of another form, settings out of range (see ``RunSettings`` as well), an ``out`` that
            already holds a run, or settings or images that differ from it; for weights that are not finite float32 or
            are all frozen, and where gradients are off.
        FloatingPointError: if loss or weights are no longer finite; the last good checkpoint is kept, and named.
        ImportError: if the package of a tracker is not installed.
        OSError: if a checkpoint cannot be written, for example because the disk is full; the one before is kept.
    """
    check_kind(mp3, MP3, words="mp3 must be an MP3")
    about = check_call(mp3, out, resume, about, progress, on_epoch)
    log, save_every = check_trackers(log, out), whole("save_every", save_every, 0)
    checkpoint_activations = truth("checkpoint_activations", checkpoint_activations)
    images = as_images(images, "images", mp3.vit.channels, mp3.vit.image_size)
    if eval_images is not None:
        eval_images = as_images(eval_images, "eval_images", mp3.vit.channels, mp3.vit.image_size)
    query_fraction = number("query_fraction", query_fraction, "be above 0 and at most 1", lambda f: 0 < f <= 1)
    if mask_ratios is not None:
        words = "(lowest, highest), at least 0 and below 1"
        mask_ratios = as_range("mask_ratios", mask_ratios, words, lambda low, high: 0 <= low <= high < 1)
    crop_area, flip, eval_every = (
        check_area(crop_area, "crop_area"),
        truth("flip", flip),
        whole("eval_every", eval_every, 0),
    )
    if isinstance(eval_ratios, (str, dict)) or not isinstance(eval_ratios, Iterable):
        raise ValueError(f"eval_ratios must be several numbers, such as (0.75, 0.5), got {shown(eval_ratios)}")
    eval_ratios = [mask_share("eval_ratios", ratio) for ratio in eval_ratios]
    if transform is not None and not callable(transform):
        raise ValueError(f"transform must be a function of images or None, got {shown(transform)}")
    if out is not None:
        check_named(transform)
    settings = RunSettings(
        task="pretrain",
        epochs=epochs,
        batch_size=min(whole("batch_size", batch_size), len(images)),
        lr=highest_rate(lr, optimizer, muon=2e-3, adamw=1e-3),
        weight_decay=weight_decay,
        optimizer=optimizer,
        precision=resolve_precision(precision),
        seed=seed,
        num_images=len(images),
        ema=ema,
        schedule=schedule,
        warmup=warmup,
        accumulate=accumulate,
        clip_grad=clip_grad,
        compile=compile,
        keep=keep,
        patience=patience,
        options={
            "query_fraction": query_fraction,
            "crop_area": crop_area,
            "transform": name_of(transform),
            "mask_ratio": mp3.masking_ratio,
            "context": mp3.context,
            "data": about.get("fingerprint"),
        }
        | switched_on(
            unflipped=not flip,
            mask_ratios=mask_ratios,
            frozen=frozen_names(mp3),
            streamed=isinstance(images, Stream),
            transform_values=values_of(transform),
        )
        | training_digest(out, about, images)
        | evaluation_settings(
            out, keep == "best" or patience, eval_images, eval_every=eval_every, eval_ratios=eval_ratios
        ),
    )
    check_kept(settings, save_every, out, eval_images is not None and eval_every > 0)

    def cropped(batch: Batch, part: Part, device: torch.device) -> Tensor:
        x = batch.images.to(device)
        return to_float(x) if batch.cropped else random_resized_crop(x, crop_area, flip, part=part)

    def changed(x: Tensor) -> Tensor:
        return changed_by(transform, x) if transform else x

    def loss(model: nn.Module, batch: Batch, part: Part, device: torch.device) -> Tensor:
        x = cropped(batch, part, device)
        ratio = torch.empty(()).uniform_(*mask_ratios).item() if mask_ratios else mp3.masking_ratio
        drawn = sample_context(part.total, mp3.vit.num_patches, ratio, device=device)  # for all images of the step
        context, hidden = (patches[part.first : part.first + len(x)] for patches in drawn)
        with own_draws(part):
            return model(changed(x), query_fraction=query_fraction, drawn=(context, hidden))

    def evaluate(mp3: MP3) -> dict:
        scores = position_accuracy(mp3, eval_images, eval_ratios, batch_size=settings.batch_size)
        return {f"test_{name}": {str(r): s[name] for r, s in scores.items()} for name in ("accuracy", "loss")}

    with random_state_restored(), torch.no_grad():  # fail on bad inputs before creating the run folder
        first = Batch(next(picked(images, [torch.tensor([0])])), None, False)
        mp3.embed(changed(cropped(first, Part(0, 1), next(mp3.parameters()).device)))
        if eval_images is not None:
            position_accuracy(mp3, eval_images[:1], eval_ratios)
    return fit(
        mp3,
        loss,
        source_of(images, None, crop_area, flip),
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


def check_named(transform: Callable | None) -> None:
    """``ValueError`` for a function that its name in ``run.json`` would not tell from another one."""
    function = transform
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)  # of a decorated function that which has its name
    if "<lambda>" in (name_of(transform) or ""):
        what = "is a lambda"
    elif getattr(function, "__closure__", None) or "<locals>" in getattr(function, "__qualname__", ""):
        what = f"was made inside another function (got {shown(function.__qualname__)})"
    else:
        return
    raise ValueError(
        f"transform {what}, so a resumed run could not tell it from another one by its name: use a function of a "
        "module, with functools.partial for its settings, or leave out= away"
    )


def name_of(transform: Callable | None) -> str | None:
    """How a run's settings name a transform: ``gap(patch_size=(8, 8))`` for ``partial(gap, patch_size=(8, 8))``."""
    if isinstance(transform, functools.partial):
        given = [repr(a) for a in transform.args] + [f"{k}={v!r}" for k, v in transform.keywords.items()]
        return f"{name_of(transform.func)}({', '.join(given)})"
    return None if transform is None else getattr(transform, "__name__", type(transform).__name__)


def values_of(transform: Callable | None) -> str | None:
    """How an object that is a transform describes itself, with its values; None for functions, and where it does not.

    ``name_of`` gives only its class, such as ``GaussianBlur``.
    """
    if transform is None or isinstance(transform, functools.partial) or hasattr(transform, "__name__"):
        return None
    text = " ".join(repr(transform).split())
    return None if " at 0x" in text else text  # an address in memory
