"""Several processes train as one: the same losses, one run folder, and refusals in a sentence on each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import together

from mp3lib.train import finetune, pretrain

ROOT = Path(__file__).resolve().parents[1]
CLOSE = {"rel": 1e-5, "abs": 1e-5}  # sums of float32 numbers in another order
SHARDED = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "Block",
    "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
}


@cache
def launched(processes: int, kind: str = "plain", **environment: str) -> list[dict]:
    """What each of so many processes has seen."""
    settings = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"} | environment
    settings["PYTHONPATH"] = os.pathsep.join([str(ROOT), settings.get("PYTHONPATH", "")])
    with TemporaryDirectory() as room:
        run = f"-m torch.distributed.run --standalone --nproc-per-node {processes}".split()
        command = [sys.executable, *run, str(ROOT / "tests/together.py"), room, kind]
        done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-4000:]
        return [json.loads((Path(room) / f"{number}.json").read_text()) for number in range(processes)]


@cache
def alone() -> dict[str, list[float]]:
    return together.training()


@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_give_the_losses_of_one(processes):
    for seen in launched(processes):
        for name, values in seen["training"].items():
            assert values == pytest.approx(alone()[name], **CLOSE), (processes, name)


def test_gradient_accumulation_gives_the_losses_of_one_batch():
    assert alone()["accumulate"] == pytest.approx(alone()["whole"], **CLOSE)
    assert alone()["accumulate"] != pytest.approx(alone()["pretrain"], **CLOSE)  # the gradient was clipped


@pytest.mark.parametrize("processes", [2, 4])
def test_a_run_folder_on_the_machine_of_the_main_process_alone_is_resumed(processes):
    main, *others = (seen["folders"] for seen in launched(processes))
    assert main["resumed"] == pytest.approx(main["straight"], **CLOSE) and main["processes"] == processes
    assert {"run.json", "metrics.jsonl", "model.safetensors", "checkpoint-00000008"} <= set(main["files"])
    for other in others:
        assert other["files"] == [] and other["weights"] == main["weights"]
        assert other["resumed"] == main["resumed"] and other["evaluated"] == main["evaluated"]


@pytest.mark.parametrize("processes", [2, 4])
def test_every_process_is_told_why_the_main_one_refuses(processes):
    for seen in launched(processes):
        assert "already holds a run: resume it" in seen["folders"]["again"]
        assert f"{processes} processes cannot share a batch of 25 images" in seen["folders"]["odd"]
        assert "choose a batch_size of 24 or 2" in seen["folders"]["odd"] and not seen["folders"]["odd folder"]


def test_weights_spread_over_two_processes_train_alike_and_are_saved_and_resumed():
    options = together.QUICK | {"optimizer": "adamw"}
    mp3 = together.model()
    scored = {"clip_grad": 0.5, "eval_images": together.IMAGES[:8], "eval_ratios": [0.5]}
    lines = pretrain(mp3, together.IMAGES, **options, **scored)
    tuned = finetune(together.model().vit, together.IMAGES, together.LABELS, **options)
    weights = [parameter.sum().item() for parameter in mp3.parameters()]
    for seen in launched(2, "sharded", **SHARDED):
        assert seen["losses"] == pytest.approx(together.losses(lines), **CLOSE)
        assert seen["finetune"] == pytest.approx(together.losses(tuned), **CLOSE)
        assert seen["accuracy"] == pytest.approx(lines[-1]["test_accuracy"]["0.5"], abs=1 / 64)
        for name in ("weights", "saved", "in checkpoint"):
            assert seen[name] == pytest.approx(weights, rel=1e-4, abs=1e-4), name


def test_what_does_not_go_with_spread_weights_is_refused():
    for seen in launched(2, "sharded", **SHARDED):
        refused = seen["refused"]
        assert 'optimizer="muon" does not work with FSDP' in refused["optimizer"] and "adamw" in refused["optimizer"]
        assert "ema does not work with FSDP, got 0.5" in refused["ema"] and seen["no folder"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ACCELERATE_USE_DEEPSPEED", "DeepSpeed.*never tried here: use FSDP"),
        ("ACCELERATE_USE_FSDP", r"FSDP.*with several GPUs only, and this is 1 process\(es\) on cpu: unset it"),
    ],
)
def test_what_accelerate_would_leave_out_is_refused(name, words, monkeypatch, tmp_path):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    monkeypatch.setenv(name, "true")
    with pytest.raises(ValueError, match=words):
        pretrain(together.model(), together.IMAGES, **together.QUICK, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
