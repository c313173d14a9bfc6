"""What notebook 06 defines, against the library."""

from __future__ import annotations

import pytest
import torch
from notebook_code import definitions

from mp3lib import ViT
from mp3lib.data import to_float
from mp3lib.evaluate import knn_top1, linear_top1
from mp3lib.train import finetune
from mp3lib.train.optimizers import layer_scale

NOTEBOOK = definitions("06")
DRAW = torch.Generator().manual_seed(0)
IMAGES = torch.randint(0, 256, (50, 3, 8, 16), generator=DRAW, dtype=torch.uint8)
LABELS = torch.randint(0, 3, (50,), generator=DRAW)


def small_vit(depth: int = 2) -> ViT:
    torch.manual_seed(3)
    return ViT(num_classes=3, image_size=(8, 16), patch_size=4, dim=16, depth=depth, heads=2, dim_head=8, mlp_dim=16)


def heaps(n: int, m: int, d: int, classes: int, seed: int):
    """Random features in overlapping heaps, (n, d) and (m, d), with their labels."""
    draw = torch.Generator().manual_seed(seed)
    y, z = (
        torch.cat([torch.arange(classes), torch.randint(0, classes, (k - classes,), generator=draw)]) for k in (n, m)
    )
    centres = torch.randn(classes, d, generator=draw)
    return (*(centres[t] + torch.randn(len(t), d, generator=draw) for t in (y, z)), y, z)


@pytest.mark.parametrize(("n", "m", "d", "classes", "k"), [(60, 30, 5, 3, 1), (200, 40, 16, 10, 7), (30, 20, 3, 2, 99)])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_votes_of_neighbours(n, m, d, classes, k, temperature):
    train_features, test_features, y, z = heaps(n, m, d, classes, seed=n)
    answers = NOTEBOOK["knn"](train_features, y, test_features, k, temperature)
    assert torch.equal(answers, NOTEBOOK["knn_loop"](train_features, y, test_features, k, temperature))
    theirs = knn_top1(train_features, y, test_features, z, k=k, temperature=temperature)
    assert (answers == z).float().mean().item() == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(("n", "d", "classes", "seed"), [(120, 8, 3, 0), (700, 4, 5, 1)])
def test_linear_probe_and_its_weight_decay(n, d, classes, seed):
    train_features, test_features, y, z = heaps(n, 90, d, classes, seed)
    data = train_features, y, test_features, z
    for weight_decay in (0.0, 1.0):
        ours = NOTEBOOK["linear_probe"](*data, weight_decay, epochs=4, seed=seed)
        assert ours == linear_top1(*data, weight_decays=(weight_decay,), epochs=4, seed=seed)
    candidates = (30.0, 1e-2, 3.0)
    best = NOTEBOOK["choose_weight_decay"](train_features, y, candidates, epochs=4, seed=seed)
    ours = NOTEBOOK["linear_probe"](*data, best, epochs=4, seed=seed)
    assert ours == linear_top1(*data, weight_decays=candidates, epochs=4, seed=seed)


def test_weight_decay_is_chosen_on_a_tenth_kept_apart(monkeypatch):
    train_features, _, y, _ = heaps(120, 10, 4, 3, seed=5)
    asked = []

    def fitted(train, train_labels, test, test_labels, weight_decay, epochs, seed):
        asked.append((len(train), len(test)))
        return -abs(weight_decay - 1)

    monkeypatch.setitem(NOTEBOOK, "fitted", fitted)
    assert NOTEBOOK["choose_weight_decay"](train_features, y, (0.1, 1.0, 10.0), epochs=2) == 1.0
    assert asked == [(108, 12)] * 3


@pytest.mark.parametrize("depth", [1, 3])
def test_tokens_after_each_layer(depth):
    vit = small_vit(depth)
    tokens = NOTEBOOK["layer_tokens"](vit, IMAGES[:5])
    assert tokens.shape == (depth + 1, 5, 8, 16)
    features = vit.features(to_float(IMAGES[:5]), pos_emb=False)
    assert torch.allclose(tokens[-1], features.tokens, atol=1e-6)
    assert torch.equal(tokens[0], vit.embed(to_float(IMAGES[:5])))
    means, side_by_side = NOTEBOOK["probe_inputs"](vit, IMAGES)
    assert torch.allclose(means[-1, :5], features.pooled, atol=1e-6)
    assert side_by_side.shape == (50, 8 * 16)


@pytest.mark.parametrize("decay", [1.0, 0.65, 0.3])
def test_rates_of_layers(decay):
    vit = small_vit(3)
    for name, _ in vit.named_parameters():
        assert NOTEBOOK["layer_scale"](name, 3, decay) == layer_scale(vit, name, decay)


@pytest.mark.parametrize(("pos_emb", "layer_decay"), [(True, 1.0), (False, 0.5)])
@pytest.mark.parametrize(("epochs", "batch_size", "lr", "seed"), [(1, 50, 1e-3, 0), (3, 16, 5e-3, 4)])
def test_loop_gives_the_librarys_weights_to_the_last_bit(pos_emb, layer_decay, epochs, batch_size, lr, seed):
    ours, theirs, before = small_vit(), small_vit(), small_vit()
    NOTEBOOK["finetune_by_hand"](ours, IMAGES, LABELS, epochs, batch_size, lr, layer_decay, pos_emb, seed)
    settings = dict(epochs=epochs, batch_size=batch_size, lr=lr, layer_decay=layer_decay, pos_emb=pos_emb, seed=seed)
    finetune(theirs, IMAGES, LABELS, optimizer="adamw", precision="float32", progress=False, **settings)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert not torch.equal(ours.linear_head[1].weight, before.linear_head[1].weight)
