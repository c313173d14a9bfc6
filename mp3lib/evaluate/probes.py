"""What do features know about classes? Top-1 accuracy, k-NN and linear probes of frozen features."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arguments import check_dense, is_finite, not_finite, number, seed_number, shown, whole
from ..data.notes import Note
from ..data.tensors import ImagesLike, LabelsLike, as_images, as_labels, numbered, to_float
from ..model.checking import check_kind, check_weights, layer_numbers, with_positions
from ..model.modes import eval_mode
from ..model.randomness import random_state_kept
from ..model.vit import ViT

MOST_CLASSES = 1_000_000


def top1_accuracy(
    vit: ViT, images: ImagesLike, labels: LabelsLike, *, pos_emb: bool | None = None, batch_size: int = 1000
) -> float:
    """Share of uint8 images (N, c, H, W) whose highest logit is their label (N,).

    Images may be a NumPy array, labels an array or a list of whole numbers. Position embeddings are added where
    ``pos_emb`` is True; by default as ``vit.pos_emb`` says, which ``finetune`` notes and saves with the weights.

    Raises:
        ValueError: for images of another form, labels that are not N classes of the model, and weights that are not
            finite.
    """
    check_vit(vit)
    images = as_images(images, channels=vit.channels, size=vit.image_size)
    labels = as_labels(labels, len(images)).cpu()
    if labels.max() >= vit.num_classes:
        raise ValueError(f"labels must be 0 to {vit.num_classes - 1}, the classes of the model, got {labels.max()}")
    predicted, numbers = predictions(vit, images, pos_emb=pos_emb, batch_size=batch_size)
    return (predicted == labels[numbers]).sum().item() / len(images)


@torch.no_grad()
def predictions(
    vit: ViT, images: ImagesLike, *, pos_emb: bool | None = None, batch_size: int = 1000
) -> tuple[Tensor, Tensor]:
    """The classes with the highest logits, in one pass over the images, and the numbers of the images.

    Both are int64 (N,), on the CPU. In place of a broken picture of a stream there is a later one, with its own number.
    Arguments and errors are those of ``top1_accuracy``.
    """
    check_vit(vit)
    pos_emb = with_positions(vit, pos_emb)
    images = as_images(images, channels=vit.channels, size=vit.image_size)
    batch_size = whole("batch_size", batch_size)
    check_weights(vit)
    weight, found = next(vit.parameters()), []
    with eval_mode(vit):
        for batch, numbers in numbered(images, batch_size):
            logits = vit(to_float(batch.to(weight.device)).to(weight.dtype), pos_emb=pos_emb)
            check_output(logits)
            found.append((logits.argmax(dim=1).cpu(), numbers))
    predicted, numbers = map(torch.cat, zip(*found, strict=True))
    return predicted, numbers


@torch.no_grad()
def frozen_features(
    vit: ViT, images: ImagesLike, *, pos_emb: bool | None = None, layer: int = -1, batch_size: int = 1000
) -> Tensor:
    """Pooled features float32 (N, d), on the CPU, of uint8 images (N, c, H, W), in eval mode.

    Args:
        vit: the network.
        images: the images, in memory or a stream.
        pos_emb: whether position embeddings are added; default: ``vit.pos_emb``, which is False after a fine-tuning
            without them. A network that MP3 has pretrained has never seen them.
        layer: after how many layers, from 0 to the depth; -1 is the last layer, -2 the one before. After MP3 the layer
            before the last often has the better features, since the last one serves the positions.
        batch_size: images at a time.

    Raises:
        ValueError: for images of another form, for weights that are not finite, for a stream with a picture that
            cannot be read, and for a layer that there is not.
    """
    check_vit(vit)
    pos_emb, layers = with_positions(vit, pos_emb), layer_numbers([layer], len(vit.transformer.layers), "layer")
    images = as_images(images, channels=vit.channels, size=vit.image_size)
    batch_size = whole("batch_size", batch_size)
    check_weights(vit)
    weight, parts, done = next(vit.parameters()), [], 0
    with eval_mode(vit):
        for batch, numbers in numbered(images, batch_size):
            if not torch.equal(numbers, torch.arange(done, done + len(batch))):
                raise ValueError(
                    "a picture cannot be read, so the features would not fit the labels: remove it (the note names "
                    "it), or load the images into memory (stream=False)"
                )
            done += len(batch)
            (found,) = vit.features(to_float(batch.to(weight.device)).to(weight.dtype), pos_emb, layers)
            check_output(found.pooled)
            parts.append(found.pooled.float().cpu())
    return torch.cat(parts)


def check_vit(vit: ViT) -> None:
    check_kind(vit, ViT, words="vit must be a ViT", hint="; an MP3 has one as its .vit")


def check_output(output: Tensor) -> None:
    if not is_finite(output):
        raise ValueError(f"the model's numbers are too large for {output.dtype}: its output holds {not_finite(output)}")


def knn_top1(
    train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor, *, k: int = 20, temperature: float = 0.07
) -> float:
    """Top-1 of a vote of the ``k`` training features most alike (cosine), weighted by exp(similarity / temperature).

    Features are (N, d) and (M, d), labels int64; where there are fewer than ``k`` training features, all of
    them vote. The weights are those of Wu et al. 2018 (arXiv 1805.01978).

    Raises:
        ValueError: for features and labels that do not fit each other or are not finite, for training labels of one
            class only, for test labels none of which is a training label (some: a warning), for ``k`` below 1, and for
            a temperature that is not above 0.
    """
    k = whole("k", k)
    temperature = number("temperature", temperature, "be above 0", lambda t: t > 0)
    train, train_labels, test, test_labels = checked(train, train_labels, test, test_labels)
    train, test = F.normalize(train, dim=1), F.normalize(test, dim=1)
    classes, right = int(train_labels.max()) + 1, 0
    for x, y in zip(test.split(500), test_labels.split(500), strict=True):
        similarity, nearest = (x @ train.T).topk(min(k, len(train)), dim=1)
        # votes are compared within a row, so its highest similarity may be taken off; float32 knows no closer ones
        weights = ((similarity - similarity[:, :1]) / max(temperature, 1e-30)).exp()
        votes = torch.zeros(len(x), classes, dtype=weights.dtype).scatter_add_(1, train_labels[nearest], weights)
        right += (votes.argmax(dim=1) == y).sum().item()
    return right / len(test)


def checked(
    train: Tensor, train_labels: Tensor, test: Tensor, test_labels: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features as float32 and labels as int64, on the CPU; ``ValueError`` unless a probe can tell classes apart."""
    pairs = []
    for name, x, y in (("train", train, train_labels), ("test", test, test_labels)):
        if not isinstance(x, Tensor) or x.dtype == torch.bool or x.is_complex():
            raise ValueError(f"{name} must be a tensor of features (N, d), got {shown(x)}")
        check_dense(name, x)
        if x.ndim != 2 or not x.numel():
            raise ValueError(f"{name} must be features (N, d), got {tuple(x.shape)}")
        if not is_finite(x):
            raise ValueError(f"{name} features must be finite, got {not_finite(x)}")
        largest = x.abs().max().item()
        if not largest < 1e15:
            raise ValueError(f"{name} features must be below 1e15, got {largest:.4g}")
        pairs += [x.detach().float().cpu(), as_labels(y, len(x), f"{name}_labels").cpu()]
    train, train_labels, test, test_labels = pairs
    if train.shape[1] != test.shape[1]:
        raise ValueError(f"train and test must have equally many features, got {train.shape[1]} and {test.shape[1]}")
    for name, y in (("train_labels", train_labels), ("test_labels", test_labels)):
        if y.max() >= MOST_CLASSES:
            raise ValueError(f"{name} must be below {MOST_CLASSES:,}, got {y.max()}")
    if (train_labels == train_labels[0]).all():
        raise ValueError(f"there is nothing to tell apart: all train_labels are {train_labels[0]}")
    unknown = ~torch.isin(test_labels, train_labels)
    if unknown.all():
        raise ValueError(
            f"no training label is one of the test labels, got {train_labels.unique().tolist()[:5]} to train and "
            f"{test_labels.unique().tolist()[:5]} to test: number the classes of both alike"
        )
    if unknown.any():
        warnings.warn(
            f"{int(unknown.sum())} of {len(test_labels)} test labels, as {test_labels[unknown][0]}, are not training "
            "labels: they count as wrong",
            Note,
            stacklevel=3,
        )
    return train, train_labels, test, test_labels


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
    """Top-1 of a linear classifier on frozen features (N, d), standardised, trained with AdamW.

    A batch holds a twentieth of the features, but at least 32 and at most 1,024. The weight decay is chosen on a tenth
    of the training features, which the final fit then includes.

    Raises:
        ValueError: for features and labels that do not fit each other or are not finite, for training labels of one
            class only, for test labels none of which is a training label (some: a warning), for fewer than 10 training
            features, and for settings out of range (weight decays: 0 to 100).
    """
    train, train_labels, test, test_labels = checked(train, train_labels, test, test_labels)
    epochs, seed = whole("epochs", epochs), seed_number(seed)
    if not isinstance(weight_decays, Sequence) or isinstance(weight_decays, str) or not weight_decays:
        raise ValueError(f"weight_decays must be several numbers, such as (0.01, 0.1), got {shown(weight_decays)}")
    weight_decays = [
        number("weight_decays", w, "lie between 0 and 100", lambda v: 0 <= v <= 100) for w in weight_decays
    ]
    if len(train) < 10:
        raise ValueError(f"a linear probe needs at least 10 training features, got {len(train)}")
    mean, std = train.mean(dim=0), train.std(dim=0) + 1e-6
    train, test = (train - mean) / std, (test - mean) / std
    classes = int(train_labels.max()) + 1
    draw = torch.Generator().manual_seed(seed)
    held_out = torch.randperm(len(train), generator=draw) < len(train) // 10

    def scored(x: Tensor, y: Tensor, other: Tensor, other_labels: Tensor, weight_decay: float) -> float:
        with random_state_kept(seed):
            head = nn.Linear(x.shape[1], classes, dtype=x.dtype)
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
