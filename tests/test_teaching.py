"""TEACHING.md: its table is the log, its numbers are measured, and it names every notebook."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import torch
from notebook_code import exercises
from scipy.stats import spearmanr
from scripts import load_script

from mp3lib import load_shipped
from mp3lib.data import to_float
from mp3lib.evaluate import assign
from mp3lib.model import attention_rollout

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def test_the_table_is_made_from_the_log():
    tool = load_script("tools/classroom.py")
    assert tool.with_table(PAGE, tool.read_log()) == PAGE, "python tools/classroom.py --table writes it anew"


def test_every_notebook_is_measured_at_both_budgets():
    measured = {(line["notebook"], line["MP3_BUDGET"]) for line in load_script("tools/classroom.py").read_log()}
    names = [path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")]
    assert {(name, budget) for name in names for budget in ("smoke", "laptop")} <= measured


def test_the_plan_for_thirty_follows_from_the_log():
    log = [line for line in load_script("tools/classroom.py").read_log() if line["learners"] == 1]
    first, *others = sorted({round(line["resident_mb"] / 1e3, 1) for line in log}, reverse=True)
    own = [round(line["own_mb"] / 1e3, 1) for line in log]
    assert f"{min(others)} to {max(others)} GB, and {first} GB for 10" in TEXT
    each = max(own)
    assert f"*own*: {min(own)} to {each} GB" in TEXT and f"({each} GB for the kernel, 0.1 GB for a" in TEXT
    assert f"plan 0.6 GB once and {each + 0.1:.1f} GB each" in TEXT
    assert (
        f"{0.6 + 30 * (each + 0.1):.0f} GB in all. With two open each, plan {0.6 + 60 * each + 30 * 0.1:.0f} GB" in TEXT
    )
    seconds = {x["MP3_BUDGET"]: f"{x['cpu_seconds']:.0f}" for x in log if x["notebook"].startswith("05")}
    smoke = seconds["smoke"]
    assert f"30 · {smoke} / 12 = {30 * int(smoke) / 12:.0f} seconds" in TEXT and f"30 · {seconds['laptop']} CPU" in TEXT


def test_the_log_keeps_the_newest_of_each_kind(tmp_path, monkeypatch):
    tool = load_script("tools/classroom.py")
    monkeypatch.setattr(tool, "LOG", tmp_path / "classroom.jsonl")
    line = {"notebook": "01_x.ipynb", "learners": 1, "MP3_BUDGET": "smoke", "OMP_NUM_THREADS": "1", "MP3_DATA": None}
    tool.log([line | {"own_mb": 3}])
    tool.log([line | {"own_mb": 4}])
    tool.log([line | {"own_mb": 5, "learners": 3}])
    assert [(x["learners"], x["own_mb"]) for x in tool.read_log()] == [(1, 4), (3, 5)]


def test_a_kernel_is_measured(tmp_path):
    """Cells that hold 50 MB and work for 1.5 seconds, in two kernels at once."""
    import asyncio

    cells = [f"held = b'x' * {50 * 10**6}", "import time; end = time.process_time() + 1.5", "x = 0"]
    cells += ["while time.process_time() < end: x += 1", "time.sleep(1)"]  # measured every half second
    cells = [
        {"cell_type": "code", "id": str(i), "metadata": {}, "source": text, "outputs": [], "execution_count": None}
        for i, text in enumerate(cells)
    ]
    path = tmp_path / "01_small.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    line = asyncio.run(load_script("tools/classroom.py").run_class(path, 2))
    assert (line["notebook"], line["learners"]) == ("01_small.ipynb", 2)
    assert line["resident_mb"] > 90 and line["cpu_seconds"] > 1.5
    if sys.platform == "linux":
        assert line["own_mb"] > 60 and line["all_mb"] > line["own_mb"] + 50


def test_every_notebook_is_in_the_plans():
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        assert f"](notebooks/{path.name})" in PAGE, path.name


# --- what it says of the open exercises -------------------------------------------------------------------------------


def test_the_numbers_of_a_removed_patch_are_right(cifar10):
    network, n, every = load_shipped("puzzler-4x4"), 16, torch.arange(16)
    pictures = to_float(cifar10.test.images[:60])

    def probs(context: torch.Tensor) -> torch.Tensor:
        return network.predict(pictures, context).logits.softmax(dim=2)

    before = probs(every)
    effect = torch.stack([(probs(every[every != j]) - before).abs().sum(dim=2) / 2 for j in range(n)], dim=2)
    where, off = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0)), ~torch.eye(n, dtype=torch.bool)
    near = torch.cdist(where, where, p=1) == 1
    beside, others = effect[:, near].mean(), effect[:, off & ~near].mean()
    assert f"by *{beside:.3f}* on average, and that of any other patch by *{others:.3f}*" in TEXT
    shown = network.predict(pictures, every, with_attention=True)
    guides = {
        "the rollout": attention_rollout(shown.attn, shown.context),
        "attention averaged over layers and heads": shown.attn.mean(dim=(0, 2)),
        "nearness alone": -torch.cdist(where, where).expand_as(effect),
    }
    for name, guide in guides.items():
        ranks = [spearmanr(guide[b, i, off[i]], effect[b, i, off[i]]).statistic for b in range(60) for i in range(n)]
        assert f"*{np.mean(ranks):.2f}* for {name}" in TEXT


def test_the_numbers_of_the_leak_are_those_of_the_notebook():
    told = TEXT.partition("**05 · Let positions leak.**")[2].partition("**06")[0]
    numbers = re.findall(r"\*([\d.]+)(?: %)?\*", told)
    solution = " ".join(exercises("05")[2].help.split())
    assert len(numbers) == 5 and all(f" {number} " in solution for number in numbers)


def test_the_numbers_of_neighbours_are_right(cifar10):
    space = {"torch": torch}
    exec(exercises("08")[2].solution, space)
    score, patch = space["neighbours_right"], torch.arange(16)
    placed = assign(load_shipped("puzzler-4x4").predict(to_float(cifar10.test.images[:1000]), patch).logits)
    right, pairs = placed == patch, torch.tensor([score(places, 4, 4) for places in placed])
    random = torch.rand(placed.shape, generator=torch.Generator().manual_seed(0)).argsort(dim=1)
    kept = np.mean([score(places, 4, 4) for places in random])
    assert f"*{right.float().mean():.0%}* of the patches are placed right".replace("%", " %") in TEXT
    assert f"*{pairs.mean():.0%}* of the neighbouring pairs are still neighbours".replace("%", " %") in TEXT
    assert f"Random arrangements keep *{kept:.0%}*".replace("%", " %") in TEXT
    wrong, two = ~right.all(dim=1), ((~right).sum(dim=1) == 2).sum()
    assert not (pairs[wrong] == 1).any() and "In no picture with a mistake is every neighbour right." in TEXT
    assert f"Of the {wrong.sum()} pictures with a mistake, {two} have just two patches exchanged." in TEXT
    mirrored = torch.tensor([score(places // 4 * 4 + 3 - places % 4, 4, 4) for places in placed])
    assert (mirrored <= pairs + 0.2).all() and "None scores better by 0.2 when it is read as a mirror image." in TEXT
