"""Several processes train as one: the same losses, one run folder, and refusals in a sentence on each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
import together
from accelerate.utils import DistributedType

from mp3lib.json_files import write_json
from mp3lib.train import RunSettings, finetune, pretrain, read_metrics, read_run
from mp3lib.train.checkpoint import checkpoints
from mp3lib.train.processes import check_sharding

ROOT = Path(__file__).resolve().parents[1]
CLOSE = {"rel": 1e-5, "abs": 1e-5}  # sums of float32 numbers in another order
SHARDED = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "Block",
    "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
}
FEW = {"epochs": 1, "batch_size": 8, "num_images": 8, "seed": 0}


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


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_several_processes_give_the_losses_of_one(processes):
    for seen in launched(processes):
        for name, values in seen["training"].items():
            assert values == pytest.approx(alone()[name], **CLOSE), (processes, name)


def test_gradient_accumulation_gives_the_losses_of_one_batch():
    assert alone()["accumulate"] == pytest.approx(alone()["whole"], **CLOSE)
    assert alone()["accumulate"] != pytest.approx(alone()["pretrain"], **CLOSE)  # the gradient was clipped


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_a_run_folder_on_the_machine_of_the_main_process_alone_is_resumed(processes):
    main, *others = (seen["folders"] for seen in launched(processes))
    assert main["resumed"] == pytest.approx(main["straight"], **CLOSE) and main["processes"] == processes
    assert {"run.json", "metrics.jsonl", "model.safetensors", "checkpoint-00000008"} <= set(main["files"])
    for other in others:
        assert other["files"] == [] and other["weights"] == main["weights"]
        assert other["resumed"] == main["resumed"] and other["evaluated"] == main["evaluated"]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_every_process_is_told_why_the_main_one_refuses(processes):
    for seen in launched(processes):
        assert "already holds a run: resume it" in seen["folders"]["again"]
        assert f"{processes} processes cannot share a batch of 25 images" in seen["folders"]["odd"]
        assert "choose a batch_size of 24 or 2" in seen["folders"]["odd"] and not seen["folders"]["odd folder"]


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_does_not_go_with_spread_weights_is_refused():
    for seen in launched(2, "sharded", **SHARDED):
        refused = seen["refused"]
        assert 'optimizer="muon" does not work with FSDP' in refused["optimizer"] and "adamw" in refused["optimizer"]
        assert "ema does not work with FSDP, got 0.5" in refused["ema"] and seen["no folder"]
        assert "compile=True was never tried with FSDP: leave it out" in refused["compile"]


def test_the_first_version_of_fsdp_is_refused():
    first = SimpleNamespace(distributed_type=DistributedType.FSDP, is_fsdp2=False)
    settings = RunSettings(task="pretrain", **FEW, lr=1e-3, weight_decay=0.0, optimizer="adamw", precision="float32")
    with pytest.raises(ValueError, match="FSDP needs version 2 here: set fsdp_version: 2"):
        check_sharding(settings, first)
    first.is_fsdp2 = True
    check_sharding(settings, first)


def test_a_run_that_several_processes_began_with_an_older_version_is_refused(tmp_path):
    options = together.QUICK | {"out": tmp_path, "epochs": 1}
    pretrain(together.model(), together.IMAGES, **options)
    run = read_run(tmp_path)
    del run["processes"]  # version 0.1.0 did not write it
    write_json(tmp_path / "run.json", run)
    more = options | {"epochs": 2, "resume": True}
    first, second = (checkpoints(tmp_path)[0] / f"random_states_{number}.pkl" for number in (0, 1))
    assert first.exists()
    shutil.copy(first, second)  # the random numbers of the second process
    with pytest.raises(ValueError, match="several processes began the run in .* with an older version.*another folder"):
        pretrain(together.model(), together.IMAGES, **more)
    assert read_run(tmp_path) == run and len(read_metrics(tmp_path)) == 1
    second.unlink()
    assert len(pretrain(together.model(), together.IMAGES, **more)) == 2  # one process began this one


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
