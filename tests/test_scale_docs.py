"""docs/SCALE.md, docs/slurm.sh and the stored benchmark fit each other and the command line."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from scripts import load_script

from mp3lib import MP3, ViT
from mp3lib.cli import parser
from mp3lib.model import preset
from mp3lib.train import step_costs

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/SCALE.md").read_text(encoding="utf-8")
BASH = shutil.which("bash")
bench = load_script("benchmarks/scale.py")


def parsed(words: list[str]):
    """The arguments of the library in a command line."""
    return parser().parse_args(words[words.index("mp3lib") + 1 :])


def test_every_command_of_the_page_is_one_that_the_library_takes():
    lines = re.findall(r"^[^`\n]*-m mp3lib [^`\n]*$", PAGE, re.MULTILINE)
    assert len(lines) >= 5
    for line in lines:
        args = parsed(shlex.split(line))
        assert args.command == "pretrain" and args.out


@pytest.mark.posix
def test_the_slurm_file_starts_a_process_for_each_gpu(tmp_path):
    file = ROOT / "docs/slurm.sh"
    assert subprocess.run([BASH, "-n", str(file)], capture_output=True).returncode == 0
    for name, script in {"srun": 'printf "%s\\n" "$@"', "scontrol": "printf 'node1\\nnode2\\n'"}.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    job = {"JOB_ID": "7", "JOB_NODELIST": "node[1-2]", "NNODES": "2", "GPUS_ON_NODE": "8", "CPUS_PER_TASK": "64"}
    settings = {f"SLURM_{name}": value for name, value in job.items()}
    settings["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([BASH, str(file), "my images", "runs/a"], env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()
    assert words[0] == "torchrun" and words[words.index("--nproc-per-node") + 1] == "8"
    assert words[words.index("--nnodes") + 1] == "2" and words[words.index("--rdzv-endpoint") + 1] == "node1:29500"
    args = parsed(words)
    assert (str(args.data), args.out.parts[-2:], args.resume) == ("my images", ("runs", "a"), True)
    assert args.batch_size % (2 * 8) == 0
    without = subprocess.run([BASH, str(file)], env=settings, capture_output=True, text=True)
    assert without.returncode != 0 and "give the images" in without.stderr


def test_the_fsdp_configuration_wraps_the_blocks():
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    config = yaml.safe_load(text)
    assert config["distributed_type"] == "FSDP" and config["fsdp_config"]["fsdp_version"] == 2
    names = {type(module).__name__ for module in ViT(num_classes=2, image_size=8, patch_size=4, dim=8, depth=1,
                                                     heads=1, mlp_dim=8).modules()}  # fmt: skip
    assert config["fsdp_config"]["fsdp_transformer_layer_cls_to_wrap"] in names


def test_numbers_of_the_page():
    import torch

    with torch.device("meta"):
        vit_b = MP3(ViT(num_classes=1000, patch_norm=False, **preset("vit-b16")), 0.75, "updated")
    costs = step_costs(vit_b, 1, optimizer="adamw")
    assert f"ViT-B has {costs.parameters / 1e6:.0f} million weights, {costs.state_bytes / 1e9:.1f} GB" in PAGE
    result = json.loads((ROOT / "results/benchmarks/scale.json").read_text())
    assert bench.report(result) in PAGE, "put the output of python benchmarks/scale.py --show there"


def test_the_benchmark_measures_and_reports(monkeypatch):
    monkeypatch.setattr(bench, "launched", lambda processes, threads, images: 1 / processes)
    monkeypatch.setattr(bench, "VARIANTS", {"Muon": {"optimizer": "muon"}})
    result = bench.measure(1, 64)
    assert result["processes"]["2"]["median"] == 2 and result["processes"]["2"]["images_per_second"] == 128
    assert result["costs"]["activation_bytes"] == pytest.approx(result["kept_bytes"], rel=0.1)
    report = bench.report(result)
    assert "Muon" in report and "one, with threads" in report and "GFLOP" in report
