"""The functions of notebook 05 equal those of the library."""

from __future__ import annotations

import pytest
import torch
from notebook_code import definitions

from mp3lib import MP3, ViT, load_shipped
from mp3lib.train import pretrain, warmup_cosine

NOTEBOOK = definitions("05")
IMAGES = torch.randint(0, 256, (50, 3, 8, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize(("total", "steps_per_epoch"), [(7, 3), (40, 20), (200, 10), (1000, 250)])
def test_the_learning_rate_is_the_librarys(total, steps_per_epoch):
    for step in range(total):
        ours = NOTEBOOK["warmup_cosine_by_hand"](step, total, steps_per_epoch)
        assert ours == warmup_cosine(step, total, steps_per_epoch)


@pytest.mark.parametrize(("context", "ratio"), [("updated", 0.5), ("frozen", 0.75)])
@pytest.mark.parametrize(("epochs", "batch_size", "lr", "seed"), [(1, 50, 1e-3, 0), (3, 16, 5e-3, 4)])
def test_the_loop_gives_the_librarys_weights_bit_by_bit(context, ratio, epochs, batch_size, lr, seed):
    models = []
    for _ in range(2):
        torch.manual_seed(seed)
        vit = ViT(num_classes=2, image_size=(8, 16), patch_size=4, dim=16, depth=2, heads=2, dim_head=8, mlp_dim=16)
        models.append(MP3(vit, ratio, context))
    ours, theirs = models
    losses = NOTEBOOK["pretrain_by_hand"](ours, IMAGES, epochs, batch_size, lr, seed)
    settings = dict(epochs=epochs, batch_size=batch_size, lr=lr, seed=seed, optimizer="adamw", precision="float32")
    log = pretrain(theirs, IMAGES, progress=False, **settings)
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert len(losses) == log[-1]["step"]
    last = losses[-(len(losses) // epochs) :]
    assert sum(last) / len(last) == pytest.approx(log[-1]["loss"], abs=1e-5)


def test_the_model_has_the_settings_of_the_shipped_one():
    ours, shipped = NOTEBOOK["new_model"](), load_shipped("student-4x4")
    ours.load_state_dict(shipped.state_dict(), strict=True)
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    assert ours.context == shipped.context and ours.masking_ratio == shipped.masking_ratio
    assert torch.equal(ours.predict(images, [0, 5]).logits, shipped.predict(images, [0, 5]).logits)


def test_another_seed_gives_another_model():
    one, other = (NOTEBOOK["new_model"](seed).mlp_head[1].weight for seed in (0, 1))
    assert not torch.equal(one, other)
