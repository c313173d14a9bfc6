"""docs/DATA.md: its snippets and commands run in order on small pictures, and its table is computed right."""

from __future__ import annotations

import re
import shlex
import warnings
from pathlib import Path

import pytest
from set_makers import bands, cifar100, mnist, noise_pictures, shards, tiny_imagenet

from mp3lib.__main__ import main
from mp3lib.data.folders.split_names import TEST, TRAIN
from mp3lib.data.sets.wanted import PEAK, Wanted
from mp3lib.train import read_run

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "DATA.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def test_the_table_is_computed_right():
    rows = re.findall(r"^\| [^|]+ \| ([\d,]+) \| (\d+) \| ([\d.]+) GB \| ([\d.]+) GB \|$", TEXT, re.MULTILINE)
    assert len(rows) == 3
    for number, side, pixels, peak in rows:
        takes = Wanted((int(side), int(side))).pixels(int(number.replace(",", "")))
        assert (pixels, peak) == (f"{takes / 1e9:.1f}", f"{PEAK * takes / 1e9:.1f}")


def test_names_of_splits_are_those_that_are_read_in_their_order():
    words = TEXT.split("## Which pictures are for tests")[1]
    assert ", ".join(f"`{name}`" for name in TEST) in words and all(f"`{name}`" in words for name in TRAIN)


@pytest.mark.slow
def test_everything_on_the_page_runs(tmp_path, monkeypatch, own_cache):
    for folder in ("train/cat", "train/dog", "unlabeled"):
        noise_pictures(tmp_path / "path/to/folder" / folder, 20, (70, 80))
    mnist(tmp_path / "path/to/mnist")
    bands(tmp_path / "path/to/bands")
    shards(tmp_path / "path/to/shards")
    tiny_imagenet(tmp_path / "path/to/tiny-imagenet-200")
    cifar100(tmp_path / "path/to/cifar-100-python")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "hugging face")
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    for kind, code in BLOCKS:
        assert len(code.strip().splitlines()) <= 10, code
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "python":
                exec(compile(code, "docs/DATA.md", "exec"), space)
        for line in code.splitlines() if kind == "" else ():
            assert main(shlex.split(line)[3:]) == 0, line
    assert read_run(tmp_path / "runs/chosen")["settings"]["keep"] == "best"
    assert len(space["tiny"].classes) == 2 and len(space["tiny"].test) == 8
    assert (tmp_path / "runs/packed/model.safetensors").exists() and (
        tmp_path / "path/to/folder-64.safetensors"
    ).exists()
