"""The functions of notebook 05 equal those of the library."""

from __future__ import annotations

import pytest
import torch
from notebook_code import cells, definitions

from mp3lib import MP3, ViT, load_shipped
from mp3lib.model import pupil_of
from mp3lib.results import stored
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
    ours, shipped = NOTEBOOK["new_model"](), load_shipped(pupil_of("cifar10"))
    ours.load_state_dict(shipped.state_dict(), strict=True)
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    assert ours.context == shipped.context and ours.masking_ratio == shipped.masking_ratio
    assert torch.equal(ours.predict(images, [0, 5]).logits, shipped.predict(images, [0, 5]).logits)


def test_another_seed_gives_another_model():
    one, other = (NOTEBOOK["new_model"](seed).mlp_head[1].weight for seed in (0, 1))
    assert not torch.equal(one, other)


def test_the_loop_reports_every_step():
    lines = []
    losses = NOTEBOOK["pretrain_by_hand"](NOTEBOOK["new_model"](), torch.zeros(8, 3, 32, 32, dtype=torch.uint8), 2, 4,
                                          1e-3, 0, report=lines.append)  # fmt: skip
    assert lines == [{"step": step, "loss": loss} for step, loss in enumerate(losses, 1)] and len(lines) == 4


def test_the_numbers_of_the_long_run_are_the_stored_ones():
    prose = " ".join(" ".join(cell.source for cell in cells("05") if cell.cell_type == "markdown").split())
    pupil = pupil_of("cifar10")
    run, floor = stored("shown/students.json")[pupil], stored(f"evaluations/{pupil}.json")["patch_only"]
    few, everything = (run["test_accuracy"][ratio][-1] for ratio in ("0.75", "0.0"))
    alone = f"{100 * floor['accuracy']:.1f} %"
    assert f"trained for {run['epochs'][-1]} epochs on all training images" in prose
    assert (
        f"places **{100 * few:.1f} %** of the patches right with 4 context patches, and **{100 * everything:.1f} %** "
        f"with all 16. One patch alone reaches {alone}."
    ) in prose
    assert (
        f"After {run['epochs'][-1]} epochs {100 * everything:.1f} % of the patches are placed right with everything "
        f"seen. One patch alone reaches {alone}."
    ) in prose
    assert (
        f"After {floor['epochs']} epochs on all images the floor is at {alone}, with a loss of {floor['loss']:.2f}."
        in prose
    )
    assert f"the factor of the long run is {everything / few:.2f};" in prose
    gains = [a - b for a, b in zip(run["test_accuracy"]["0.0"], run["test_accuracy"]["0.75"], strict=True)]
    assert gains[0] < gains[len(gains) // 2] < gains[-1]
