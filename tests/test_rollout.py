"""The attention rollout: its definition, its context, and what it refuses."""

import pytest
import torch

from mp3lib import MP3, ViT
from mp3lib.model import attention_rollout


def weights(depth=3, b=2, h=2, n=6, k=6):
    return torch.randn(depth, b, h, n, k, generator=torch.Generator().manual_seed(depth)).softmax(dim=-1)


def test_with_all_patches_it_is_the_product_of_the_paper():
    attn = weights()
    expected = torch.eye(6).expand(2, 6, 6)
    for layer in attn.mean(dim=2):
        expected = (torch.eye(6) + layer) / 2 @ expected
    torch.testing.assert_close(attention_rollout(attn, torch.arange(6)), expected)


@pytest.mark.parametrize("frozen", [False, True])
def test_outside_of_the_context_nothing_but_the_tokens_own_share(frozen):
    context = torch.tensor([[4, 0], [1, 2]])
    rollout = attention_rollout(weights(k=2), context, frozen=frozen)
    torch.testing.assert_close(rollout.sum(dim=2), torch.ones(2, 6))
    for image in range(2):
        outside = [i for i in range(6) if i not in context[image]]
        columns = rollout[image][:, outside]
        others = columns.masked_fill(torch.eye(6, dtype=torch.bool)[:, outside], 0)
        assert not others.any()
        torch.testing.assert_close(rollout[image].diagonal()[outside], torch.full((4,), 0.5**3))


def test_columns_follow_the_context_whatever_its_order():
    attn, context = weights(k=3), torch.tensor([[5, 0, 2], [1, 4, 3]])
    turn = torch.tensor([2, 0, 1])
    torch.testing.assert_close(attention_rollout(attn, context), attention_rollout(attn[..., turn], context[:, turn]))


def test_a_frozen_context_is_read_raw_by_every_layer():
    attn = torch.zeros(2, 1, 1, 3, 3)
    attn[:, 0, 0, [0, 1, 2], [1, 0, 0]] = 1  # 0 looks at 1, 1 and 2 look at 0, in both layers
    updated = 4 * attention_rollout(attn, torch.arange(3))[0]
    assert updated.int().tolist() == [[2, 2, 0], [2, 2, 0], [2, 1, 1]]  # 1 reaches 2 by way of 0
    frozen = 4 * attention_rollout(attn, torch.arange(3), frozen=True)[0]
    assert frozen.int().tolist() == [[1, 3, 0], [3, 1, 0], [3, 0, 1]]  # it cannot: nobody passes on


def test_of_a_model():
    torch.manual_seed(0)
    vit = ViT(num_classes=2, image_size=(8, 24), patch_size=4, dim=16, depth=2, heads=2, mlp_dim=16)
    said = MP3(vit, 0.5, "updated").predict(torch.rand(3, 3, 8, 24), mask_ratio=0.75, with_attention=True)
    assert attention_rollout(said.attn, said.context).shape == (3, 12, 12)


@pytest.mark.parametrize(
    "attn, context, message",
    [
        (torch.ones(2, 3), torch.arange(3), r"shape \(depth, b, h, n, k\), got \(2, 3\)"),
        (torch.ones(1, 2, 1, 4, 2), torch.arange(3), r"shape \(2,\) or \(2, 2\), got \(3,\)"),
        (torch.ones(1, 2, 1, 4, 2), torch.tensor([0, 4]), "0 to 3, got 0 to 4"),
    ],
)
def test_refuses(attn, context, message):
    with pytest.raises(ValueError, match=message):
        attention_rollout(attn, context)
