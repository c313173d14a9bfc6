"""The cost of a step, counted from the shape, beside what PyTorch counts while it computes one."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mp3lib import MP3, ViT
from mp3lib.train import make_optimizers, step_costs
from mp3lib.train.optimizers import is_for_muon, orthogonalised
from mp3lib.train.settings import RunSettings

BATCH = 4


def vit(**options) -> ViT:
    shape = {"image_size": (16, 32), "patch_size": 4, "dim": 32, "depth": 3, "heads": 2, "mlp_dim": 64, "dim_head": 8}
    return ViT(num_classes=5, **shape | options)


MODELS = {
    "updated": (lambda: MP3(vit(patch_norm=False), 0.75, "updated"), {}),
    "fewer queries": (lambda: MP3(vit(patch_norm=False), 0.75, "updated"), {"query_fraction": 0.5}),
    "frozen": (lambda: MP3(vit(), 0.75, "frozen"), {"mask_ratio": 0.25}),
    "frozen, fewer queries": (lambda: MP3(vit(), 0.75, "frozen"), {"query_fraction": 0.25}),
    "labels": (vit, {}),
}


def computed(model, options) -> tuple[int, int]:
    """Operations of a step's products, and bytes that its forward pass keeps besides the weights."""
    weights, kept = {p.untyped_storage().data_ptr() for p in model.parameters()}, {}

    def note(tensor):
        if (storage := tensor.untyped_storage()).data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    images = torch.rand(BATCH, 3, 16, 32)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # it does not see the fused kernel
        loss = model(images, **options)
        (loss if loss.ndim == 0 else torch.nn.functional.cross_entropy(loss, torch.zeros(BATCH).long())).backward()
    with saved_tensors_hooks(note, lambda tensor: tensor):
        loss = model(images, **options)
        loss if loss.ndim == 0 else torch.nn.functional.cross_entropy(loss, torch.zeros(BATCH).long())
    return counter.get_total_flops(), sum(size for size, _ in kept.values())


@pytest.mark.parametrize("name", MODELS)
def test_products_are_counted_exactly_and_memory_within_a_tenth(name):
    make, options = MODELS[name]
    costs, (flops, kept) = step_costs(make(), BATCH, **options), computed(make(), options)
    assert costs.flops == flops
    assert costs.activation_bytes == pytest.approx(kept, rel=0.1)
    compiled = make()
    inside = compiled.vit if isinstance(compiled, MP3) else compiled
    inside.transformer = torch.compile(inside.transformer)
    assert step_costs(compiled, BATCH, **options) == costs
    assert costs.parameters == sum(p.numel() for p in make().parameters())
    assert costs.image_bytes == BATCH * 3 * 16 * 32 and costs.gradient_bytes == 4 * costs.parameters


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_the_memory_of_the_optimizer_is_that_of_its_state(optimizer):
    model = MODELS["updated"][0]()
    same = {"task": "pretrain", "epochs": 1, "batch_size": 4, "lr": 1e-3, "weight_decay": 0.0, "seed": 0}
    settings = RunSettings(**same, optimizer=optimizer, precision="float32", num_images=4)
    model(torch.rand(4, 3, 16, 32)).backward()
    model.vit.linear_head.requires_grad_(False)
    numbers = 2 * sum(p.numel() for p in model.parameters())
    for each in make_optimizers(model, settings):
        each.step()
        numbers += sum(t.numel() for state in each.state.values() for t in state.values() if t.ndim)
    unused = 2 * sum(p.numel() for p in model.vit.linear_head.parameters())  # the head has no state before fine-tuning
    assert step_costs(model, 4, optimizer=optimizer).state_bytes == 4 * (numbers + unused)


def test_the_products_of_muon_are_counted():
    model = MODELS["updated"][0]()
    with FlopCounterMode(display=False) as counter:
        for name, weight in model.named_parameters():
            if is_for_muon(name, weight):
                orthogonalised(weight.detach())
    assert step_costs(model, 1).optimizer_flops == counter.get_total_flops() > 0
    assert step_costs(model, 1, optimizer="adamw").optimizer_flops == 0


def test_checkpointed_activations_cost_a_forward_pass_and_save_memory():
    plain, checkpointed = (step_costs(vit(depth=12), 8, checkpoint_activations=on) for on in (False, True))
    assert 1.2 < checkpointed.flops / plain.flops < 4 / 3 and checkpointed.activation_bytes < plain.activation_bytes / 4


def test_costs_of_a_model_without_weights_and_refusals():
    with torch.device("meta"):
        large = vit(dim=768, depth=12)
    assert step_costs(large, 256).flops > 5e10
    for arguments, words in (
        ({"model": 3}, "model must be an MP3 or a ViT, got 3"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"mask_ratio": 0.5}, "are of an MP3, got a ViT"),
        ({"query_fraction": 0.5}, "are of an MP3, got a ViT"),
        ({"optimizer": "sgd"}, 'optimizer must be "muon" or "adamw", got \'sgd\''),
    ):
        with pytest.raises(ValueError, match=words):
            step_costs(**{"model": vit(), "batch_size": 4} | arguments)
