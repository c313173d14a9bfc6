"""docs/USE.md: its commands and snippets run in order, on small pictures and for one epoch."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from set_makers import noise_pictures

from mp3lib.__main__ import main
from mp3lib.train import read_run

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "USE.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT.split("## Questions")[0], re.DOTALL | re.MULTILINE)
SMALLER = {  # of the text: a minute of work instead of hours
    # four steps an epoch, so that the rate of the longer run is that of the shorter one; and every epoch is tested
    "--log tensorboard --epochs 20": "--log tensorboard --batch-size 32 --epochs 2",
    "--log tensorboard --epochs 40": "--log tensorboard --batch-size 32 --epochs 3",
    "epochs=20": "epochs=1",
    "epochs=10": "epochs=1",
    "--epochs 20": "--epochs 1 --eval-every 0",
    "--epochs 10": "--epochs 1 --eval-every 0",
    "depth=4": "depth=2",
    "--model vit-ti16": "--model vit-ti16 --size 32 --depth 1",
}


def as_commands(block: str) -> list[str]:
    return [line for line in block.splitlines() if line.startswith("python -m mp3lib ")]


def test_snippets_are_short():
    assert len([code for kind, code in BLOCKS if kind == "python"]) >= 4
    for kind, code in BLOCKS:
        if kind == "python" or as_commands(code):
            assert len(code.strip().splitlines()) <= 10, code


def test_what_int8_costs_and_saves():
    result = json.loads((ROOT / "results/benchmarks/int8.json").read_text(encoding="utf-8"))
    plain, whole, number = result["float32"], result["int8"], result["images"]
    right = {kind: round(result[kind]["top1"] * number) for kind in ("float32", "int8")}
    assert f"has {whole['bytes'] / 1e6:.1f} MB instead of {plain['bytes'] / 1e6:.1f} MB" in TEXT
    assert f"{result['times_as_fast']:.1f} times as fast on one thread" in TEXT
    assert (
        f"names {right['int8']:,} of {number:,} test images" in TEXT and f"weights it is {right['float32']:,}." in TEXT
    )


@pytest.mark.slow
def test_everything_on_the_page_runs(tmp_path, monkeypatch, own_cache):
    for label in ("cat", "dog"):
        noise_pictures(tmp_path / "path" / "to" / "folder" / label, 80, (64, 64))
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    for kind, code in BLOCKS:
        for long, short in SMALLER.items():
            code = code.replace(long, short)
        if kind == "python":
            exec(compile(code, "docs/USE.md", "exec"), space)
        for line in as_commands(code):
            arguments = shlex.split(line)[3:]
            if arguments[0] == "evaluate":
                arguments += ["--floor-epochs", "1"]
            if arguments[0] in ("pretrain", "finetune"):  # the snippet above has made these folders
                arguments += ["--batch-size", "32", "--resume"] if "runs/tiny" in arguments else []
                if "runs/tiny" not in arguments:
                    arguments[arguments.index("--out") + 1] += "-again"
            assert main(arguments) == 0, line
    assert space["again"].config == space["vit"].config | {"num_classes": space["again"].num_classes}
    assert read_run(tmp_path / "runs/longer-again")["settings"]["epochs"] == 3
    assert space["backbone"].num_features == space["vit"].num_features
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cache", "classes-int8.onnx", "classes.onnx", "features.npz", "in-timm", "path", "positions.pt2", "runs",
        "runs.csv", "runs.png",
    ]  # fmt: skip
