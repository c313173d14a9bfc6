"""What notebook 10 defines, against the library; and the numbers in its text, against a computation."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
import torch
from notebook_code import cells, definitions, exercises, prose

from mp3lib import MP3, ViT
from mp3lib.model import preset
from mp3lib.results import stored
from mp3lib.train import step_costs

NOTEBOOK = definitions("10")
TEXT = "\n".join(cell.source for cell in cells("10") if cell.cell_type == "markdown")


def planned() -> MP3:
    with torch.device("meta"):
        return MP3(ViT(num_classes=1000, patch_norm=False, **preset("vit-s16")), 0.75, "updated")


@pytest.mark.parametrize("patch_size", [4, 8])
@pytest.mark.parametrize("query_fraction", [0.25, 1.0])
@pytest.mark.parametrize("dim_head", [16, 64])
def test_operations_of_a_step_are_those_of_the_library(patch_size, query_fraction, dim_head):
    vit = ViT(num_classes=3, image_size=32, patch_size=patch_size, dim=32, depth=3, heads=2, mlp_dim=48,
              dim_head=dim_head, patch_norm=False)  # fmt: skip
    mp3 = MP3(vit, 0.5, "frozen")
    expected = step_costs(mp3, 7, query_fraction=query_fraction).flops
    assert NOTEBOOK["step_operations"](mp3, 7, query_fraction) == expected


def test_the_loop_multiplies_matrices_and_counts():
    left, right = torch.rand(3, 5), torch.rand(5, 2)
    product, operations = NOTEBOOK["product_loop"](left, right)
    torch.testing.assert_close(product, left @ right)
    assert operations == 60


def test_shares_are_those_of_the_time():
    event = SimpleNamespace
    events = [event(key="aten::addmm", self_cpu_time_total=6), event(key="aten::gelu", self_cpu_time_total=3),
              event(key="Optimizer.step", self_cpu_time_total=1)]  # fmt: skip
    shares = NOTEBOOK["share_by_kind"](events)
    assert shares == {"matrix products": 0.6, "GELU, LayerNorm, sums": 0.3, "crops": 0, "copies": 0, "all else": 0.1}


def test_numbers_of_the_plan_in_the_text():
    costs = step_costs(planned(), 1, query_fraction=0.5)
    per_second = 0.35 * 312e12 / costs.flops
    hours = 100 * 1_281_167 / per_second / 3600
    assert f"take {hours:.1f} hours on one GPU and {hours / 8 / 0.9:.1f} hours on eight" in TEXT
    assert f"needs {per_second:,.0f} pictures a second" in TEXT
    assert f"ViT-S has {costs.parameters / 1e6:.0f} million weights and 196 patches" in TEXT
    assert planned().vit.num_patches == 196


def test_numbers_of_the_solutions():
    first, second, third = exercises("10")
    fit, mean, largest = (each.solved("10")[each.function] for each in (first, second, third))
    epochs = fit(24, 1_281_167, step_costs(planned(), 1, query_fraction=0.5).flops, 0.35 * 312e12)
    assert epochs >= int(re.search(r"enough for (\d+) epochs", first.help)[1]) > 0.99 * epochs - 5
    losses = torch.tensor([2.0, 2.0, 1.0, 1.0])
    assert f"is {losses.mean():.1f}." in second.help
    assert f"is {mean(losses, torch.tensor([8, 8, 7, 7])):.2f}:" in second.help
    with torch.device("meta"):
        vit_b = MP3(ViT(num_classes=1000, patch_norm=False, **preset("vit-b16")), 0.75, "updated")
    plain, kept = (step_costs(vit_b, 1, checkpoint_activations=on) for on in (False, True))
    sizes = [largest(24_000_000_000, one.state_bytes, one.activation_bytes, 1) for one in (plain, kept)]
    assert sizes[1] > 3 * sizes[0] > 0 and 1.25 < kept.flops / plain.flops < 4 / 3


def test_the_stored_ratios_are_those_that_the_text_speaks_of():
    scale = stored("benchmarks/scale.json")
    assert scale["base"] == {"batch_size": 64, "precision": "float32", "optimizer": "adamw", "flip": True,
                             "mask_ratio": 0.75}  # fmt: skip
    low, high = (f"{scale['processes']['2'][end]:.2f}" for end in ("low", "high"))
    assert f"two processes were {low} to {high} times as fast" in prose("10") and scale["rounds"] == 5
    assert scale["versions"]["cores"] == "2" and set(scale["processes"]) == {"1", "2", "4", "one, with threads"}
    counted = step_costs(planned(), 1).flops / step_costs(planned(), 1, query_fraction=0.25).flops
    assert counted > 1.9, "the text: more than half of the operations are saved"
