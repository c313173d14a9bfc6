"""Training: what is learned, what is written down, and what happens when it goes wrong."""

from __future__ import annotations

import copy
import dataclasses
import errno
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scripts import load_script, running
from torchvision.transforms import v2

import mp3lib.train.checkpoint as checkpoint_module
import mp3lib.train.pretraining as pretraining
import mp3lib.train.processes as processes
from mp3lib import MP3, ViT
from mp3lib.data.cues import grey
from mp3lib.evaluate import position_accuracy
from mp3lib.json_files import write_json
from mp3lib.model import load_mp3
from mp3lib.train import (
    RunSettings,
    finetune,
    keep_memory,
    make_optimizers,
    pretrain,
    read_metrics,
    read_run,
    resolve_precision,
    seed_of,
    warmup_cosine,
)
from mp3lib.train.checkpoint import checkpoints
from mp3lib.train.digests import digest_of
from mp3lib.train.optimizers import Float32Muon, moving_average, orthogonalised
from mp3lib.train.pretraining import check_named
from mp3lib.train.run_folder import machines

ROOT = Path(__file__).resolve().parents[1]
IMAGES = torch.randint(0, 256, (48, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
QUICK = dict(epochs=3, batch_size=16, precision="float32", progress=False, seed=5)
SETTINGS = RunSettings(
    task="pretrain", epochs=1, batch_size=16, lr=1e-2, weight_decay=0.1, optimizer="muon", precision="float32",
    seed=0, num_images=48,
)  # fmt: skip


def model(dropout: float = 0.1) -> MP3:
    torch.manual_seed(0)
    vit = ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=2, heads=1, mlp_dim=16, dropout=dropout)
    return MP3(vit, 0.5, "updated")


def weights(mp3: torch.nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in mp3.parameters()]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def uninterrupted() -> list[torch.Tensor]:
    mp3 = model()
    pretrain(mp3, IMAGES, **QUICK)
    return weights(mp3)


def test_a_run_folder_tells_everything(tmp_path):
    mp3 = model()
    about = {"source": "random", "fingerprint": "f00d"}
    lines = pretrain(mp3, IMAGES, **QUICK, out=tmp_path, eval_images=IMAGES[:10], eval_every=2, about=about)
    assert [line["epoch"] for line in lines] == [1, 2, 3] and lines[-1]["step"] == 9
    assert read_metrics(tmp_path) == lines
    assert [("test_accuracy" in line) for line in lines] == [False, True, True]  # every second, and the last
    assert set(lines[-1]["test_accuracy"]) == {"0.75", "0.5", "0.0"}
    run = read_run(tmp_path)
    assert run["fingerprint"] == run["settings"]["data"] == "f00d" and run["versions"]["torch"] == torch.__version__
    assert run["settings"]["lr"] == 2e-3 and run["settings"]["model"]["vit"]["dim"] == 16
    loaded = MP3.from_pretrained(tmp_path)
    assert same(weights(loaded), weights(mp3)) and loaded.context == "updated"
    assert [c.name for c in checkpoints(tmp_path)] == ["checkpoint-00000009", "checkpoint-00000006"]
    assert "forward" not in vars(mp3)  # no wrapper of the training stays behind


def test_the_loss_falls():
    mp3, pictures = model(0.0), IMAGES[:2].repeat(24, 1, 1, 1)
    lines = pretrain(mp3, pictures, epochs=30, batch_size=16, crop_area=(1, 1), lr=1e-2, progress=False)
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]


def test_the_parts_of_a_step_have_one_mask_ratio_even_if_the_transform_is_random(monkeypatch):
    drawn, draw = [], pretraining.sample_context

    def watched(batch, num_patches, mask_ratio, **options):
        drawn.append(mask_ratio)
        return draw(batch, num_patches, mask_ratio, **options)

    monkeypatch.setattr(pretraining, "sample_context", watched)
    random = {"mask_ratios": (0.25, 0.75), "transform": lambda x: x + torch.rand_like(x)}
    pretrain(model(), IMAGES, **QUICK | {"epochs": 1}, **random, accumulate=2)
    assert drawn[::2] == drawn[1::2] and len(drawn) == 6 and len(set(drawn)) == 3


def test_mask_ratios_are_drawn_for_every_step(tmp_path, uninterrupted, monkeypatch):
    drawn, draw = [], pretraining.sample_context

    def watched(batch, num_patches, mask_ratio, **options):
        drawn.append(mask_ratio)
        return draw(batch, num_patches, mask_ratio, **options)

    monkeypatch.setattr(pretraining, "sample_context", watched)
    mp3 = model()
    pretrain(mp3, IMAGES, **QUICK, mask_ratios=(0.25, 0.75), out=tmp_path)
    assert len(set(drawn)) == 9 and all(0.25 <= ratio <= 0.75 for ratio in drawn)
    assert max(drawn) - min(drawn) > 0.2 and not same(weights(mp3), uninterrupted)
    settings = read_run(tmp_path)["settings"]
    assert settings["mask_ratios"] == [0.25, 0.75] and settings["mask_ratio"] == mp3.masking_ratio == 0.5
    for wrong in ((0.75, 0.25), (-0.1, 0.5), (0.5, 1.0)):
        with pytest.raises(ValueError, match=r"mask_ratios must be \(lowest, highest\)"):
            pretrain(model(), IMAGES, **QUICK, mask_ratios=wrong)


def test_same_seed_same_weights_other_seed_others(uninterrupted):
    again, other = model(), model()
    pretrain(again, IMAGES, **QUICK)
    pretrain(other, IMAGES, **(QUICK | {"seed": 6}))
    assert same(weights(again), uninterrupted) and not same(weights(other), uninterrupted)


@pytest.mark.parametrize("when", [2, 4, 8])
def test_an_interrupted_run_resumes_to_the_same_bits(when, tmp_path, interrupted, uninterrupted):
    with interrupted(pretraining, "random_resized_crop", when):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    mp3 = model()
    lines = pretrain(mp3, IMAGES, **QUICK, out=tmp_path, resume=True)
    assert same(weights(mp3), uninterrupted)
    assert [line["epoch"] for line in lines] == [1, 2, 3] == [line["epoch"] for line in read_metrics(tmp_path)]
    assert same(weights(MP3.from_pretrained(tmp_path)), uninterrupted)


@pytest.mark.parametrize("when", [2, 8])
def test_a_run_with_averaged_weights_resumes_to_the_same_bits(when, tmp_path, interrupted, uninterrupted):
    whole = model()
    lines = pretrain(whole, IMAGES, **QUICK, ema=0.9, eval_images=IMAGES)
    assert not same(weights(whole), uninterrupted)
    tested = position_accuracy(whole, IMAGES, (0.5,))[0.5]  # what is tested is what is left in the model
    assert lines[-1]["test_loss"]["0.5"] == tested["loss"]

    with interrupted(pretraining, "random_resized_crop", when):
        pretrain(model(), IMAGES, **QUICK, ema=0.9, out=tmp_path)
    for _ in range(2):  # the second time there is nothing left to train
        mp3 = model()
        pretrain(mp3, IMAGES, **QUICK, ema=0.9, out=tmp_path, resume=True)
        assert same(weights(mp3), weights(whole))
        assert same(weights(MP3.from_pretrained(tmp_path)), weights(whole))
    assert read_run(tmp_path)["settings"]["ema"] == 0.9
    with pytest.raises(ValueError, match="ema 0.9 then, 0.0 now"):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True)


def test_a_run_without_averages_does_not_name_them(tmp_path):
    """So that a run begun before there were averages goes on."""
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    assert "ema" not in read_run(tmp_path)["settings"]


def test_resuming_a_finished_run_changes_nothing(tmp_path, uninterrupted):
    first = pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    mp3 = model()
    assert pretrain(mp3, IMAGES, **QUICK, out=tmp_path, resume=True) == first
    assert same(weights(mp3), uninterrupted)


def test_a_run_is_not_overwritten_nor_continued_otherwise(tmp_path):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    with pytest.raises(ValueError, match="already holds a run: resume it"):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    with pytest.raises(ValueError, match=r"other settings: lr 0.002 then, 0.1 now, seed 5 then, 9 now"):
        pretrain(model(), IMAGES, **(QUICK | {"lr": 0.1, "seed": 9}), out=tmp_path, resume=True)
    with pytest.raises(ValueError, match="other settings: dropout 0.1 then, 0.0 now. Use"):
        pretrain(model(0.0), IMAGES, **QUICK, out=tmp_path, resume=True)
    with pytest.raises(ValueError, match="other settings: task 'pretrain' then, 'finetune' now. Use"):
        finetune(model().vit, IMAGES, torch.arange(len(IMAGES)) % 2, out=tmp_path, resume=True)


def test_a_resumed_run_knows_its_images(tmp_path):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    with pytest.raises(ValueError, match=r"other settings: images_digest '\w{32}' then"):
        pretrain(model(), 255 - IMAGES, **QUICK, out=tmp_path, resume=True)
    run = read_run(tmp_path)
    del run["settings"]["images_digest"]  # as older versions wrote it
    write_json(tmp_path / "run.json", run)
    pretrain(model(), 255 - IMAGES, **QUICK, out=tmp_path, resume=True)


def test_a_digest_is_that_of_images_and_labels_in_their_order():
    labels = torch.arange(48)
    spread = IMAGES.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)  # the same numbers in another order in memory
    assert digest_of(IMAGES, labels) == digest_of(spread, labels.repeat_interleave(2)[::2])
    others = (IMAGES, None), (IMAGES, labels.flip(0)), (IMAGES.flip(0), labels), (IMAGES.reshape(48, 3, 4, 16), labels)
    assert len({digest_of(*pair) for pair in ((IMAGES, labels), *others)}) == 5


def test_a_log_without_checkpoints_is_not_overwritten(tmp_path):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    before = (tmp_path / "metrics.jsonl").read_text()
    for folder in checkpoints(tmp_path):
        shutil.rmtree(folder)
    with pytest.raises(ValueError, match="has finished, and none of its checkpoints is left"):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True)
    assert (tmp_path / "metrics.jsonl").read_text() == before


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, capsys, uninterrupted):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    newest, before = checkpoints(tmp_path)
    (newest / "model.safetensors").write_bytes(b"half a fi")
    mp3 = model()
    pretrain(mp3, IMAGES, **QUICK, out=tmp_path, resume=True)
    assert same(weights(mp3), uninterrupted)
    assert f"{newest.name} cannot be read" in capsys.readouterr().out
    for folder in checkpoints(tmp_path):
        (folder / "optimizer.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="no checkpoint in .* can be read .* to start anew"):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True)


@pytest.mark.parametrize("name", ["optimizer.bin", "optimizer_1.bin", "metrics.jsonl", "progress.json"])
def test_half_a_file_of_a_checkpoint_is_noticed(name, tmp_path, capsys, uninterrupted):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    file = checkpoints(tmp_path)[0] / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    mp3 = model()
    pretrain(mp3, IMAGES, **QUICK, out=tmp_path, resume=True)
    assert same(weights(mp3), uninterrupted) and "cannot be read" in capsys.readouterr().out


def test_a_log_that_lags_behind_its_checkpoint_is_brought_up(tmp_path):
    """As a run leaves it that is killed between its last checkpoint and its log."""
    lines = pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    (tmp_path / "metrics.jsonl").write_text(json.dumps(lines[0]) + "\n")
    assert pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True) == lines == read_metrics(tmp_path)


def test_what_a_killed_run_left_unfinished_is_swept_up(tmp_path, uninterrupted):
    for name in (".model", ".checkpoint-00000001", ".checkpoint-00000003"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "model.safetensors").write_bytes(b"half")
    mp3 = model()
    pretrain(mp3, IMAGES, **QUICK, out=tmp_path, resume=True)
    assert same(weights(mp3), uninterrupted) and [path.name for path in tmp_path.glob(".*")] == [".lock"]


def test_weights_that_cannot_be_written_say_so(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="weights could not be written to .*No space"):
        patch.setattr("mp3lib.model.saving.write_weights", full)
        pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    assert len(checkpoints(tmp_path)) == 2 and not (tmp_path / ".model").exists()
    pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True)
    assert (tmp_path / "model.safetensors").exists()


def test_an_interrupted_checkpoint_is_removed(tmp_path, interrupted):
    with interrupted(checkpoint_module, "write_metrics", 3):  # the first of the second checkpoint
        pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    assert [c.name for c in checkpoints(tmp_path)] == ["checkpoint-00000003"]
    assert not list(tmp_path.glob(".checkpoint*"))


def test_a_full_disk_keeps_the_last_good_checkpoint(tmp_path, monkeypatch, uninterrupted):
    replace = os.replace

    def full(source, target):
        if str(target).endswith("checkpoint-00000006"):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left.*checkpoint-00000003 is kept"):
        patch.setattr(os, "replace", full)
        pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    assert [c.name for c in checkpoints(tmp_path)] == ["checkpoint-00000003"]
    assert not list(tmp_path.glob(".checkpoint*"))
    mp3 = model()
    pretrain(mp3, IMAGES, **QUICK, out=tmp_path, resume=True)
    assert same(weights(mp3), uninterrupted)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, monkeypatch):
    forward, calls = MP3.forward, []

    def broken(self, *args, **kwargs):
        calls.append(1)
        return forward(self, *args, **kwargs) * (float("nan") if len(calls) == 5 else 1)

    monkeypatch.setattr(MP3, "forward", broken)
    with pytest.raises(
        FloatingPointError, match="nan in epoch 2 .lr 0.002, float32.* Start anew with a lower .* are in .*-00000003"
    ):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    (kept,) = checkpoints(tmp_path)
    assert kept.name == "checkpoint-00000003"
    monkeypatch.undo()
    begun = load_mp3(kept)  # --start, on the command line
    pretrain(begun, IMAGES, **QUICK | {"lr": 1e-4}, out=tmp_path / "lower")
    assert begun.context == "updated" and not same(weights(load_mp3(kept)), weights(model()))


@pytest.mark.parametrize(("first_bad", "kept"), [(4, None), (7, "checkpoint-00000003")])
def test_weights_that_gave_no_finite_loss_are_not_called_good(first_bad, kept, tmp_path, monkeypatch):
    forward, calls = MP3.forward, []

    def broken(self, *args, **kwargs):
        calls.append(1)
        return forward(self, *args, **kwargs) * (float("nan") if len(calls) >= first_bad else 1)

    monkeypatch.setattr(MP3, "forward", broken)
    with pytest.raises(FloatingPointError) as told:
        pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    assert str(told.value).endswith(f"are in {tmp_path / kept}." if kept else "in another folder.")


def test_weights_that_are_not_finite_are_not_kept_though_every_loss_was(tmp_path, monkeypatch):
    forward, calls = MP3.forward, []

    def broken(self, *args, **kwargs):
        calls.append(1)
        nothing = self.mlp_head[1].bias.sum() * 0  # whose root has no gradient
        return forward(self, *args, **kwargs) + (nothing.sqrt() if len(calls) == 6 else 0)

    monkeypatch.setattr(MP3, "forward", broken)
    with pytest.raises(FloatingPointError, match="the weights are no longer finite in epoch 2 .* are in .*-00000003"):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    assert [c.name for c in checkpoints(tmp_path)] == ["checkpoint-00000003"]
    assert all(p.isfinite().all() for p in load_mp3(tmp_path / "checkpoint-00000003").parameters())


def test_a_run_killed_before_its_first_checkpoint_may_begin_with_other_settings(tmp_path, monkeypatch):
    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(MP3, "forward", killed)
        pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    with pytest.raises(ValueError, match="already holds a run"):
        pretrain(model(), IMAGES, **QUICK | {"lr": 1e-3}, out=tmp_path)
    pretrain(model(), IMAGES, **QUICK | {"lr": 1e-3}, out=tmp_path, resume=True)
    assert read_run(tmp_path)["settings"]["lr"] == 1e-3 and len(read_metrics(tmp_path)) == 3


def test_a_model_is_trained_again_in_the_precision_asked_for(tmp_path, monkeypatch):
    forward, found = MP3.forward, []

    def noted(self, *args, **kwargs):
        found.append(torch.is_autocast_enabled("cpu"))
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(MP3, "forward", noted)
    mp3, short = model(), QUICK | {"epochs": 1}
    for precision in ("float32", "bf16", "float32"):
        found.clear()
        out = tmp_path / f"{precision}-{len(list(tmp_path.iterdir()))}"
        pretrain(mp3, IMAGES, **short | {"precision": precision}, out=out)
        assert set(found) == {precision == "bf16"}
    with pytest.raises(ValueError, match="already holds a run"):
        pretrain(mp3, IMAGES, **short | {"precision": "bf16"}, out=tmp_path / "bf16-1")


def test_a_run_with_other_frozen_weights_is_not_resumed(tmp_path):
    def frozen(number: int) -> MP3:
        mp3 = model()
        for part in mp3.vit.transformer.layers[:number]:
            part.requires_grad_(False)
        return mp3

    pretrain(frozen(1), IMAGES, **QUICK, out=tmp_path / "run")
    shutil.rmtree(checkpoints(tmp_path / "run")[0])
    for number in (0, 2):
        with pytest.raises(ValueError, match=r"frozen weights then, \d+ now, or others"):
            pretrain(frozen(number), IMAGES, **QUICK, out=tmp_path / "run", resume=True)
    assert len(pretrain(frozen(1), IMAGES, **QUICK, out=tmp_path / "run", resume=True)) == 3
    pretrain(frozen(0), IMAGES, **QUICK, out=tmp_path / "free")
    assert "frozen" not in read_run(tmp_path / "free")["settings"]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_an_autocast_of_the_caller_changes_nothing(optimizer):
    weights = []
    for switched_on in (False, True):
        mp3 = model()
        with torch.autocast("cpu", torch.bfloat16, enabled=switched_on):
            pretrain(mp3, IMAGES, **QUICK | {"precision": "float32", "optimizer": optimizer})
        weights.append(mp3.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_every_part_of_the_model_is_left_in_its_mode():
    mp3 = model().eval()
    mp3.vit.transformer.train()
    before = [part.training for part in mp3.modules()]
    pretrain(mp3, IMAGES, **QUICK | {"epochs": 1})
    assert [part.training for part in mp3.modules()] == before


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_training_leaves_nothing_on_the_model(ema):
    mp3, untouched = model(), model()
    pretrain(mp3, IMAGES, **QUICK, ema=ema)
    assert vars(mp3).keys() == vars(untouched).keys() and vars(mp3.vit).keys() == vars(untouched.vit).keys()
    assert copy.deepcopy(mp3).state_dict().keys() == untouched.state_dict().keys()


READER = """
import sys, torch
from accelerate import Accelerator
from mp3lib import MP3, ViT
from mp3lib.train import pretrain
theirs = Accelerator(mixed_precision=sys.argv[1]) if sys.argv[1] != "none" else None
torch.manual_seed(0)
mp3 = MP3(ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=2, heads=1, mlp_dim=16), 0.5, "updated")
images = torch.randint(0, 256, (48, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
pretrain(mp3, images, epochs=2, batch_size=16, precision=sys.argv[2], progress=False)
assert theirs is None or theirs.mixed_precision == sys.argv[1], theirs.mixed_precision
print(sum(p.double().abs().sum().item() for p in mp3.parameters()))
"""


@pytest.mark.slow
def test_a_readers_own_accelerator_is_untouched_and_changes_nothing():
    @functools.cache
    def trained(theirs: str, ours: str) -> str:
        done = subprocess.run([sys.executable, "-c", READER, theirs, ours], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    assert trained("bf16", "float32") == trained("none", "float32")
    assert trained("no", "bf16") == trained("none", "bf16") != trained("none", "float32")


def test_scaled_gradients_are_refused(monkeypatch):
    monkeypatch.setattr(processes.Accelerator, "mixed_precision", "fp16")
    with pytest.raises(ValueError, match="mixed_precision=fp16 is asked for .*: use no or bf16"):
        pretrain(model(), IMAGES, **QUICK)


def test_the_callers_random_state_is_as_before():
    def states() -> tuple:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    random.seed(7), np.random.seed(7), torch.manual_seed(7)
    before = states()
    mp3 = model()
    torch.manual_seed(7)
    pretrain(mp3, IMAGES, **QUICK | {"epochs": 1})
    assert states() == before
    first = ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=1, heads=1, mlp_dim=16)
    pretrain(MP3(first, 0.5), IMAGES, **QUICK | {"epochs": 1})
    second = ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=1, heads=1, mlp_dim=16)
    pretrain(MP3(second, 0.5), IMAGES, **QUICK | {"epochs": 1})
    third = ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=1, heads=1, mlp_dim=16)
    assert not same(weights(second), weights(third))


def test_resuming_leaves_the_random_state_as_before(tmp_path):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    mp3 = model()
    torch.manual_seed(3)
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    pretrain(mp3, IMAGES, **QUICK, out=tmp_path, resume=True)
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_gradient_accumulation_in_the_environment_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4")
    with pytest.raises(ValueError, match="4 gradient accumulation steps .*unset it"):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "1")
    pretrain(model(), IMAGES, **QUICK, out=tmp_path / "run")
    assert read_run(tmp_path / "run")["environment"] == {"ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "1"}


def test_a_transform_without_a_name_is_refused_where_a_run_is_kept(tmp_path):
    def darker(share: float):
        def transform(x: torch.Tensor) -> torch.Tensor:
            return x * share

        return transform

    for transform, words in ((lambda x: x, "is a lambda"), (darker(0.1), "was made inside another function")):
        for given in (transform, functools.partial(transform)):
            with pytest.raises(ValueError, match=f"transform {words}.* functools.partial"):
                pretrain(model(), IMAGES, **QUICK, transform=given, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    check_named(torch.no_grad()(grey))
    pretrain(model(), IMAGES, **QUICK | {"epochs": 1}, transform=lambda x: x)


def test_a_resumed_run_knows_the_values_of_its_transform(tmp_path):
    quick = QUICK | {"epochs": 1, "out": tmp_path}
    pretrain(model(), IMAGES, **quick, transform=v2.GaussianBlur(3))
    pretrain(model(), IMAGES, **quick, transform=v2.GaussianBlur(3), resume=True)
    with pytest.raises(ValueError, match=r"transform_values 'GaussianBlur\(kernel_size=\(3, 3\).* then"):
        pretrain(model(), IMAGES, **quick, transform=v2.GaussianBlur(5), resume=True)


def test_a_moving_average_is_kept_as_tensors(tmp_path):
    pretrain(model(), IMAGES, **QUICK, ema=0.9, out=tmp_path)
    newest = checkpoints(tmp_path)[0]
    assert (newest / "average.safetensors").exists() and not list(newest.glob("custom_checkpoint*"))


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for _ in range(2):
        pretrain(model(), IMAGES, **QUICK, out="~/runs", resume=True)
    assert checkpoints(tmp_path / "runs") and MP3.from_pretrained(tmp_path / "runs")


def test_a_run_that_moves_to_another_machine_names_both(tmp_path, monkeypatch):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True)
    run = read_run(tmp_path)
    assert machines(run) == [run["versions"]]
    shutil.rmtree(checkpoints(tmp_path)[0])
    moved = run["versions"] | {"cpu": "another"}
    monkeypatch.setattr("mp3lib.train.opening.versions", lambda: moved)
    pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True)
    monkeypatch.setattr("mp3lib.train.opening.versions", lambda: moved | {"torch": "newer"})
    pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True)  # nothing is left to do there
    assert read_run(tmp_path) == run | {"resumed": [{"step": 6, "versions": moved}]}
    assert machines(read_run(tmp_path)) == [run["versions"], moved]
    for _ in range(2):
        shutil.rmtree(checkpoints(tmp_path)[0])
        monkeypatch.setenv("ACCELERATE_DEBUG_MODE", "false")
        monkeypatch.setattr("mp3lib.train.opening.versions", lambda: moved)
        pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True)
    (*_, last) = read_run(tmp_path)["resumed"]
    assert len(read_run(tmp_path)["resumed"]) == 2 and last["environment"] == {"ACCELERATE_DEBUG_MODE": "false"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "epochs must be positive, got 0"),
        ({"lr": -1.0}, "lr must be positive, got -1.0"),
        ({"lr": 0.0}, "lr must be positive, got 0.0"),
        ({"optimizer": "sgd"}, "got 'sgd'"),
        ({"precision": "int8"}, "got 'int8'"),
        ({"query_fraction": 0}, "got 0"),
        ({"ema": 1.0}, "below 1, got 1.0"),
        ({"ema": -0.5}, "at least 0 and below 1, got -0.5"),
    ],
)
def test_settings_are_checked(change, words):
    with pytest.raises(ValueError, match=words):
        pretrain(model(), IMAGES, **(QUICK | change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"crop_area": (1, 0.6)}, "area must be .low, high."),
        ({"images": IMAGES[:, :, :4]}, "images are .4, 8. pixels"),
        ({"images": IMAGES[:0]}, "uint8 .N, c, H, W., got .*0, 3, 8, 8"),
        ({"eval_images": IMAGES.float()}, "uint8"),
        ({"eval_images": IMAGES, "eval_ratios": (1.0,)}, "below 1 .*got 1.0"),
    ],
)
def test_what_does_not_fit_is_told_before_a_run_folder_is_made(change, words, tmp_path):
    settings = {"images": IMAGES} | QUICK | change
    with pytest.raises(ValueError, match=words):
        pretrain(model(), settings.pop("images"), **settings, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"about": "text"}, "about must be a dict whose keys are strings, got 'text'"),
        ({"about": {1: 2}}, "keys are strings, got {1: 2}"),
        ({"about": {"x": object()}}, "about.'x'. must be a value that JSON can hold, got <object"),
        ({"about": {"x": float("nan")}}, "about.'x'. must be a value that JSON can hold, got nan"),
        ({"about": {"settings": 1}}, "about must not hold 'settings', which run.json has already"),
        ({"about": {"best": 1}}, "about must not hold 'best', which run.json has already"),
        ({"about": {"longer": 1}}, "about must not hold 'longer', which run.json has already"),
        ({"out": 123}, r"a path must be a string or a Path, got 123 \(int\)"),
        ({"out": b"x"}, "got b'x'"),
        ({"out": "a\0b"}, "holds a null character"),
        ({"out": " "}, "the path is empty"),
        ({"resume": "yes"}, "resume must be True or False, got 'yes'"),
        ({"resume": True}, "resume=True needs out="),
        ({"progress": 1}, "progress must be True or False, got 1"),
        ({"images": IMAGES.to("meta")}, "images must hold values, got a tensor on the meta device"),
        ({"images": IMAGES.to_sparse()}, r"dense tensor, got a torch.sparse_coo one: use to_dense\(\)"),
        ({"eval_images": IMAGES.to("meta")}, "eval_images must hold values"),
        ({"transform": lambda x: x.repeat(2, 1, 1, 1)}, r"same shape \(1, 3, 8, 8\), got \(2, 3, 8, 8\)"),
        ({"transform": lambda x: x[..., :4]}, r"same shape \(1, 3, 8, 8\), got \(1, 3, 8, 4\)"),
        ({"transform": lambda x: x.long()}, "transform must return float images"),
        ({"transform": lambda x: None}, "transform must return float images .*got None"),
    ],
)
def test_what_a_training_is_called_with_is_checked(change, words):
    settings = {"images": IMAGES} | QUICK | change
    with pytest.raises(ValueError, match=words):
        pretrain(model(), settings.pop("images"), **settings)


def test_a_transform_may_work_in_another_precision():
    one, other = (
        pretrain(model(), IMAGES, **QUICK, transform=transform)[-1]["loss"] for transform in (None, torch.Tensor.double)
    )
    assert one == other


def test_about_is_kept_as_json_holds_it(tmp_path):
    for resume in (False, True):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path, about={"start": ("a", 1)}, resume=resume)
    assert read_run(tmp_path)["start"] == ["a", 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.requires_grad_(False), "nothing to train: got a model whose weights are all frozen"),
        (lambda m: m.half(), r"must be torch.float32 to be trained, got torch.float16 .*call .float\(\)"),
        (lambda m: m.double(), "must be torch.float32 to be trained, got torch.float64"),
        (lambda m: m.to("meta"), "have no values .vit.to_patch_embedding.1.weight is on the meta device"),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        pretrain(change(model()), IMAGES, **QUICK)


def test_only_the_head_that_pretraining_does_not_use_is_nothing_to_train():
    mp3 = model().requires_grad_(False)
    mp3.vit.linear_head.requires_grad_(True)
    with pytest.raises(ValueError, match="nothing to train"):
        pretrain(mp3, IMAGES, **QUICK)
    before = weights(mp3)
    mp3.mlp_head.requires_grad_(True)
    pretrain(mp3, IMAGES, **QUICK)
    changed = [not torch.equal(a, b) for a, b in zip(before, mp3.parameters(), strict=True)]
    assert changed == [name.startswith("mlp_head") for name, _ in mp3.named_parameters()]


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_gradients_have_to_be_on(off):
    with off(), pytest.raises(ValueError, match="gradients are off .*call this outside of it"):
        pretrain(model(), IMAGES, **QUICK)
    with torch.inference_mode():
        made = model()
    with pytest.raises(ValueError, match="the model was made in torch.inference_mode"):
        pretrain(made, IMAGES, **QUICK)


BAD_ENVIRONMENT = {
    "ACCELERATE_TORCH_DEVICE": ["foo", "cuda:99", "meta"],
    "ACCELERATE_USE_CPU": ["maybe"],
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ["abc", "0"],
    "ACCELERATE_MIXED_PRECISION": ["fp7"],
    "ACCELERATE_DYNAMO_BACKEND": ["foo"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in BAD_ENVIRONMENT for value in BAD_ENVIRONMENT[name]]
)
def test_an_environment_that_does_not_work_is_named(name, value, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_DEBUG_MODE", "false")  # fine, and not named
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=name) as told:
        pretrain(model(), IMAGES, **QUICK | {"precision": "auto"}, out=tmp_path / "run")
    assert value in str(told.value) and "DEBUG_MODE" not in str(told.value) and "nset it" in str(told.value)
    assert not (tmp_path / "run").exists()
    monkeypatch.delenv(name)
    pretrain(model(), IMAGES, **QUICK | {"epochs": 1})  # the failed start has left nothing behind


ALONE = {
    "no number of a process": ({"WORLD_SIZE": "2"}, "WORLD_SIZE=2 but no RANK and no LOCAL_RANK, so this process"),
    "no local number": ({"WORLD_SIZE": "2", "RANK": "1"}, "WORLD_SIZE=2 but no LOCAL_RANK, so this process"),
    "not a number": ({"WORLD_SIZE": "two"}, "WORLD_SIZE=two, which is not a number of processes"),
    "no rank": (
        {"WORLD_SIZE": "2", "RANK": "one", "LOCAL_RANK": "0"},
        "RANK=one, which is none of 0 to 1",
    ),
    "too high": ({"WORLD_SIZE": "2", "RANK": "2", "LOCAL_RANK": "0"}, "RANK=2, which is none of 0 to 1"),
    "none": ({"WORLD_SIZE": "0"}, "WORLD_SIZE=0, which is not a number of processes"),
}


@pytest.mark.parametrize("name", ALONE)
def test_one_process_of_several_does_not_train_alone(name, tmp_path, monkeypatch):
    variables, words = ALONE[name]
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=words):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_processes_that_accelerate_would_let_train_alone_are_refused(tmp_path, monkeypatch):
    """On CPUs it does so unless ACCELERATE_USE_CPU is set."""
    for variable, value in {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(variable, value)
    alone = SimpleNamespace(gradient_accumulation_steps=1, mixed_precision="no", num_processes=1, device="cpu")
    monkeypatch.setattr(processes, "Accelerator", lambda **options: alone)
    with pytest.raises(ValueError, match="WORLD_SIZE=2, but Accelerate trains with 1 process.*ACCELERATE_USE_CPU=true"):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_seeds_and_precisions_are_checked():
    assert seed_of(np.int64(3), epoch=np.int32(1)) == seed_of(3, epoch=1) != seed_of(3, epoch=2)
    for arguments in (
        {"seed": 1.5},
        {"seed": True},
        {"seed": -1},
        {"seed": 0, "step": -1},
        {"seed": 0, "process": "1"},
    ):
        with pytest.raises(ValueError, match="whole number"):
            seed_of(**arguments)
    for value in (10**5000, ["auto"], None, np.array(["auto", "bf16"])):
        with pytest.raises(ValueError, match='precision must be "auto", "bf16" or "float32", got'):
            resolve_precision(value)
    for name in ("epochs", "batch_size", "seed"):
        with pytest.raises(ValueError, match=f"{name} must be"):
            pretrain(model(), IMAGES, **QUICK | {name: True})
    one, other = (
        pretrain(model(), IMAGES, **QUICK | dict(epochs=kind(1), batch_size=kind(16), seed=kind(5), flip=flip))
        for kind, flip in ((int, True), (np.int64, np.True_))
    )
    assert one[0]["loss"] == other[0]["loss"]


def test_images_are_mirrored_unless_told_otherwise(tmp_path):
    left = torch.zeros(48, 3, 8, 8, dtype=torch.uint8)
    left[..., :4] = 255  # bright on the left

    class Look:
        def __init__(self):
            self.seen = []

        def __call__(self, batch: torch.Tensor) -> torch.Tensor:
            self.seen.append(batch)
            return batch

    def mirrored(**options) -> int:
        look = Look()
        pretrain(model(), left, **QUICK, crop_area=(1, 1), transform=look, out=tmp_path / str(options), **options)
        return int((torch.cat(look.seen)[:, 0, 0, 0] < 0).sum())

    assert 40 < mirrored() < 110 and mirrored(flip=False) == 0  # of 145
    assert [read_run(f)["settings"].get("unflipped") for f in sorted(tmp_path.iterdir())] == [True, None]


def test_images_are_checked():
    with pytest.raises(ValueError, match="uint8 .*, got torch.float32"):
        pretrain(model(), IMAGES.float(), **QUICK)


def test_learning_rate_rises_then_falls_to_nothing():
    shape = [warmup_cosine(step, 100, 20) for step in range(100)]
    assert shape[0] == pytest.approx(1 / 11) and shape[10] == 1.0 == max(shape)
    assert shape[:11] == sorted(shape[:11]) and shape[10:] == sorted(shape[10:], reverse=True)
    assert 0 < shape[-1] < 1e-3


def test_every_parameter_has_one_optimizer_and_only_matrices_decay():
    mp3 = model()
    for kind in ("muon", "adamw"):
        settings = dataclasses.replace(SETTINGS, optimizer=kind)
        groups = [g for o in make_optimizers(mp3, settings) for g in o.param_groups]
        ours = [p for g in groups for p in g["params"]]
        assert {id(p) for p in ours} == {id(p) for p in mp3.parameters()} and len(ours) == len(list(mp3.parameters()))
        for g in groups:
            assert all((p.ndim >= 2) == (g["weight_decay"] > 0) for p in g["params"])


def test_a_compiled_transformer_has_the_same_optimizers():
    plain = model()
    groups = [len(g["params"]) for o in make_optimizers(plain, SETTINGS) for g in o.param_groups]
    plain.vit.transformer = torch.compile(plain.vit.transformer, backend="eager")
    adamw, muon = make_optimizers(plain, SETTINGS)
    assert isinstance(muon, torch.optim.Muon)
    assert [len(g["params"]) for o in (adamw, muon) for g in o.param_groups] == groups


def test_muon_in_float32_is_pytorchs_without_bf16(monkeypatch):
    ours, theirs = model(), model()
    theirs.load_state_dict(ours.state_dict())
    _, float32 = make_optimizers(ours, SETTINGS)
    _, bf16 = make_optimizers(theirs, dataclasses.replace(SETTINGS, precision="bf16"))
    assert type(float32) is Float32Muon and type(bf16) is torch.optim.Muon
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)
    for step in range(3):
        torch.manual_seed(step)
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        float32.step()
        bf16.step()
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(ours.parameters(), model().parameters(), strict=True))


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_orthogonalised_keeps_directions_and_evens_out_strengths(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 100
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    strengths = u.T @ orthogonalised(matrix) @ v.T
    assert (strengths - strengths.diag().diag()).abs().max() < 1e-3
    assert 0.6 < strengths.diag().min() and strengths.diag().max() < 1.25
    assert torch.equal(orthogonalised(torch.zeros(3, 2)), torch.zeros(3, 2))


def test_moving_average_by_hand():
    line = torch.nn.Linear(1, 1, bias=False)
    average, expected = moving_average(line, 0.5), None
    for t in range(12):
        torch.nn.init.constant_(line.weight, float(t))
        average.update_parameters(line)
        decay = min(0.5, (1 + t) / (10 + t))
        expected = 0.0 if t == 0 else decay * expected + (1 - decay) * t
    assert average.module.weight.item() == pytest.approx(expected) and line.weight.item() == 11
    copy = moving_average(line, 0.9)
    for _ in range(50):
        copy.update_parameters(line)
    assert copy.module.weight.item() == 11  # of what does not move


def test_keep_memory_keeps_what_is_freed():
    if sys.platform != "linux":
        assert not keep_memory()
        return
    code = """
import resource, torch
from mp3lib.train import keep_memory
print(keep_memory())
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(4_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    assert kept == "True" and int(faults) < 1000  # without it every one of 20 x 3,906 pages is asked for anew


@pytest.mark.parametrize("has", [None, "amx_bf16", "avx512_bf16"])
def test_precision_follows_the_processors_instructions(has, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, has: True}, raising=False)
    assert resolve_precision("auto") == ("bf16" if has else "float32")
    assert resolve_precision("bf16") == "bf16" and resolve_precision("float32") == "float32"


def test_a_gpu_that_accelerate_leaves_alone_does_not_decide_the_precision(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert resolve_precision("auto") == "bf16"
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert resolve_precision("auto") == "float32"


def test_bf16_training_stays_near_float32():
    losses = [pretrain(model(0.0), IMAGES, **(QUICK | {"precision": p}))[-1]["loss"] for p in ("float32", "bf16")]
    assert losses[0] == pytest.approx(losses[1], abs=0.005) and losses[0] != losses[1]


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "mp3lib", *map(str, args)]


@pytest.mark.slow
def test_a_killed_command_resumes_to_the_same_bits(tmp_path):
    """``kill -9`` in the middle of a run of the command line, then the same command with ``--resume``."""
    shape = ["--data", "scenes", "--limit", 512, "--epochs", 3, "--batch-size", 64, "--dim", 16, "--depth", 1]
    shape += ["--heads", 1, "--mlp-dim", 16, "--precision", "float32", "--eval-every", 0]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        command("pretrain", "--out", tmp_path / "whole", *shape), env=environment, capture_output=True, check=True
    )
    begun = command("pretrain", "--out", tmp_path / "killed", *shape)
    with running(begun, lambda: checkpoints(tmp_path / "killed"), env=environment, stdout=subprocess.PIPE) as process:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode != 0
    done = subprocess.run(
        command("pretrain", "--out", tmp_path / "killed", *shape, "--resume", "--json"),
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[-1])["epoch"] == 3 and not done.stderr
    one, other = (MP3.from_pretrained(tmp_path / name) for name in ("whole", "killed"))
    assert same(weights(one), weights(other))


@pytest.mark.slow
def test_runs_killed_while_writing_resume_to_the_same_bits():
    """Two rounds of tools/kill_and_resume.py, which aims at moments of every kind."""
    result = load_script("tools/kill_and_resume.py").kill_and_resume(2, seed=3, moments=("checkpoint",))
    assert result["same"] == 2 == len(result["each"])
    assert all(line["status"] == -signal.SIGKILL for line in result["each"])


@pytest.mark.slow
@pytest.mark.parametrize("room", [1_000, 20_000])
def test_a_full_disk_is_told_in_a_line_and_the_run_goes_on_with_room(room, tmp_path):
    """No file may grow beyond ``room`` bytes: too little for the model, or for it but not for the optimizers."""
    code = f"""
import resource, signal, sys, torch
from mp3lib import MP3, ViT
from mp3lib.train import pretrain
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
torch.manual_seed(0)
mp3 = MP3(ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=2, heads=1, mlp_dim=16), 0.5)
images = torch.randint(0, 256, (48, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
try:
    pretrain(mp3, images, epochs=2, batch_size=16, out={str(tmp_path)!r}, resume=True, progress=False)
except OSError as error:
    sys.exit(str(error))
"""
    for size, complaint in ((room, "could not be written"), (10_000_000, "")):
        done = subprocess.run([sys.executable, "-c", code, str(size)], capture_output=True, text=True)
        assert complaint in done.stderr and done.returncode == bool(complaint), done.stderr
        assert len(done.stderr.splitlines()) == bool(complaint)
        assert bool(checkpoints(tmp_path)) == (not complaint)
    assert MP3.from_pretrained(tmp_path).vit.dim == 16


@pytest.mark.slow
def test_command_line_reports_a_mistake_in_a_line(tmp_path):
    bad = subprocess.run(
        command("pretrain", "--data", "scenes", "--out", tmp_path, "--patch-size", 7), capture_output=True, text=True
    )
    assert bad.returncode == 1 and bad.stderr == "ValueError: patch_size (7, 7) does not divide image_size (32, 32)\n"
    assert subprocess.run(command("--help"), capture_output=True, text=True).stdout.count("pretrain")


@pytest.mark.slow
def test_two_processes_train_together(tmp_path):
    command = "torch.distributed.run --standalone --nproc-per-node 2"
    shape = "--patch-size 8 --dim 16 --depth 1 --heads 1 --mlp-dim 16 --precision float32 --limit 256 --batch-size 32"
    run = f"pretrain --data scenes --epochs 2 {shape} --out {tmp_path / 'run'} --eval-every 2 --resume"
    settings = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true", "MP3_CACHE": str(tmp_path / "cache")}
    for _ in range(2):  # and once more, with nothing left to do
        launched = [sys.executable, "-m", *command.split(), "-m", "mp3lib", *run.split()]
        done = subprocess.run(launched, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.count("model: ") == 1 == done.stdout.count(f"{tmp_path / 'run'}: epoch 2")  # the main one's
    lines = read_metrics(tmp_path / "run")
    assert [line["step"] for line in lines] == [8, 16] and 0 < lines[-1]["test_accuracy"]["0.75"] < 1
    newest = checkpoints(tmp_path / "run")[0]
    assert len([*newest.glob("random_states_*.pkl")]) == 1  # the main process alone writes
    trained = load_mp3(tmp_path / "run")
    assert trained.vit.grid == (4, 4) and same(weights(load_mp3(newest)), weights(trained))
    shutil.rmtree(newest)
    alone = subprocess.run(
        [sys.executable, "-m", "mp3lib", *run.split()], cwd=ROOT, env=settings, capture_output=True, text=True
    )
    assert alone.returncode == 0 and read_metrics(tmp_path / "run")[-1]["step"] == 16, alone.stderr[-3000:]


def test_a_function_is_called_after_every_epoch_when_its_checkpoint_is_written(tmp_path):
    seen = []

    def on_epoch(line):
        assert [path.name for path in checkpoints(tmp_path)][0].endswith(f"{line['step']:08d}")
        seen.append(line)

    lines = pretrain(model(), IMAGES, **QUICK, out=tmp_path, on_epoch=on_epoch)
    assert seen == lines and len(lines) > 1
    with pytest.raises(ValueError, match="on_epoch must be a function of one line of the log, or None, got 3"):
        pretrain(model(), IMAGES, **QUICK, on_epoch=3)
