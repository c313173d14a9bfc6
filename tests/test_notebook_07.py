"""The functions of notebook 07 equal those of the library or values computed by hand, and its solutions are right."""

import math
from pathlib import Path

import pytest
import torch
from notebook_code import cells, definitions, exercises
from samples import seeded

from mp3lib import MP3, ViT
from mp3lib.data import to_float
from mp3lib.model import attention_rollout, load_shipped, puzzler_of
from studies.provenance import stages

ROOT = Path(__file__).resolve().parents[1]

nb = definitions("07")


@pytest.mark.parametrize("depth, b, h, n, k", [(1, 1, 1, 2, 1), (4, 3, 2, 16, 4), (3, 2, 5, 12, 12), (6, 1, 2, 9, 3)])
def test_the_rollout_is_the_librarys(depth, b, h, n, k):
    attn = torch.randn(depth, b, h, n, k, generator=seeded(n)).softmax(dim=-1)
    context = torch.rand(b, n, generator=seeded(k)).argsort(dim=1)[:, :k]
    ours = nb["attention_rollout_loop"](attn, context)
    torch.testing.assert_close(ours, attention_rollout(attn, context), atol=1e-6, rtol=0)


def test_contexts_hold_different_patches():
    nb["n"] = 12
    contexts = nb["choose_contexts"](50, 5)
    assert contexts.shape == (50, 5) and all(len(set(one.tolist())) == 5 for one in contexts)
    assert contexts.unique().tolist() == list(range(12))


def test_confidence_and_right_guesses_are_the_means_of_groups_of_equal_size():
    nb["n"] = 5
    belief = (2 * torch.randn(40, 5, 5, generator=seeded(1))).softmax(dim=2)
    confidence, right = nb["by_confidence"](belief, groups=4)
    pairs = sorted((max(row), float(row.index(max(row)) == i)) for one in belief.tolist() for i, row in enumerate(one))
    for group in range(4):
        chosen = pairs[50 * group : 50 * group + 50]
        assert confidence[group] == pytest.approx(sum(c for c, _ in chosen) / 50)
        assert right[group] == pytest.approx(sum(r for _, r in chosen) / 50)


@pytest.mark.parametrize("rows, cols", [(4, 4), (4, 6), (2, 3)])
def test_wrong_guesses_next_to_the_true_position_are_counted_as_a_king_moves(rows, cols):
    n = rows * cols
    where = torch.cartesian_prod(torch.arange(rows), torch.arange(cols)).float()
    nb.update(n=n, steps=torch.cdist(where, where, p=torch.inf))
    guess = torch.randint(n, (50, n), generator=seeded(2))
    far = [
        max(abs(i // cols - g // cols), abs(i % cols - g % cols))
        for one in guess.tolist()
        for i, g in enumerate(one)
        if g != i
    ]
    assert nb["share_near"](guess) == pytest.approx(far.count(1) / len(far))


@pytest.mark.parametrize("rows, cols", [(4, 4), (2, 5)])
def test_attention_to_a_neighbour_is_the_mean_over_the_patches_that_have_one(rows, cols):
    n = rows * cols
    nb.update(n=n, rows=rows, cols=cols)
    attn = torch.randn(3, 2, 2, n, n, generator=seeded(3)).softmax(dim=-1)
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        found = nb["attention_to"](attn, down, right)
        pairs = [
            (r * cols + c, (r + down) * cols + c + right)
            for r in range(rows)
            for c in range(cols)
            if r + down in range(rows) and c + right in range(cols)
        ]
        mean = sum(attn[:, :, :, i, j].mean(dim=1) for i, j in pairs) / len(pairs)
        torch.testing.assert_close(found, mean)


@pytest.mark.parametrize("images", ["cifar10", "scenes"])
def test_the_prose_on_training_holds(images):
    prose = " ".join(" ".join(cell.source.split()) for cell in cells("07") if cell.cell_type == "markdown")
    assert "in most steps of its training, the network saw more than half of the patches" in prose
    trained = [run["settings"] for _, run in stages(ROOT / "results", puzzler_of(images))]
    ratios = [(s["epochs"], *s["mask_ratios"]) for s in trained]
    below_half = sum(epochs * min((0.5 - low) / (high - low), 1) for epochs, low, high in ratios)
    assert below_half > 0.55 * sum(epochs for epochs, _, _ in ratios)


def test_the_prose_on_the_shipped_network_holds():
    prose = " ".join(" ".join(cell.source.split()) for cell in cells("07") if cell.cell_type == "markdown")
    network = load_shipped(puzzler_of("cifar10"))
    assert network.vit.num_patches == 16 and "of the 16 positions" in prose
    assert (network.vit.transformer.layers[0][0].heads * len(network.vit.transformer.layers)) == 8
    assert "five of the eight heads" in prose


def test_what_the_prose_says_of_cifar10_holds(cifar10):
    """Five heads look to one side each, in the order of the prose; 16 patches are calibrated, 4 and 1 are too sure."""
    images, network = cifar10, load_shipped(puzzler_of("cifar10"))
    nb.update(n=16, rows=4, cols=4)
    attn = network.predict(to_float(images.test.images[:24]), torch.arange(16), with_attention=True).attn
    sides = {"right": (0, 1), "left": (0, -1), "above": (-1, 0), "below": (1, 0)}
    table = torch.stack([nb["attention_to"](attn, *side) for side in sides.values()], dim=2).flatten(0, 1)
    most = [[*sides][row.argmax()] for row in table if row.max() > 0.5]
    prose = " ".join(" ".join(cell.source.split()) for cell in cells("07") if cell.cell_type == "markdown")
    assert most == ["right", "above", "below", "left", "right"]
    assert "to one side each: right, above, below, left, and right again." in prose
    test = to_float(images.test.images[:1000])
    for k, low, high in ((1, 0.12, 0.2), (4, 0.07, 0.13), (16, -0.02, 0.02)):
        belief = network.predict(test, nb["choose_contexts"](len(test), k)).logits.softmax(dim=2)
        confidence, right = nb["by_confidence"](belief)
        assert low < float((confidence - right).mean()) < high, f"a context of {k}"


# ---- the solutions of the exercises


@pytest.fixture(scope="module")
def solved():
    functions = ("positions_considered", "mean_distance", "effect_of_removal")
    found = {}
    for exercise, name in zip(exercises("07"), functions, strict=True):
        code = exercise.solution.split("\n\n")[0]  # the function, without the lines that use it
        space = {"torch": torch}
        exec(code, space)
        found[name] = space[name]
    return found


def test_positions_considered_lie_between_1_and_n(solved):
    probs = torch.tensor([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25] * 4])
    torch.testing.assert_close(solved["positions_considered"](probs), torch.tensor([1.0, 2.0, 4.0]))


def test_mean_distance_by_hand(solved):
    attn = torch.tensor([[[1.0, 0], [0, 1], [0.5, 0.5], [1, 0]]])  # one head, a grid of 2 x 2, the context is 3 and 0
    expected = (math.sqrt(2) + 1 + (1 + 1) / 2 + 0) / 4
    assert solved["mean_distance"](attn, torch.tensor([3, 0]), 2).tolist() == pytest.approx([expected])


def test_the_effect_of_a_removal_is_the_change_of_the_prediction(solved):
    torch.manual_seed(0)
    vit = ViT(num_classes=2, image_size=(8, 16), patch_size=4, dim=16, depth=2, heads=2, mlp_dim=16)
    mp3, picture = MP3(vit, 0.5, "updated").eval(), torch.rand(1, 3, 8, 16) * 2 - 1

    def predict(context):
        return mp3.predict(picture, context).logits[0].softmax(dim=1)

    effect = solved["effect_of_removal"](predict, 8)
    change = predict(torch.tensor([0, 1, 2, 4, 5, 6, 7])) - predict(torch.arange(8))
    torch.testing.assert_close(effect[:, 3], change.abs().sum(dim=1) / 2)
    assert effect.shape == (8, 8) and 0 < effect.max() <= 1
