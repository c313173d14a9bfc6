"""The changes that the study "fine" tries: each does what its docstring says, and nothing else."""

import math

import pytest
import torch

from mp3lib import MP3, ViT
from mp3lib.model import Attention
from mp3lib.train import pretrain
from studies.recipes import qk_norm, rising_ratio, smoothed

IMAGES = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def small_mp3() -> MP3:
    torch.manual_seed(0)
    return MP3(ViT(num_classes=10, image_size=16, patch_size=4, dim=16, depth=2, heads=2, mlp_dim=32), 0.75)


def loss_of(mp3: MP3, **options) -> torch.Tensor:
    torch.manual_seed(1)
    return mp3(IMAGES.float() / 127.5 - 1, **options)


@pytest.mark.parametrize("change", [qk_norm, rising_ratio, smoothed])
def test_a_change_shares_the_weights_and_draws_no_random_numbers(change):
    mp3 = small_mp3()
    before, state = dict(mp3.named_parameters()), torch.get_rng_state()
    changed = change(mp3, 10)
    assert torch.equal(torch.get_rng_state(), state)
    assert [name for name, _ in changed.named_parameters()] == [*before]  # in the order of the optimizer
    assert all(parameter is before[name] for name, parameter in changed.named_parameters())
    assert changed.config == mp3.config


def test_qk_norm_makes_queries_and_keys_equally_long_and_leaves_the_values():
    mp3, changed = small_mp3(), qk_norm(small_mp3(), 10)
    assert changed.state_dict().keys() == mp3.state_dict().keys()
    x = torch.randn(2, 5, 16)
    for layer, other in zip(changed.modules(), mp3.modules(), strict=True):
        if isinstance(other, Attention):
            q, k, v = layer.queries_keys_values(x, None, 3)
            assert torch.allclose(q.norm(dim=-1), torch.tensor(8.0), rtol=1e-3)  # sqrt(64)
            assert torch.allclose(k.norm(dim=-1), torch.tensor(8.0), rtol=1e-3)
            assert torch.equal(v, other.queries_keys_values(x, None, 3)[2])


def test_the_mask_ratio_rises_and_stays_and_has_the_mean_that_the_table_counts_with():
    mp3 = rising_ratio(small_mp3(), 300)
    seen = []
    for _ in range(300):
        loss_of(mp3, query_fraction=1.0)
        seen.append(mp3.masking_ratio)
    assert (seen[0], seen[100], seen[200], seen[-1]) == (0.25, pytest.approx(0.5), 0.75, 0.75)
    assert sum(seen) / len(seen) == pytest.approx(mp3.mean, abs=0.002)


def test_smoothing_begins_with_neighbours_partly_right_and_ends_as_the_usual_loss():
    mp3, changed = small_mp3(), smoothed(small_mp3(), 2)
    first, _, last = (loss_of(changed, query_fraction=1.0).item() for _ in range(3))
    assert last == pytest.approx(loss_of(mp3, query_fraction=1.0).item(), rel=1e-5)

    torch.manual_seed(1)  # as in loss_of
    probabilities = mp3.predict(IMAGES.float() / 127.5 - 1, mask_ratio=0.75).logits.log_softmax(dim=-1)
    expected = 0.0
    for patch in range(16):
        near = [math.exp(-((patch // 4 - p // 4) ** 2) - (patch % 4 - p % 4) ** 2) for p in range(16)]  # sigma 1
        for p in range(16):
            expected -= near[p] / sum(near) * probabilities[:, patch, p].mean().item() / 16
    assert first == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("change", [rising_ratio, smoothed])
def test_a_schedule_goes_on_where_a_killed_run_was(tmp_path, change):
    def trained(epochs_before_kill: int | None) -> dict:
        mp3 = change(small_mp3(), 4)
        options = dict(epochs=4, batch_size=4, query_fraction=0.5, precision="float32", out=tmp_path / str(change))
        if epochs_before_kill is None:
            pretrain(mp3, IMAGES, **options | {"out": None})
            return mp3.state_dict()

        class Killed:
            calls = 0

            def __call__(self, batch: torch.Tensor) -> torch.Tensor:
                self.calls += 1
                if self.calls == epochs_before_kill + 2:  # one call looks at the data before training
                    raise KeyboardInterrupt
                return batch

        killed = Killed()
        with pytest.raises(KeyboardInterrupt):
            pretrain(mp3, IMAGES, **options, transform=killed)
        again = change(small_mp3(), 4)
        pretrain(again, IMAGES, **options, transform=killed, resume=True)
        return again.state_dict()

    whole, resumed = trained(None), trained(2)
    assert int(resumed["step"]) == 4
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
