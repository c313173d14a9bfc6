"""How well are positions predicted? Position accuracy, and the floor that a single patch reaches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from ..data.augment import to_float
from ..model.mp3 import MP3
from .jigsaw import assign


def position_accuracy(
    mp3: MP3,
    images: Tensor,
    mask_ratios: Iterable[float] = (0.75,),
    *,
    jigsaw: bool = False,
    batch_size: int = 500,
    seed: int = 0,
) -> dict[float, dict[str, float]]:
    """Position accuracy of a model under drawn contexts, for each mask ratio.

    Args:
        mp3: the model; evaluated in eval mode, its own mode is restored.
        images: uint8 (N, c, H, W).
        mask_ratios: fractions hidden, each 0 <= ratio < 1.
        jigsaw: also solve each image's jigsaw, which takes longer.
        batch_size: images at a time; the result does not depend on it.
        seed: of the drawn contexts.

    Returns:
        for each ratio ``{"accuracy", "loss"}``: the share of all patches whose highest logit is their position, and the
        mean cross-entropy in nats; with ``jigsaw`` also the share placed right when no two patches of an image may have
        the same position (see ``assign``), and ``"whole"``, the share of images without any mistake then.
    """
    device = next(mp3.parameters()).device
    was_training = mp3.training
    mp3.eval()
    result = {}
    try:
        for ratio in mask_ratios:
            draw = torch.Generator().manual_seed(seed)
            batches = [_score(mp3, batch.to(device), ratio, draw, jigsaw) for batch in images.split(batch_size)]
            result[ratio] = {name: sum(b[name] for b in batches) / len(images) for name in batches[0]}
    finally:
        mp3.train(was_training)
    return result


def _score(mp3: MP3, images: Tensor, mask_ratio: float, draw: torch.Generator, jigsaw: bool) -> dict[str, float]:
    """The measures of ``position_accuracy``, summed over the images of a batch."""
    p = mp3.predict(to_float(images), mask_ratio=mask_ratio, generator=draw)
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
    train_images: Tensor,
    test_images: Tensor,
    patch_size: tuple[int, int],
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
        train_images, test_images: uint8 (N, c, H, W).
        patch_size: (height, width) in pixels.
        hidden_dim, epochs, lr, seed: of the network (LayerNorm, linear, GELU, linear) and its training (AdamW, 1,024
            patches a step, cosine to 0).
        patch_norm: whether the network begins with that LayerNorm: as the ViT has it that is held against the floor.

    Returns:
        accuracy and loss on all patches of ``test_images``; chance is 1/n and ln n.
    """
    height, width = patch_size

    def patches(images: Tensor) -> tuple[Tensor, Tensor]:
        x = rearrange(to_float(images), "b c (h p1) (w p2) -> b (h w) (p1 p2 c)", p1=height, p2=width)
        return x.flatten(0, 1), torch.arange(x.shape[1]).repeat(len(x))

    grid = (train_images.shape[2] // height) * (train_images.shape[3] // width)
    step_images = max(1, 1024 // grid)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        patch_dim = train_images.shape[1] * height * width
        layers = nn.Linear(patch_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, grid)
        net = nn.Sequential(nn.LayerNorm(patch_dim) if patch_norm else nn.Identity(), *layers)
        optimizer = torch.optim.AdamW(net.parameters(), lr)
        steps = epochs * -(-len(train_images) // step_images)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(epochs):
            for chosen in torch.randperm(len(train_images)).split(step_images):
                x, labels = patches(train_images[chosen])
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
