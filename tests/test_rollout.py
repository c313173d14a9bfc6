"""The attention rollout: its definition, its context, and its errors."""

import pytest
import torch

from mp3lib import MP3, ViT
from mp3lib.model import attention_rollout


def weights(depth=3, b=2, h=2, n=6, k=6):
    return torch.randn(depth, b, h, n, k, generator=torch.Generator().manual_seed(depth)).softmax(dim=-1)


def test_with_all_patches_as_context_it_is_the_product_of_the_paper():
    attn = weights()
    expected = torch.eye(6).expand(2, 6, 6)
    for layer in attn.mean(dim=2):
        expected = (torch.eye(6) + layer) / 2 @ expected
    torch.testing.assert_close(attention_rollout(attn, torch.arange(6)), expected)


@pytest.mark.parametrize("frozen", [False, True])
def test_patches_outside_the_context_contribute_only_to_themselves(frozen):
    context = torch.tensor([[4, 0], [1, 2]])
    rollout = attention_rollout(weights(k=2), context, frozen=frozen)
    torch.testing.assert_close(rollout.sum(dim=2), torch.ones(2, 6))
    for image in range(2):
        outside = [i for i in range(6) if i not in context[image]]
        columns = rollout[image][:, outside]
        others = columns.masked_fill(torch.eye(6, dtype=torch.bool)[:, outside], 0)
        assert not others.any()
        torch.testing.assert_close(rollout[image].diagonal()[outside], torch.full((4,), 0.5**3))


def test_it_does_not_depend_on_the_order_of_the_context():
    attn, context = weights(k=3), torch.tensor([[5, 0, 2], [1, 4, 3]])
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(attention_rollout(attn, context), attention_rollout(attn[..., order], context[:, order]))


def test_with_a_frozen_context_every_layer_attends_to_the_raw_patches():
    attn = torch.zeros(2, 1, 1, 3, 3)
    attn[:, 0, 0, [0, 1, 2], [1, 0, 0]] = 1  # in both layers 0 attends to 1, and 1 and 2 attend to 0
    updated = 4 * attention_rollout(attn, torch.arange(3))[0]
    assert updated.int().tolist() == [[2, 2, 0], [2, 2, 0], [2, 1, 1]]  # 1 contributes to 2 through 0
    frozen = 4 * attention_rollout(attn, torch.arange(3), frozen=True)[0]
    assert frozen.int().tolist() == [[1, 3, 0], [3, 1, 0], [3, 0, 1]]  # 1 does not contribute to 2


def test_the_recorded_attention_of_a_model_can_be_passed_on():
    torch.manual_seed(0)
    vit = ViT(num_classes=2, image_size=(8, 24), patch_size=4, dim=16, depth=2, heads=2, mlp_dim=16)
    prediction = MP3(vit, 0.5, "updated").predict(torch.rand(3, 3, 8, 24), mask_ratio=0.75, with_attention=True)
    assert attention_rollout(prediction.attn, prediction.context).shape == (3, 12, 12)


@pytest.mark.parametrize(
    "attn, context, message",
    [
        (torch.ones(2, 3), torch.arange(3), r"shape \(depth, b, h, n, k\), got \(2, 3\)"),
        (torch.ones(1, 2, 1, 4, 2), torch.arange(3), r"shape \(2,\) or \(2, 2\), got \(3,\)"),
        (torch.ones(1, 2, 1, 4, 2), torch.tensor([0, 4]), "0 to 3, got 0 to 4"),
    ],
)
def test_bad_arguments_raise_an_error(attn, context, message):
    with pytest.raises(ValueError, match=message):
        attention_rollout(attn, context)
