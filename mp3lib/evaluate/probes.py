"""What do features know about classes? Top-1 accuracy, k-NN and linear probes of frozen features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data.augment import to_float
from ..model.vit import ViT


@torch.no_grad()
def top1_accuracy(vit: ViT, images: Tensor, labels: Tensor, *, pos_emb: bool = True, batch_size: int = 1000) -> float:
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
    """Top-1 of a linear classifier on frozen features (N, d), standardised, trained with AdamW.

    A batch holds a twentieth of the features, but at least 32 and at most 1,024. The weight decay is chosen on a tenth
    of the *training* features, which the final fit then includes.
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
