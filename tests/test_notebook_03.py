"""`patchify` and the ViT of notebook 03 equal those of the library, also for sizes that the notebook does not use."""

import random
import re
from pathlib import Path

import pytest
import torch
from notebook_code import cells, definitions

import mp3lib
from mp3lib.data import to_float

notebook = definitions("03")
ROOT = Path(__file__).resolve().parents[1]

VITS = [
    dict(image_size=32, patch_size=8, dim=64, depth=2, heads=2, dim_head=32, mlp_dim=128, num_classes=10),
    dict(image_size=(16, 24), patch_size=(4, 6), dim=20, depth=1, heads=3, dim_head=8, mlp_dim=33, num_classes=7),
    dict(image_size=(12, 8), patch_size=4, dim=4, depth=3, heads=1, mlp_dim=5, num_classes=2, channels=1),
    dict(image_size=8, patch_size=(8, 2), dim=36, depth=0, heads=4, mlp_dim=16, num_classes=3, channels=5, dropout=0.5),
]
draw = random.Random(3)
for _ in range(4):
    patch = draw.randint(1, 6), draw.randint(1, 6)
    image = patch[0] * draw.randint(1, 5), patch[1] * draw.randint(1, 5)
    sizes = dict(dim=4 * draw.randint(1, 12), depth=draw.randint(1, 3), heads=draw.randint(1, 4))
    sizes |= dict(dim_head=draw.randint(1, 16), mlp_dim=draw.randint(1, 40), channels=draw.randint(1, 4))
    VITS.append(dict(image_size=image, patch_size=patch, num_classes=draw.randint(2, 12), **sizes))


def make(sizes: dict):
    """The ViTs of notebook and library with the same random weights, in eval mode, and random images."""
    torch.manual_seed(0)
    ours, theirs = notebook["ViT"](**sizes), mp3lib.ViT(**sizes)
    with torch.no_grad():
        for parameter in theirs.parameters():  # also norms and biases, which start as ones and zeros
            parameter.add_(0.1 * torch.randn_like(parameter))
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    height, width = theirs.image_size
    return ours.eval(), theirs.eval(), torch.randn(3, sizes.get("channels", 3), height, width)


@pytest.mark.parametrize("sizes", VITS)
@pytest.mark.parametrize("pos_emb", [True, False])
@pytest.mark.parametrize("larger", [1, 2])
def test_vit_is_the_librarys(sizes, pos_emb, larger):
    ours, theirs, images = make(sizes)
    images = images.repeat(1, 1, 1, larger).requires_grad_()
    logits, expected = ours(images, pos_emb), theirs(images, pos_emb)
    assert torch.allclose(logits, expected, atol=1e-6)
    assert torch.allclose(ours.embed(images, pos_emb), theirs.embed(images, pos_emb), atol=1e-6)
    labels = torch.arange(3) % sizes["num_classes"]
    losses = [torch.nn.functional.cross_entropy(out, labels) for out in (logits, expected)]
    assert torch.allclose(*(torch.autograd.grad(loss, images, retain_graph=True)[0] for loss in losses), atol=1e-6)
    for loss in losses:
        loss.backward()
    for (name, a), (other, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        assert torch.allclose(a.grad, b.grad, atol=1e-6), name


def test_vit_defaults_are_the_librarys():
    sizes = dict(num_classes=3, image_size=8, patch_size=4, dim=8, depth=1, heads=2, mlp_dim=8)
    torch.manual_seed(0)
    ours = notebook["ViT"](**sizes)
    torch.manual_seed(0)
    theirs = mp3lib.ViT(**sizes)
    for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_vit_raises_an_error_for_patches_that_do_not_divide_the_image():
    with pytest.raises(ValueError, match="does not divide"):
        notebook["ViT"](num_classes=2, image_size=(8, 10), patch_size=4, dim=4, depth=1, heads=1, mlp_dim=4)


@pytest.mark.parametrize("shape, p", [((2, 3, 32, 32), 8), ((1, 1, 6, 9), 3), ((3, 2, 4, 10), 2), ((1, 3, 5, 5), 1)])
def test_patchify_equals_the_library_and_unpatchify_is_its_inverse(shape, p):
    torch.manual_seed(0)
    images = torch.randn(shape)
    sizes = dict(
        num_classes=2, image_size=shape[2:], patch_size=p, dim=4, depth=1, heads=1, mlp_dim=4, channels=shape[1]
    )
    cut = mp3lib.ViT(**sizes).to_patch_embedding[0]
    expected = cut(images).flatten(1, 2)
    assert torch.equal(notebook["patchify"](images, p), expected)
    assert torch.equal(notebook["patchify_loop"](images, p), expected)
    back = notebook["unpatchify"](expected, p, (shape[2] // p, shape[3] // p))
    assert torch.equal(back, images)


def test_moving_patches_keeps_all_patches_and_moves_the_given_number():
    images = torch.randn(2, 3, 32, 32)
    move, patchify = notebook["move"], notebook["patchify"]
    for moved in (0, 1, 2, 7, 16):
        before, after = patchify(images, 8), patchify(move(images, moved), 8)
        changed = (before != after).any(dim=-1).any(dim=0).sum()
        assert changed == (moved if moved > 1 else 0)
        assert torch.equal(before.sort(dim=1).values, after.sort(dim=1).values)  # no patch is lost


def test_the_learning_rate_rises_then_falls_to_zero():
    share = [notebook["rise_and_fall"](step, 200) for step in range(201)]
    assert 0 < share[0] < 0.1 and max(share) <= 1 and abs(share[-1]) < 1e-9
    top = share.index(max(share))
    assert 15 <= top <= 25
    assert share[: top + 1] == sorted(share[: top + 1]) and share[top:] == sorted(share[top:], reverse=True)


def test_train_learns_and_does_not_change_the_images():
    torch.manual_seed(0)
    labels = torch.arange(200) % 2
    images = (labels[:, None, None, None] * torch.ones(200, 3, 8, 8) * torch.tensor([255, 0, 0])[:, None, None]).byte()
    before = images.clone()
    sizes = dict(num_classes=2, image_size=8, patch_size=4, dim=8, depth=1, heads=1, mlp_dim=8, dim_head=8)
    test = to_float(images), labels
    losses, accuracies = notebook["train"](notebook["ViT"](**sizes), images, labels, test, True, 5, batch_size=20)
    assert len(losses) == 50 and len(accuracies) == 6
    assert losses[-1] < 0.2 < losses[0] and accuracies[-1] == 1.0
    assert torch.equal(images, before)


def test_numbers_of_longer_trainings_are_those_of_the_results():
    """15 epochs from scratch on all labels, with and without position embeddings; results/README.md has the row."""
    page = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    [row] = re.findall(r"^\| from scratch \| 15 \| (?:.* \| )?([\d.]+)\s±.* \| ([\d.]+)\s±.* \|$", page, re.MULTILINE)
    text = " ".join(" ".join(cell.source for cell in cells("03") if cell.cell_type == "markdown").split())
    assert f"after 15 epochs, over three seeds, our larger ViT reaches {row[0]} % with positions and {row[1]} %" in text
    runs = re.findall(r"^\| `cost/scratch-15-\w+` \| .*? \| ([\d,]+) training images, 15 epochs", page, re.MULTILINE)
    assert [f"On {size} images, after 15 epochs" in text for size in set(runs)] == [True]


def test_the_gains_by_positions_are_those_of_the_table():
    text = "\n".join(cell.source for cell in cells("03") if cell.cell_type == "markdown")
    gains = {}
    for name, without, with_positions in re.findall(r"^\| (\S+), .* \| ([\d.]+) \| (.*) \|$", text, re.MULTILINE):
        values = [float(value) for value in re.findall(r"[\d.]+", with_positions)]
        gains[name] = [value - float(without) for value in values]
    cifar = [gain for name in ("CIFAR-10", "CIFAR-100") for gain in gains[name]]
    assert f"positions are worth {min(cifar):.1f} to {max(cifar):.0f} points on CIFAR" in text
    assert round(gains["Tiny-ImageNet"][0]) == -2 and "absolute positions *cost* two points" in text
