"""The functions of notebook 04 equal those of the library, and its frozen context equals ``vit_pytorch``."""

import copy
import random

import pytest
import torch
from notebook_code import definitions, prose
from samples import seeded
from vit_pytorch import mp3 as reference

import mp3lib
from mp3lib.model import pupil_of, puzzler_of
from mp3lib.model.context import take
from mp3lib.results import stored

nb = definitions("04")
SHAPES = [((32, 32), (8, 8)), ((16, 32), (8, 8)), ((24, 16), (4, 8)), ((32, 32), (4, 4))]
draw = random.Random(4)
for _ in range(3):
    patch = draw.randint(2, 6), draw.randint(2, 6)
    SHAPES.append(((patch[0] * draw.randint(2, 5), patch[1] * draw.randint(2, 5)), patch))


def make_vit(image_size, patch_size, depth=2, module=mp3lib):
    return module.ViT(
        num_classes=5,
        image_size=image_size,
        patch_size=patch_size,
        dim=16,
        depth=depth,
        heads=2,
        dim_head=8,
        mlp_dim=24,
    )


def assert_same_gradients(ours, theirs):
    for (name, a), (other, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-4, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("batch, n, ratio", [(1, 4, 0.0), (3, 16, 0.75), (5, 64, 0.99), (2, 9, 0.5), (4, 100, 0.29)])
def test_the_same_seed_draws_the_same_context(batch, n, ratio):
    ours = nb["sample_context"](batch, n, ratio, seeded(n))
    theirs = mp3lib.sample_context(batch, n, ratio, generator=seeded(n))
    for a, b in zip(ours, theirs, strict=True):
        assert torch.equal(a.view_as(b), b)  # without hidden patches, both have no elements
    assert ours[0].shape == (batch, n - int(ratio * n))


@pytest.mark.parametrize("context", ["frozen", "updated"])
@pytest.mark.parametrize("image_size, patch_size", SHAPES)
@pytest.mark.parametrize("ratio, depth", [(0.5, 1), (0.75, 3)])
def test_mp3_has_the_librarys_loss_and_gradients(context, image_size, patch_size, ratio, depth):
    torch.manual_seed(depth)
    vit = make_vit(image_size, patch_size, depth)
    ours = nb["MP3"](vit, ratio, context)
    theirs = mp3lib.MP3(copy.deepcopy(vit), ratio, context)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    images = (torch.rand(3, 3, *image_size) * 2 - 1).requires_grad_()
    losses = [ours(images, seeded(5)), theirs(images, generator=seeded(5))]
    torch.testing.assert_close(*losses, atol=1e-6, rtol=0)
    gradients = (torch.autograd.grad(loss, images, retain_graph=True)[0] for loss in losses)
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-4)
    for loss in losses:
        loss.backward()
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("image_size, patch_size", SHAPES)
def test_frozen_is_vit_pytorch(image_size, patch_size):
    torch.manual_seed(3)
    ours = nb["MP3"](make_vit(image_size, patch_size), 0.75, "frozen")
    theirs = reference.MP3(make_vit(image_size, patch_size, module=reference), 0.75)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    images = torch.rand(2, 3, *image_size) * 2 - 1
    losses = []
    for model in (ours, theirs):  # the reference uses only the global generator
        torch.manual_seed(8)
        losses.append(model(images))
        losses[-1].backward()
    torch.testing.assert_close(*losses, atol=1e-6, rtol=0)
    assert_same_gradients(ours, theirs)


def test_take_equals_the_library():
    tokens = torch.randn(3, 7, 4, requires_grad=True)
    indices = torch.randint(7, (3, 5))
    expected, out = take(tokens, indices), nb["take"](tokens, indices)
    assert torch.equal(out, expected) and torch.equal(out, torch.stack([tokens[b, indices[b]] for b in range(3)]))
    weight = torch.randn_like(expected)
    a, b = (torch.autograd.grad((x * weight).sum(), tokens, retain_graph=True)[0] for x in (out, expected))
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize("n", [16, 64])
def test_as_many_patches_are_hidden_as_the_ratio_says(n):
    for ratio in (0, 0.5, 0.75, 0.9, 0.99):
        flags = nb["hidden_flags"](2, n, ratio, seed=1)
        assert flags.sum(dim=1).tolist() == [int(ratio * n)] * 2


PROSE = prose("04")


def test_the_puzzler_and_the_pupil_have_the_stored_numbers():
    shipped = {model["name"]: model for model in stored("shown/what_is_hidden.json")["shipped"]}
    puzzler, pupil = (shipped[of("cifar10")] for of in (puzzler_of, pupil_of))
    assert (
        f"the puzzler puts {100 * puzzler['whole']:.1f} % of CIFAR-10's test images together without a mistake. "
        f"The pupil does this with {100 * pupil['whole']:.1f} %."
    ) in PROSE
    assert f"The puzzler reaches {100 * puzzler['linear']:.1f} %, the pupil {100 * pupil['linear']:.1f} %." in PROSE
    assert puzzler["whole"] > pupil["whole"] and puzzler["linear"] < pupil["linear"]


def test_the_effect_of_the_borders_is_that_of_the_study():
    [model] = [m for m in stored("shown/what_is_hidden.json")["models"] if (m["variant"], m["epochs"]) == ("0.1", 20)]
    seen, border, placebo = model["position"]["0.0"], model["cues"]["gap-1"], model["cues"]["hole-1"]
    assert (
        f"places {100 * seen:.1f} %. With grey borders it places {100 * border:.1f} %, "
        f"with the placebo {100 * placebo:.1f} %."
    ) in PROSE


def test_the_best_at_the_puzzle_is_not_the_best_at_classes():
    study = stored("shown/what_is_hidden.json")
    models = study["models"] + study["shipped"]
    best = [max(models, key=key) for key in (lambda m: m["position"]["0.0"], lambda m: m["linear"])]
    assert best[0] is not best[1]
    [puzzler] = [m for m in study["shipped"] if m["name"] == puzzler_of("cifar10")]
    for m in study["models"]:
        if m["variant"] == "0.1":
            assert puzzler["position"]["0.0"] > m["position"]["0.0"] and puzzler["linear"] > m["linear"]
    assert "The puzzler, trained longer, is better than 0.1 on both axes." in PROSE


def test_hiding_more_places_less_and_knows_more_as_in_the_study():
    models = {(m["variant"], m["epochs"]): m for m in stored("shown/what_is_hidden.json")["models"]}
    rising = [models[ratio, 5] for ratio in ("0.1", "0.25", "0.5", "0.75")]
    placed, probe = ([100 * m["position"]["0.0"] for m in rising], [100 * m["linear"] for m in rising])
    little, much = models["0.1", 20], models["0.75", 20]
    layers = [stored("shown/layers.json")[f"hidden-{ratio}-20-seed-0"]["layers"] for ratio in ("0.1", "0.75")]
    earlier = [
        100 * one["linear"] for some in layers for one in some if (one["layer"], one["positions"]) == (3, "with")
    ]
    for words, key in (("patches, everything seen", "position"), ("linear probe", "linear")):
        two = [100 * (m[key]["0.0"] if key == "position" else m[key]) for m in (little, much)]
        assert f"| {words} | {two[0]:.1f} | {two[1]:.1f} |" in PROSE
    assert f"| the same, one layer earlier | {earlier[0]:.1f} | {earlier[1]:.1f} |" in PROSE
    assert (
        f"After 5 epochs, the probe reached {probe[0]:.1f} % at 0.1 and {probe[-1]:.1f} % at 0.75. So with longer "
        "training, the first falls and the second rises."
    ) in PROSE
    assert 100 * little["linear"] < probe[0] and 100 * much["linear"] > probe[-1]
    assert placed == sorted(placed, reverse=True) and probe == sorted(probe)
    assert earlier[0] < earlier[1]
    assert little["seeds"] == much["seeds"] == 3 and "(Three seeds; one in the third row.)" in PROSE


def test_fine_tuning_says_the_same_as_the_probes():
    study = stored("shown/what_is_hidden.json")
    models = {(m["variant"], m["epochs"]): 100 * m["top1_1000"] for m in study["models"] if m["top1_1000"]}
    little, much, none = models["0.1", 20], models["0.75", 20], 100 * study["scratch"]["top1_1000"]
    assert f"| fine-tuned on 1,000 labels | {little:.1f} | {much:.1f} |" in PROSE
    assert f"Without pretraining, fine-tuning reaches {none:.1f} %." in PROSE
    assert little < much and none < much


@pytest.mark.parametrize("further", [0, 1, 3])
def test_the_figure_of_the_study_takes_further_networks(further):
    """The same trainings made longer, and another one of a kind that is there."""
    study = stored("shown/what_is_hidden.json")
    models = [m for m in study["models"] if m["epochs"] == 5]
    longer = [m | {"epochs": 20, "linear": m["linear"] + 0.03} for m in models[:further]]
    other = [models[0] | {"variant": "0.5", "linear": 0.47}] if further else []
    fig = nb["draw_study"](study | {"models": models + longer + other})
    fig.png()
    box, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert box.x0 > -0.02 and box.y0 > -0.02 and box.x1 < width + 0.02 and box.y1 < height + 0.02
    texts = [text.get_text().replace("\n", " ") for text in fig.axes[0].texts]
    assert texts.count("0.1") == 1 + (further > 0) and "puzzler" in texts
    assert texts.count("") == 4 + max(0, further - 1)  # an arrow from each mask ratio to the next, at each length
    labels = {text.get_text() for text in fig.axes[0].get_legend().get_texts()}
    assert labels == {"mask ratio, 5 epochs", "shipped"} | ({"mask ratio, 20 epochs"} if further else set())
