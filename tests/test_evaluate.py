"""Measures of position prediction on cases with known answers."""

from __future__ import annotations

import copy
import itertools
import json
import math

import pytest
import torch

from mp3lib import MP3, ViT, budget
from mp3lib.__main__ import main
from mp3lib.checks.harness import seeded
from mp3lib.cli.measures import FLOOR_PATCHES
from mp3lib.evaluate import (
    assign,
    frozen_features,
    knn_top1,
    linear_top1,
    patch_only_floor,
    position_accuracy,
    sinkhorn,
    top1_accuracy,
)
from mp3lib.json_files import write_json, write_text
from mp3lib.train import finetune, pretrain, read_metrics, read_run


def model(n_side: int = 2) -> MP3:
    torch.manual_seed(0)
    vit = ViT(num_classes=2, image_size=4 * n_side, patch_size=4, dim=16, depth=1, heads=1, mlp_dim=16)
    return MP3(vit, 0.5)


def noise(number: int, side: int) -> torch.Tensor:
    return torch.randint(0, 256, (number, 3, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_accuracy_of_a_model_that_always_answers_one_position():
    mp3 = model()
    with torch.no_grad():
        mp3.mlp_head[1].weight.zero_()
        mp3.mlp_head[1].bias.copy_(torch.tensor([0.0, 0.0, math.log(5), 0.0]))  # p = 1/8, 1/8, 5/8, 1/8
    scores = position_accuracy(mp3, noise(30, 8), (0.0, 0.5), jigsaw=True)
    assert list(scores) == [0.0, 0.5]
    for s in scores.values():
        assert s["accuracy"] == 0.25
        assert s["loss"] == pytest.approx((3 * math.log(8) + math.log(8 / 5)) / 4)


def test_accuracy_is_that_of_the_predictions_whatever_the_batch():
    mp3, images = model(4), noise(25, 16)
    mp3.train()
    one = position_accuracy(mp3, images, (0.5,), jigsaw=True, batch_size=25)[0.5]
    p = mp3.predict(images / 127.5 - 1, mask_ratio=0.5, generator=torch.Generator().manual_seed(0))
    assert one["accuracy"] == pytest.approx((p.logits.argmax(-1) == p.labels).float().mean().item())
    assert one["loss"] == pytest.approx(p.loss.mean().item(), rel=1e-5)
    assert one["jigsaw"] == pytest.approx((assign(p.logits) == p.labels).float().mean().item())
    assert one["accuracy"] == pytest.approx(position_accuracy(mp3, images, (0.5,), batch_size=7)[0.5]["accuracy"])
    assert mp3.training  # as it was


def test_a_measure_leaves_each_part_of_a_model_in_its_own_mode():
    """Also where it raises: frozen lower layers may be in eval mode while the rest is trained."""
    images, labels = noise(4, 8), torch.tensor([0, 1, 0, 1])
    for measure in (
        lambda mp3: position_accuracy(mp3, images, (0.5,)),
        lambda mp3: top1_accuracy(mp3.vit, images, labels),
        lambda mp3: frozen_features(mp3.vit, images),
    ):
        mp3 = model().train()
        mp3.vit.transformer.eval()
        before = [part.training for part in mp3.modules()]
        measure(mp3)
        assert [part.training for part in mp3.modules()] == before
        mp3.vit.transformer.layers[0][1].net[1].weight.data.fill_(1e38)  # its results are not finite
        with pytest.raises(ValueError):
            measure(mp3)
        assert [part.training for part in mp3.modules()] == before


def test_assignment_gives_every_position_once_and_prefers_the_whole():
    logits = torch.tensor([[[5.0, 4.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 1.0]]])
    assert logits.argmax(-1).tolist() == [[0, 0, 2]]
    assert assign(logits).tolist() == [[1, 0, 2]]
    many = assign(torch.randn(6, 16, 16))
    assert torch.equal(many.sort(1).values, torch.arange(16).expand(6, 16))


def test_sinkhorn_scales_rows_and_columns_to_one():
    votes = torch.tensor([[[6.0, 5, 1], [9, 2, 1], [4, 4, 4]]])
    soft = sinkhorn(votes.log(), iterations=1000, tolerance=1e-9)
    assert soft.shape == (1, 3, 3) and soft.dtype == torch.float32
    assert torch.allclose(soft.sum(dim=1), torch.ones(1, 3)) and torch.allclose(soft.sum(dim=2), torch.ones(1, 3))
    # scaling keeps every ratio of ratios: that, and the sums, is what defines the answer
    cross = (soft[0, 0, 0] * soft[0, 1, 1]) / (soft[0, 0, 1] * soft[0, 1, 0])
    assert cross == pytest.approx((6 * 2) / (5 * 9), rel=1e-4)
    two = sinkhorn(torch.tensor([[[1.0, 0.0], [0.0, 0.0]]]), tolerance=0)  # e : 1 = (p / (1 - p)) ** 2
    assert two[0, 0, 0] == pytest.approx(1 / (1 + math.exp(-0.5)), abs=1e-6)


def test_sinkhorn_grows_cold_into_the_assignment_and_warm_into_evenness():
    logits = torch.randn(5, 6, 6, generator=torch.Generator().manual_seed(0))
    cold = sinkhorn(logits, temperature=0.01, iterations=3000)
    assert torch.equal(cold.argmax(-1), assign(logits)) and cold.max(-1).values.mean() > 0.9
    assert torch.allclose(sinkhorn(logits, temperature=1e6), torch.full((5, 6, 6), 1 / 6), atol=1e-4)


def test_sinkhorn_neither_overflows_nor_minds_what_scaling_undoes():
    logits = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(1))
    far_off = logits + 1000 * torch.randn(2, 4, 1) + 1000 * torch.randn(2, 1, 4)
    assert sinkhorn(1000 * logits).isfinite().all()
    assert torch.allclose(sinkhorn(logits.double()), sinkhorn(far_off.double()), atol=1e-3)
    turned = torch.tensor([2, 0, 3, 1])
    assert torch.allclose(sinkhorn(logits)[:, turned], sinkhorn(logits[:, turned]), atol=1e-6)


@pytest.mark.parametrize(
    "logits, options, message",
    [
        (torch.zeros(3, 3), {}, r"shape \(b, n, n\), got \(3, 3\)"),
        (torch.zeros(1, 2, 3), {}, r"got \(1, 2, 3\)"),
        (torch.zeros(1, 2, 2), {"temperature": 0.0}, "temperature must be above 0, got 0"),
        (torch.full((1, 2, 2), -math.inf), {}, "logits must be finite, got -inf"),
        (torch.zeros(0, 2, 2), {}, r"got \(0, 2, 2\)"),
        (torch.zeros(1, 2, 2), {"temperature": math.nan}, "temperature must be above 0, got nan"),
        (torch.zeros(1, 2, 2), {"temperature": math.inf}, "got inf"),
        (torch.ones(1, 2, 2), {"temperature": 1e-310}, "temperature 1e-310 is too low for logits up to 1"),
        (torch.zeros(1, 2, 2), {"iterations": 0}, "iterations must be .*got 0"),
        (torch.zeros(1, 2, 2), {"iterations": 2.5}, "got 2.5"),
        (torch.zeros(1, 2, 2), {"tolerance": -1}, "tolerance must be 0 or more, got -1"),
        (torch.zeros(1, 2, 2), {"tolerance": math.nan}, "got nan"),
    ],
)
def test_sinkhorn_refuses(logits, options, message):
    with pytest.raises(ValueError, match=message):
        sinkhorn(logits, **options)


class WithoutFloat64(torch.Tensor):
    """A tensor as on MPS, a device without float64; its copy on the CPU is an ordinary tensor."""

    def double(self):
        raise TypeError("Cannot convert a MPS Tensor to float64")

    def cpu(self):
        return self.as_subclass(torch.Tensor)


def test_assignments_need_no_float64_on_the_device():
    logits = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(2))
    for one in (logits, logits * (3e38 / logits.abs().max())):  # far apart: float32 does not hold the differences
        assert torch.equal(assign(one.as_subclass(WithoutFloat64)), assign(one))
    assert torch.equal(sinkhorn(logits.as_subclass(WithoutFloat64)), sinkhorn(logits))


@pytest.mark.parametrize("wrong", [torch.zeros(3, 3), torch.zeros(0, 2, 2), torch.zeros(1, 0, 0), torch.zeros(1, 2, 3),
                                   torch.tensor([[[math.nan]]]), torch.tensor([[[math.inf]]]), [[[1.0]]]])  # fmt: skip
def test_assignment_refuses(wrong):
    with pytest.raises(ValueError, match="logits must .*got"):
        assign(wrong)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 9, 16, 25, 64])
def test_equal_logits_are_assigned_by_chance(n):
    """A network that has learnt nothing must not look as if it had: ties do not favour the right arrangement."""
    same = assign(torch.zeros(3, n, n))
    assert torch.equal(same, same[:1].expand(3, n)) and torch.equal(same.sort(1).values, torch.arange(n).expand(3, n))
    assert (same[0] == torch.arange(n)).sum() == {1: 1, 2: 0}.get(n, 1)  # one patch in n
    if n > 4:  # the same scores for every patch, as of a head that has only biases, in any order
        for seed in range(5):
            columns = torch.randn(n, generator=torch.Generator().manual_seed(seed))
            for biases in (columns, columns.sort().values, -columns.sort().values):
                assert (assign(biases.expand(1, n, n))[0] == torch.arange(n)).float().mean() < 0.45


def test_a_dead_network_scores_near_chance():
    mp3 = model(4)
    with torch.no_grad():
        for parameter in mp3.parameters():
            parameter.zero_()
    score = position_accuracy(mp3, noise(20, 16), (0.5,), jigsaw=True)[0.5]
    assert score["accuracy"] == score["jigsaw"] == 1 / 16 and score["whole"] == 0


def test_assignment_is_the_best_of_all_arrangements():
    logits = torch.randn(40, 4, 4, generator=torch.Generator().manual_seed(0))
    scores, orders = logits.log_softmax(-1), torch.tensor(list(itertools.permutations(range(4))))
    sums = scores[:, torch.arange(4), orders].sum(-1)  # (40, 24)
    best = orders[sums.argmax(dim=1)]
    assert torch.equal(assign(logits), best)
    assert all(torch.equal(assign(logits[i : i + 1])[0], best[i]) for i in range(5))  # whatever the batch
    assert torch.equal(
        assign(1e38 * logits.sign() * logits.abs().clamp(max=3)), assign(logits.sign() * logits.abs().clamp(max=3))
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mask_ratios": ()}, "at least one number"),
        ({"mask_ratios": 0.5}, "several numbers, such as .*got 0.5"),
        ({"mask_ratios": (math.nan,)}, "got nan"),
        ({"batch_size": 0}, "batch_size must be .*got 0"),
        ({"seed": -1}, "seed must be .*got -1"),
        ({"images": torch.zeros(2, 3, 8, 8)}, "uint8 .*got torch.float32"),
        ({"images": noise(2, 8).permute(0, 2, 3, 1)}, r"looks like \(N, H, W, c\): permute"),
        ({"images": noise(2, 8)[:0]}, r"got .*\(0, 3, 8, 8\)"),
    ],
)
def test_position_accuracy_refuses(change, words):
    arguments = {"images": noise(2, 8), "mask_ratios": (0.5,)} | change
    with pytest.raises(ValueError, match=words):
        position_accuracy(model(), **arguments)


def test_models_whose_weights_are_not_finite_get_no_figure():
    mp3 = model()
    with torch.no_grad():
        mp3.vit.transformer.layers[0][0].to_q.weight[0, 0] = math.nan
    for call in (
        lambda: position_accuracy(mp3, noise(2, 8)),
        lambda: top1_accuracy(mp3.vit, noise(2, 8), [0, 1]),
        lambda: frozen_features(mp3.vit, noise(2, 8)),
    ):
        with pytest.raises(ValueError, match="not finite .*layers.0.0.to_q.weight holds nan"):
            call()


def test_models_in_half_precision_are_measured():
    mp3 = model().bfloat16()
    assert 0 <= position_accuracy(mp3, noise(4, 8).numpy())[0.75]["accuracy"] <= 1
    assert frozen_features(mp3.vit, noise(4, 8)).dtype == torch.float32
    assert 0 <= top1_accuracy(mp3.vit, noise(4, 8), [0, 1, 1, 0]) <= 1
    with pytest.raises(ValueError, match="labels must be 0 to 1, .*got 2"):
        top1_accuracy(mp3.vit, noise(1, 8), [2])


def test_floor_takes_one_number_and_refuses_the_rest():
    images = noise(20, 8)
    assert patch_only_floor(images, images, 4, epochs=1) == patch_only_floor(images, images.numpy(), (4, 4), epochs=1)
    for change, words in (
        ({"patch_size": 3}, r"\(3, 3\) does not divide"), ({"patch_size": 0}, "got 0"), ({"epochs": 0}, "got 0"),
        ({"lr": math.nan}, "got nan"), ({"hidden_dim": 1.5}, "got 1.5"), ({"test_images": noise(2, 4)}, "one size"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            patch_only_floor(**{"train_images": images, "test_images": images, "patch_size": 4, "epochs": 1} | change)


def test_floor_is_certain_where_patches_tell_and_chance_where_they_do_not():
    told = torch.zeros(400, 3, 8, 8, dtype=torch.uint8)
    told[:, 0, :4, :4], told[:, 1, :4, 4:], told[:, 2, 4:, :4] = 255, 255, 255  # each corner its own colour
    assert patch_only_floor(told, told[:50], (4, 4), hidden_dim=32, epochs=40).accuracy == 1.0
    silent = patch_only_floor(noise(400, 8), noise(450, 8)[400:], (4, 4), hidden_dim=8, epochs=1)
    assert abs(silent.accuracy - 0.25) < 0.12 and abs(silent.loss - math.log(4)) < 0.15


def test_floor_leaves_the_global_randomness_alone():
    torch.manual_seed(3)
    before = torch.rand(2)
    torch.manual_seed(3)
    patch_only_floor(noise(20, 8), noise(20, 8), (4, 4), epochs=1)
    assert torch.equal(torch.rand(2), before)


@pytest.mark.slow
def test_command_evaluates(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MP3_DATA", "scenes")
    torch.manual_seed(0)
    MP3(ViT(num_classes=10, image_size=32, patch_size=16, dim=8, depth=1, heads=1, mlp_dim=8), 0.5).save_pretrained(
        tmp_path
    )
    args = ["evaluate", "--weights", str(tmp_path), "--limit", "500", "--mask-ratios", "0.5", "--json"]
    assert main(args) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["chance"] == 0.25 and set(figures["positions"]["0.5"]) == {"accuracy", "loss", "jigsaw", "whole"}
    assert (figures["patch_only"]["epochs"], figures["patch_only"]["images"]) == (20, 500)
    monkeypatch.setattr("mp3lib.cli.measures.FLOOR_PATCHES", 4 * 300)  # the floor of a large set takes a part of it
    assert main([*args, "--floor-epochs", "1"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["patch_only"]["images"] == 250
    assert main([*args, "--floor-epochs", "0"]) == 0
    assert "patch_only" not in json.loads(capsys.readouterr().out.splitlines()[-1])


def test_the_floor_takes_all_training_images_of_our_sets():
    assert 50_000 * 64 <= FLOOR_PATCHES


def test_budget(monkeypatch):
    for name, value in (("smoke", 1), ("laptop", 2), ("full", 3), ("", 2)):
        monkeypatch.setenv("MP3_BUDGET", name)
        assert budget(smoke=1, laptop=2, full=3) == value
    monkeypatch.setenv("MP3_BUDGET", "huge")
    with pytest.raises(ValueError, match="smoke, laptop, full, got 'huge'"):
        budget(smoke=1, laptop=2, full=3)


def test_results_are_read_back_and_mistakes_named(tmp_path):
    write_json(tmp_path / "run.json", {"settings": {"a": 1}})
    assert read_run(tmp_path) == {"settings": {"a": 1}}
    with pytest.raises(FileNotFoundError, match="no metrics.jsonl: it is not the folder of a run"):
        read_metrics(tmp_path)
    write_text(tmp_path / "metrics.jsonl", '{"epoch": 1}\nnonsense\n')
    with pytest.raises(ValueError, match="line 2 is not JSON: 'nonsense'"):
        read_metrics(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.txt", "\ud800")
    assert (tmp_path / "a.txt").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_each_measure_names_the_model_that_it_takes():
    mp3 = model()
    with pytest.raises(ValueError, match="mp3 must be an MP3, got ViT"):
        position_accuracy(mp3.vit, noise(2, 8))
    for call in (lambda: top1_accuracy(mp3, noise(2, 8), [0, 1]), lambda: frozen_features(mp3, noise(2, 8))):
        with pytest.raises(ValueError, match="vit must be a ViT, got MP3.*an MP3 has one as its .vit"):
            call()


def test_measures_and_checkers_seed_no_other_device(monkeypatch):
    """``torch.manual_seed`` would also seed the GPUs of the caller."""
    monkeypatch.setattr(torch, "manual_seed", lambda seed: pytest.fail("all devices are seeded"))
    features, labels = torch.randn(20, 3), torch.arange(20) % 2
    before = torch.get_rng_state()
    tops = {linear_top1(features, labels, features, labels, epochs=1) for _ in range(2)}
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    patch_only_floor(images, images, 4, epochs=1)
    first, second = (seeded(lambda: torch.nn.Linear(2, 2)) for _ in range(2))
    assert len(tops) == 1 and torch.equal(first.weight, second.weight) and torch.equal(torch.get_rng_state(), before)


def test_the_callers_default_dtype_changes_no_figure():
    """Models and figures are float32 also where PyTorch's default is float64."""
    torch.manual_seed(0)
    mp3 = MP3(ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=1, heads=1, mlp_dim=16), 0.5)
    images, labels = torch.randint(0, 256, (40, 3, 8, 8), dtype=torch.uint8), torch.arange(40) % 2

    def figures() -> list:
        ours, features = copy.deepcopy(mp3), frozen_features(mp3.vit, images)
        loss = pretrain(ours, images, epochs=1, batch_size=20, precision="float32", progress=False)[-1]["loss"]
        top1 = finetune(ours.vit, images, labels, epochs=1, batch_size=20, precision="float32", progress=False)
        probes = (probe(features, labels, features, labels) for probe in (knn_top1, linear_top1))
        floor = patch_only_floor(images, images, 4, epochs=1)
        return [loss, top1[-1]["loss"], position_accuracy(mp3, images), *probes, features.dtype, *floor]

    expected = figures()
    torch.set_default_dtype(torch.float64)
    try:
        found = figures()
    finally:
        torch.set_default_dtype(torch.float32)
    assert found == expected
