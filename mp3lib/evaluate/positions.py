"""How well are positions predicted? Position accuracy, and the floor that a single patch reaches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..arguments import as_pair, learning_rate, mask_share, seed_number, shown, truth, whole
from ..data.tensors import ImagesLike, as_images, picked, to_float
from ..model.checking import check_kind, check_weights
from ..model.modes import eval_mode
from ..model.mp3 import MP3
from ..model.randomness import random_state_kept
from .jigsaw import assign


def position_accuracy(
    mp3: MP3,
    images: ImagesLike,
    mask_ratios: Iterable[float] = (0.75,),
    *,
    jigsaw: bool = False,
    batch_size: int = 500,
    seed: int = 0,
) -> dict[float, dict[str, float]]:
    """Position accuracy of a model under drawn contexts, for each mask ratio.

    Args:
        mp3: the model; evaluated in eval mode, and afterwards every part is in its own mode again.
        images: uint8 (N, c, H, W), a tensor or a NumPy array; or a data set of pictures, which is streamed.
        mask_ratios: fractions hidden, each 0 <= ratio < 1.
        jigsaw: also solve each image's jigsaw, which takes longer.
        batch_size: images at a time; the result does not depend on it.
        seed: of the drawn contexts.

    Returns:
        for each ratio ``{"accuracy", "loss"}``: the share of all patches whose highest logit is their position, and the
        mean cross-entropy in nats; with ``jigsaw`` also the share placed right when no two patches of an image may have
        the same position (see ``assign``), and ``"whole"``, the share of images without any mistake then.

    Raises:
        ValueError: for images of another form or size, a ratio, batch size or seed out of range, and weights that are
            not finite.
    """
    check_kind(mp3, MP3, words="mp3 must be an MP3")
    images = as_images(images, channels=mp3.vit.channels, size=mp3.vit.image_size)
    batch_size, seed, jigsaw = whole("batch_size", batch_size), seed_number(seed), truth("jigsaw", jigsaw)
    if not isinstance(mask_ratios, Iterable) or isinstance(mask_ratios, str):
        raise ValueError(f"mask_ratios must be several numbers, such as (0.75,), got {shown(mask_ratios)}")
    mask_ratios = [mask_share("mask_ratios", ratio) for ratio in mask_ratios]
    if not mask_ratios:
        raise ValueError("mask_ratios must hold at least one number, got none: []")
    check_weights(mp3)
    weight = next(mp3.parameters())
    draws = {ratio: torch.Generator().manual_seed(seed) for ratio in mask_ratios}
    scores: dict[float, list[dict[str, float]]] = {ratio: [] for ratio in draws}
    with eval_mode(mp3):
        for batch in images.split(batch_size):  # outside: a stream is read once for all ratios
            x = to_float(batch.to(weight.device)).to(weight.dtype)
            for ratio, draw in draws.items():
                scores[ratio].append(_score(mp3, x, ratio, draw, jigsaw))
    return {
        ratio: {name: sum(b[name] for b in batches) / len(images) for name in batches[0]}
        for ratio, batches in scores.items()
    }


def _score(mp3: MP3, images: Tensor, mask_ratio: float, draw: torch.Generator, jigsaw: bool) -> dict[str, float]:
    """The measures of ``position_accuracy``, summed over the images of a batch, float (b, c, H, W)."""
    p = mp3.predict(images, mask_ratio=mask_ratio, generator=draw)
    scores = {
        "accuracy": (p.logits.argmax(dim=-1) == p.labels).cpu().double().mean(dim=1).sum().item(),
        "loss": p.loss.cpu().double().mean(dim=1).sum().item(),
    }
    if jigsaw:
        right = assign(p.logits) == p.labels.cpu()
        scores |= {"jigsaw": right.double().mean(dim=1).sum().item(), "whole": right.all(dim=1).sum().item()}
    return scores


class Floor(NamedTuple):
    """What single patches give away: ``accuracy`` and ``loss`` (nats) on test patches, of a model without context."""

    accuracy: float
    loss: float


def patch_only_floor(
    train_images: ImagesLike,
    test_images: ImagesLike,
    patch_size: int | tuple[int, int],
    *,
    hidden_dim: int = 256,
    epochs: int = 3,
    lr: float = 2e-3,
    seed: int = 0,
    patch_norm: bool = True,
) -> Floor:
    """Train a two-layer network to place single patches, without any context, and test it.

    What a model with context adds shows only above this floor: sky is up, grass is down.

    Args:
        train_images, test_images: uint8 (N, c, H, W), tensors or NumPy arrays.
        patch_size: height and width in pixels, an int or a pair.
        hidden_dim, epochs, lr, seed: of the network (LayerNorm, linear, GELU, linear) and its training (AdamW, 1,024
            patches a step, cosine to 0).
        patch_norm: whether the network begins with that LayerNorm: as the ViT has it that is held against the floor.

    Returns:
        accuracy and loss on all patches of ``test_images``; chance is 1/n and ln n.

    Raises:
        ValueError: for images of another form, patches that do not divide them, and settings out of range.
    """
    height, width = patch_size = as_pair(patch_size, "patch_size")
    hidden_dim, epochs = whole("hidden_dim", hidden_dim, 1, 10**6), whole("epochs", epochs)
    lr, seed, patch_norm = learning_rate(lr), seed_number(seed), truth("patch_norm", patch_norm)
    train_images, test_images = as_images(train_images, "train_images"), as_images(test_images, "test_images")
    if train_images.shape[1:] != test_images.shape[1:]:
        sizes = tuple(train_images.shape[1:]), tuple(test_images.shape[1:])
        raise ValueError(f"train_images and test_images must have one size, got {sizes[0]} and {sizes[1]}")
    if train_images.shape[2] % height or train_images.shape[3] % width:
        raise ValueError(f"patch_size {patch_size} does not divide the images' size {tuple(train_images.shape[2:])}")

    def patches(images: Tensor) -> tuple[Tensor, Tensor]:
        x = rearrange(to_float(images), "b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=height, p2=width)
        return x.flatten(0, 1), torch.arange(x.shape[1]).repeat(len(x))

    grid = (train_images.shape[2] // height) * (train_images.shape[3] // width)
    step_images = max(1, 1024 // grid)
    with random_state_kept(seed):
        patch_dim = train_images.shape[1] * height * width
        wide, narrow = (
            nn.Linear(patch_dim, hidden_dim, dtype=torch.float32),
            nn.Linear(hidden_dim, grid, dtype=torch.float32),
        )
        norm = nn.LayerNorm(patch_dim, dtype=torch.float32) if patch_norm else nn.Identity()
        net = nn.Sequential(norm, wide, nn.GELU(), narrow)
        optimizer = torch.optim.AdamW(net.parameters(), lr)
        steps = epochs * -(-len(train_images) // step_images)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(epochs):
            for batch in picked(train_images, torch.randperm(len(train_images)).split(step_images)):
                x, labels = patches(batch)
                F.cross_entropy(net(x), labels).backward()
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
    right, loss = 0, 0.0
    with torch.no_grad():
        for batch in test_images.split(step_images):
            x, labels = patches(batch)
            logits = net(x)
            right += (logits.argmax(dim=1) == labels).sum().item()
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
    total = len(test_images) * grid
    return Floor(right / total, loss / total)
