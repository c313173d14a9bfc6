"""Masked position prediction: what is drawn, what is scored, and who may know what."""

from __future__ import annotations

import inspect
import math

import pytest
import torch

from mp3lib import MP3, ViT, sample_context
from mp3lib.model import with_image_size
from mp3lib.model.mp3 import Prediction

BOTH = pytest.mark.parametrize("context", ["frozen", "updated"])


def small(context: str = "updated", ratio: float = 0.75, **settings) -> MP3:
    torch.manual_seed(0)
    vit = dict(num_classes=3, image_size=16, patch_size=4, dim=16, depth=2, heads=2, dim_head=8, mlp_dim=32) | settings
    return MP3(ViT(**vit), ratio, context)


def pictures(b: int = 3, height: int = 16, width: int = 16) -> torch.Tensor:
    return torch.rand(b, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize(
    ("n", "ratio", "k"), [(16, 0.75, 4), (64, 0.75, 16), (16, 0.0, 16), (16, 0.99, 1), (10, 0.34, 7)]
)
def test_context_is_a_random_part_of_the_right_size(n, ratio, k):
    context, hidden = sample_context(5, n, ratio, generator=torch.Generator().manual_seed(0))
    assert context.shape == (5, k) and hidden.shape == (5, n - k) and context.dtype == torch.int64
    together = torch.cat((context, hidden), dim=1).sort(dim=1).values
    assert torch.equal(together, torch.arange(n).expand(5, n))


def test_every_image_has_its_own_context_and_every_patch_its_turn():
    context, _ = sample_context(4000, 16, 0.75, generator=torch.Generator().manual_seed(0))
    share = torch.bincount(context.flatten(), minlength=16) / 4000
    assert (share - 0.25).abs().max() < 0.04
    assert len({tuple(row) for row in context.sort(dim=1).values.tolist()}) > 1000


def test_same_generator_same_context():
    first, second = (sample_context(4, 16, 0.5, generator=torch.Generator().manual_seed(7))[0] for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, sample_context(4, 16, 0.5, generator=torch.Generator().manual_seed(8))[0])


@pytest.mark.parametrize("ratio", [-0.1, 1.0, float("nan")])
def test_context_refuses(ratio):
    with pytest.raises(ValueError, match=f"got {ratio}"):
        sample_context(1, 16, ratio)


@pytest.mark.parametrize(
    ("ratio", "context", "words"),
    [
        (0.0, "frozen", "got 0.0"),
        (1.0, "frozen", "got 1.0"),
        (0.05, "frozen", "hides none of 16 patches; use at least 0.0625"),
        (0.5, "thawed", '"frozen" or "updated", got \'thawed\''),
        (float("nan"), "frozen", "both excluded, got nan"),
        ("0.5", "frozen", "got '0.5'"),
    ],
)
def test_mp3_refuses(ratio, context, words):
    with pytest.raises(ValueError, match=words):
        small(context, ratio)


@BOTH
def test_loss_is_the_cross_entropy_of_the_prediction(context):
    mp3, images = small(context), pictures()
    draw = torch.Generator().manual_seed(3)
    loss = mp3(images, generator=draw)
    p = mp3.predict(images, generator=draw.manual_seed(3))
    assert p.logits.shape == (3, 16, 16) and p.context.shape == (3, 4) and p.loss.shape == (3, 16) and p.attn is None
    expected = torch.nn.functional.cross_entropy(p.logits.flatten(0, 1), p.labels.flatten(), reduction="none")
    assert torch.equal(p.loss, expected.view(3, 16)), "bit by bit"
    torch.testing.assert_close(loss, p.loss.mean())
    assert torch.equal(p.labels, torch.arange(16).expand(3, 16))


@BOTH
def test_an_untrained_model_stands_near_chance(context):
    assert abs(small(context)(pictures(50)).item() - math.log(16)) < 0.5


@BOTH
def test_a_few_steps_on_one_picture_learn_its_positions(context):
    mp3, image = small(context, dim=32), pictures(1).expand(16, -1, -1, -1)
    optimizer = torch.optim.Adam(mp3.parameters(), 3e-3)
    for _ in range(60):
        loss = mp3(image)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    p = mp3.predict(image[:1], torch.tensor([0, 3, 5, 10]))
    assert (p.logits.argmax(-1) == p.labels).float().mean() > 0.9


@BOTH
def test_order_of_the_context_does_not_matter(context):
    mp3, images = small(context), pictures()
    one, other = mp3.predict(images, torch.tensor([1, 5, 8, 15])), mp3.predict(images, torch.tensor([15, 8, 1, 5]))
    torch.testing.assert_close(one.logits, other.logits)


@BOTH
def test_a_query_does_not_see_other_queries(context):
    mp3, images = small(context), pictures()
    seen = torch.tensor([1, 5, 8, 15])
    changed = images.clone()
    changed[:, :, :4, :4] = -changed[:, :, :4, :4]  # patch 0 is not in the context
    before, after = mp3.predict(images, seen).logits, mp3.predict(changed, seen).logits
    torch.testing.assert_close(before[:, 1:], after[:, 1:])
    assert not torch.allclose(before[:, 0], after[:, 0], atol=1e-3)
    changed = images.clone()
    changed[:, :, :4, 4:8] = -changed[:, :, :4, 4:8]  # patch 1 is
    assert not torch.allclose(before[:, 2], mp3.predict(changed, seen).logits[:, 2], atol=1e-4)


@BOTH
def test_identical_patches_get_identical_logits(context):
    image = pictures(1)
    image[:, :, 12:, 12:] = image[:, :, :4, 4:8]  # patch 15 repeats patch 1
    for seen in ([0, 2, 5], [1, 15, 7], [4, 1]):
        logits = small(context).predict(image, torch.tensor(seen)).logits[0]
        torch.testing.assert_close(logits[15], logits[1])


@BOTH
def test_patches_move_and_their_logits_with_them(context):
    mp3, images = small(context, image_size=(4, 16)), pictures(height=4)  # four patches in a row
    swapped = images[..., [8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15]]
    here = mp3.predict(images, torch.tensor([0, 3])).logits
    there = mp3.predict(swapped, torch.tensor([2, 3])).logits
    torch.testing.assert_close(there, here[:, [2, 1, 0, 3]])


def test_what_each_layer_reads():
    """Frozen: every layer reads the raw embeddings of the context. Updated: what the layer before made of them."""
    images, seen = pictures(), torch.tensor([1, 5, 8, 15])
    for mode in ("frozen", "updated"):
        mp3, read = small(mode), []
        for attention, _ in mp3.vit.transformer.layers:
            attention.to_kv.register_forward_hook(lambda _, inputs, __, read=read: read.append(inputs[0]))
        tokens = mp3.embed(images)
        mp3.predict(images, seen)
        raw = [attention.norm(tokens[:, seen]) for attention, _ in mp3.vit.transformer.layers]
        torch.testing.assert_close(read[0], raw[0])
        assert torch.allclose(read[1], raw[1], atol=1e-5) == (mode == "frozen")


@BOTH
def test_a_fraction_of_the_queries_estimates_the_full_loss_without_bias(context):
    mp3, images = small(context), pictures(1)
    with torch.no_grad():
        tokens = mp3.embed(images)
        drawn = [sample_context(1, 16, 0.75, generator=torch.Generator().manual_seed(s)) for s in range(400)]
        full = torch.stack([mp3(images, generator=torch.Generator().manual_seed(s)) for s in range(400)])
        part = torch.stack([mp3(images, 0.25, generator=torch.Generator().manual_seed(s)) for s in range(400)])
        context_ids, hidden = drawn[0]
        queries = torch.cat((context_ids, hidden[:, :3]), dim=1)  # a quarter of 12 hidden patches
        logits = mp3.position_logits(tokens, queries, context_ids)
        loss = torch.nn.functional.cross_entropy(logits[0], queries[0], reduction="none")
    torch.testing.assert_close(part[0], (loss[:4].mean() * 4 + loss[4:].mean() * 12) / 16)
    error = part - full
    assert error.abs().max() > 1e-3  # it is an estimate
    assert error.mean().abs() < 4 * error.std() / len(error) ** 0.5  # and unbiased


@pytest.mark.parametrize("fraction", [0.0, 1.5])
def test_query_fraction_is_checked(fraction):
    with pytest.raises(ValueError, match=f"got {fraction}"):
        small()(pictures(), fraction)


@BOTH
def test_attention_comes_in_row_major_order(context):
    mp3, images = small(context), pictures()
    seen = torch.tensor([[9, 2, 4], [0, 1, 2], [15, 3, 8]])
    p = mp3.predict(images, seen, with_attention=True)
    assert p.attn.shape == (2, 3, 2, 16, 3)
    torch.testing.assert_close(p.attn.sum(-1), torch.ones(2, 3, 2, 16))
    tokens = mp3.embed(images)
    first = mp3.vit.transformer.layers[0][0]
    expected = first.weights(tokens, tokens[torch.arange(3)[:, None], seen])
    torch.testing.assert_close(p.attn[0], expected)
    torch.testing.assert_close(p.logits, mp3.predict(images, seen).logits)


def test_prediction_leaves_the_model_alone():
    mp3 = small(dropout=0.5).eval()
    p = mp3.predict(pictures(), mask_ratio=0.5, generator=torch.Generator().manual_seed(0))
    assert not p.logits.requires_grad and not mp3.training and p.context.shape == (3, 8)
    assert all(parameter.grad is None for parameter in mp3.parameters())


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (torch.tensor([0, 16]), "0 to 15, got 0 to 16"),
        (torch.tensor([-1, 3]), "got -1 to 3"),
        (torch.tensor([3, 3]), "names a patch twice"),
        (torch.tensor([], dtype=torch.long), r"k > 0, got \(3, 0\)"),
        (torch.zeros(2, 4, dtype=torch.long), r"\(3, k\) with k > 0, got \(2, 4\)"),
        (torch.tensor([0.5]), "whole numbers, got torch.float32"),
    ],
)
def test_prediction_refuses_a_context(seen, words):
    with pytest.raises(ValueError, match=words):
        small().predict(pictures(), seen)


def test_help_says_the_shapes_of_a_prediction():
    for text in (inspect.getdoc(Prediction), inspect.getdoc(MP3.predict)):
        shapes = {"logits": "(b, n, n)", "labels": "(b, n)", "context": "(b, k)", "loss": "(b, n)"}
        assert all(f"``{name}`` {shape}" in " ".join(text.split()) for name, shape in shapes.items())
        assert "(depth, b, h, n, k)" in text


def test_prediction_refuses_two_answers_to_one_question():
    with pytest.raises(ValueError, match="either a context, or"):
        small().predict(pictures(), torch.tensor([1]), mask_ratio=0.5)


def test_non_square_images_and_patches():
    mp3 = small(image_size=(8, 24), patch_size=(4, 8))
    images = pictures(2, 8, 24)
    assert mp3(images).isfinite()
    p = mp3.predict(images, torch.tensor([0, 5]), with_attention=True)
    assert p.logits.shape == (2, 6, 6) and p.attn.shape == (2, 2, 2, 6, 2)


def test_a_model_for_images_of_another_size_shares_nothing_and_keeps_all_layers():
    mp3 = small(context="frozen", ratio=0.6)
    same, grown = with_image_size(mp3, 16), with_image_size(mp3, (16, 24))
    assert (grown.vit.grid, grown.masking_ratio, grown.context) == ((4, 6), 0.6, "frozen")
    for name, tensor in mp3.state_dict().items():
        assert torch.equal(tensor, same.state_dict()[name]), name
        assert not name.startswith("vit.") or torch.equal(tensor, grown.state_dict()[name]), name
    before = mp3.mlp_head[1].weight.clone()
    for parameter in grown.parameters():
        parameter.data.zero_()
    assert torch.equal(mp3.mlp_head[1].weight, before) and mp3.vit.linear_head[1].weight.any()


def test_the_position_classifier_is_interpolated_over_the_grid():
    mp3 = small()
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    mp3.mlp_head[1].bias.data = (10 * rows + columns).flatten()
    mp3.mlp_head[1].weight.data = torch.arange(4.0).repeat_interleave(4)[:, None].expand(16, 16).clone()
    # a position of the 8 x 12 grid lies at (i + 0.5) / 2 - 0.5 and (j + 0.5) / 3 - 0.5 of the 4 x 4 one, and inside it
    y, x = (((torch.arange(4.0 * times) + 0.5) / times - 0.5).clamp(0, 3) for times in (2, 3))
    large = with_image_size(mp3, (32, 48))
    grown = large.mlp_head[1]
    torch.testing.assert_close(grown.bias.view(8, 12), 10 * y[:, None] + x)
    torch.testing.assert_close(grown.weight[:, 5].view(8, 12), y[:, None].expand(8, 12))
    back = with_image_size(large, (32, 24)).mlp_head[1]  # from a grid that is not square to 8 x 6
    torch.testing.assert_close(back.bias.view(8, 6), 10 * y[:, None] + (x[::2] + x[1::2]) / 2)


def test_a_copy_of_another_size_may_hide_more_and_is_as_the_model_was():
    mp3 = small(ratio=0.1).double().eval()
    with pytest.raises(ValueError, match="hides none of 4 patches"):
        with_image_size(mp3, 8)
    copy = with_image_size(mp3, 8, masking_ratio=0.5, context="frozen")
    assert (copy.masking_ratio, copy.context, copy.training) == (0.5, "frozen", False)
    assert {p.dtype for p in copy.parameters()} == {torch.float64}
    with torch.no_grad():
        for weight in mp3.parameters():
            weight.normal_()  # with digits that float32 does not hold
    same = with_image_size(mp3, 16).state_dict()
    assert all(torch.equal(weight, same[name]) for name, weight in mp3.state_dict().items())
    mp3.vit.to_patch_embedding.requires_grad_(False)
    still = {name for name, p in with_image_size(mp3, 24).named_parameters() if not p.requires_grad}
    assert still == {f"vit.to_patch_embedding.{name}" for name, _ in mp3.vit.to_patch_embedding.named_parameters()}
    copy.predict(pictures(2, 8, 8).double())


@pytest.mark.parametrize(
    ("image_size", "patch_size", "fix"),
    [
        (32, 32, "choose a patch_size of 1 or 2 or 4 or 8 or 16$"),
        ((32, 8), (32, 8), "choose a patch_size of 1 or 2 or 4 or 8$"),
        (1, 1, "choose larger images$"),
    ],
)
def test_one_patch_leaves_nothing_to_predict(image_size, patch_size, fix):
    shape = dict(num_classes=2, image_size=image_size, dim=8, depth=1, heads=1, mlp_dim=8)
    with pytest.raises(ValueError, match=f"makes one patch of images of .*{fix}") as told:
        MP3(ViT(**shape, patch_size=patch_size), 0.75)
    for size in str(told.value).partition("patch_size of ")[2].split(" or "):
        assert not size or MP3(ViT(**shape, patch_size=int(size)), 0.75)


@pytest.mark.parametrize("n", [2, 3, 7, 49, 1000])
def test_the_least_ratio_that_the_message_names_works(n):
    made = ViT(num_classes=2, image_size=(1, n), patch_size=1, dim=8, depth=1, heads=1, mlp_dim=8)
    with pytest.raises(ValueError, match=f"hides none of {n} patches; use at least") as told:
        MP3(made, 1e-6)
    assert MP3(made, float(str(told.value).split()[-1]))


def test_another_size_has_to_suit_patches_and_ratio():
    with pytest.raises(ValueError, match="does not divide"):
        with_image_size(small(), 18)
    with pytest.raises(ValueError, match="makes one patch of images of 4 x 4 pixels.* choose a patch_size of 1 or 2$"):
        with_image_size(small(), 4)


@pytest.mark.parametrize(
    ("batch", "n", "words"),
    [(0, 4, "batch must .*got 0"), (-1, 4, "batch .*got -1"), (2.0, 4, "got 2.0"), (2, 0, "num_patches .*got 0"),
     (True, 4, "got True"), (10**9, 10**9, "at most 2..31, got 1000000000")],
)  # fmt: skip
def test_a_context_is_of_something(batch, n, words):
    with pytest.raises(ValueError, match=words):
        sample_context(batch, n, 0.5)


@pytest.mark.parametrize("name", ["vit.to_patch_embedding.2.weight", "vit.transformer.layers.1.0.to_kv.weight",
                                  "mlp_head.1.bias"])  # fmt: skip
def test_a_model_whose_weights_are_not_finite_predicts_nothing(name):
    mp3 = small()
    with torch.no_grad():
        mp3.get_parameter(name).view(-1)[0] = float("nan")
    with pytest.raises(ValueError, match=f"weights of the model are not finite .{name} holds nan"):
        mp3.predict(pictures())


@pytest.mark.slow
def test_a_compiled_model_takes_several_batch_sizes():
    mp3 = small().eval()
    compiled = torch.compile(mp3, backend="eager")
    for batch in (4, 6, 9):
        torch.manual_seed(1)
        expected = mp3(pictures(batch))
        torch.manual_seed(1)
        torch.testing.assert_close(compiled(pictures(batch)), expected)


def test_weights_of_a_compiled_vit_inside_load():
    mp3 = small()
    state = MP3(torch.compile(mp3.vit, backend="eager"), 0.5).state_dict()
    assert any("_orig_mod" in name for name in state)
    other = small()
    other.load_state_dict(state)
    assert torch.equal(other.vit.linear_head[1].weight, mp3.vit.linear_head[1].weight)


def test_a_head_for_too_many_positions_is_refused_before_it_is_made():
    with pytest.raises(ValueError, match="parameters; accepted are at most"):
        small(image_size=10**7)
