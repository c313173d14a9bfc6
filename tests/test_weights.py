"""Weights by name, by path and from the Hub; what is written beside them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from PIL import Image
from safetensors import safe_open

from mp3lib import MP3, ViT, __version__, load_shipped
from mp3lib.__main__ import main
from mp3lib.model import find_weights, load_model, load_mp3, load_vit, model_card, shipped_names
from mp3lib.model.finding import FOLDER
from mp3lib.train import finetune, pretrain, read_metrics, read_run

IMAGES = torch.randint(0, 256, (16, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
SHAPE = dict(num_classes=2, image_size=8, patch_size=4, dim=8, depth=1, heads=1, mlp_dim=8)
QUICK = dict(epochs=1, batch_size=8, precision="float32", progress=False, eval_images=IMAGES)


def vit(**more) -> ViT:
    torch.manual_seed(0)
    return ViT(**SHAPE | more)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(t, other.state_dict()[name]) for name, t in one.state_dict().items())


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A repository someone/model as it lies in Hugging Face's cache, and no network."""
    place = tmp_path / "hub" / "models--someone--model"
    MP3(vit(), 0.5).save_pretrained(place / "snapshots" / ("0" * 40))
    vit().save_pretrained(place / "snapshots" / ("0" * 40) / "below")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0" * 40)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_name_is_a_name_everywhere(name):
    model = load_shipped(name)
    assert find_weights(name) == FOLDER / name
    for load in (load_model, load_vit, type(model).from_pretrained):
        loaded = load(name)
        assert same(loaded, model if type(loaded) is type(model) else model.vit)


def test_a_repository_is_found_in_the_cache(cached, capsys):
    for load in (load_model, load_mp3, MP3.from_pretrained):
        assert same(load("someone/model").vit, vit())
    assert same(ViT.from_pretrained("someone/model", subfolder="below"), vit())
    assert same(load_vit("someone/model"), vit())
    with pytest.raises(ValueError, match="holds no ViT: its config.json has no num_classes"):
        ViT.from_pretrained("someone/model")
    with pytest.raises(
        FileNotFoundError,
        match=r"someone/other is not a folder here, and could not be downloaded from the .*With mp3lib come: c",
    ):
        load_model("someone/other")


def test_the_command_line_takes_a_repository(cached):
    for i in range(24):
        (folder := cached / "pictures" / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 10 * i, np.uint8)).save(folder / f"{i}.png")
    data = ["--data", str(cached / "pictures"), "--epochs", "1", "--batch-size", "4", "--precision", "float32"]
    environment = os.environ | {"MP3_CACHE": str(cached / "mp3"), "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "mp3lib", "pretrain", *data, "--start", "someone/model", "--out", "more"]
    subprocess.run(command, check=True, cwd=cached, env=environment, capture_output=True)
    assert read_run(cached / "more")["start"] == "someone/model"
    assert "| begun with | someone/model |" in (cached / "more" / "README.md").read_text()


def test_a_folder_comes_first_and_a_local_path_is_never_asked_for(cached, monkeypatch):
    def never(*_, **__):
        raise AssertionError("asked the Hub")

    monkeypatch.setattr("huggingface_hub.snapshot_download", never)
    (cached / "runs").mkdir()
    for path in ("runs/mine", "./a", "a/b/c", str(cached / "x"), Path("someone/model")):
        for load in (load_model, ViT.from_pretrained):
            with pytest.raises(FileNotFoundError, match=f"there is no folder {cached / path}$"):
                load(path)
    with pytest.raises(FileNotFoundError, match="runs holds no config.json: it is not the folder of a saved model"):
        load_model("./runs")
    vit().save_pretrained("someone/model")
    assert isinstance(load_model("someone/model"), ViT)


def test_a_name_that_nothing_has_lists_what_there_is(cached, capsys):
    for name, hint in (
        ("pupil", "Did you mean pupil-4x4 or pupil-scenes?"),
        ("puzzler-5x5", "puzzler-4x4"),
        ("qqq", "'qqq'"),
    ):
        with pytest.raises(FileNotFoundError, match=f"there are no weights named '{name}'") as told:
            load_model(name)
        assert hint in str(told.value) and all(known in str(told.value) for known in shipped_names())
    for command in (["probe"], ["evaluate"], ["finetune", "--out", "o"]):
        assert main([*command, "--data", "scenes", "--weights", "pupil"]) == 1
        assert "Did you mean pupil-4x4 or pupil-scenes?" in (said := capsys.readouterr().err) and said.count("\n") == 1
    assert main(["pretrain", "--data", "scenes", "--start", "pupil", "--out", "o"]) == 1
    assert "Did you mean pupil-4x4 or pupil-scenes?" in capsys.readouterr().err and not Path("o").exists()


def test_a_name_that_is_a_folder_as_well_is_refused(cached):
    Path("pupil-4x4").mkdir()
    assert load_model("pupil-4x4").vit.dim == 128, "an empty folder is none"
    vit().save_pretrained("pupil-4x4")
    with pytest.raises(ValueError, match=r"'pupil-4x4' is a folder here, and the name of weights .*write ./pupil-4x4"):
        load_model("pupil-4x4")
    assert load_model("./pupil-4x4").dim == 8


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_mode_that_the_umask_says(mask, tmp_path):
    before = os.umask(mask)
    try:
        vit().save_pretrained(tmp_path / "saved")
        pretrain(MP3(vit(), 0.5), IMAGES, out=tmp_path / "run", ema=0.5, **QUICK)
    finally:
        os.umask(before)
    files = [f for f in tmp_path.rglob("*") if f.is_file() and f.name != ".lock"]
    assert len([f for f in files if f.suffix == ".safetensors"]) == 4  # with a checkpoint and its average
    assert {f.name: stat.S_IMODE(f.stat().st_mode) for f in files} == {f.name: 0o666 & ~mask for f in files}
    assert not [f for f in files if f.name.endswith(".mode")]


def test_the_file_of_weights_says_what_it_is(tmp_path):
    for model in (vit(classes=["a", "b"]), MP3(vit(), 0.5, "updated")):
        model.save_pretrained(tmp_path)
        with safe_open(tmp_path / "model.safetensors", "pt") as file:
            about = file.metadata()
        assert about["library"] == f"mp3lib {__version__}" and about["model"] == type(model).__name__
        assert json.loads(about["config"]) == model.config and about["format"] == "pt"


def code_of(card: str) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    return code


def test_the_card_of_a_run_tells_where_it_is_from_and_its_snippet_loads_it(tmp_path, own_cache):
    about = {"data": "mine", "source": "here | there", "fingerprint": "f" * 32, "license": "cc-by-4.0"}
    mp3 = MP3(vit(), 0.5)
    pretrain(mp3, IMAGES, out=tmp_path / "mp3", about=about, **QUICK)
    labels = torch.arange(16) % 2
    own = vit(classes=["cat", "dog"])
    finetune(own, IMAGES, labels, pos_emb=False, out=tmp_path / "vit", eval_labels=labels, **QUICK)
    (tmp_path / "pictures").mkdir()
    for i in range(24):
        Image.fromarray(np.full((8, 8, 3), 10 * i, np.uint8)).save(tmp_path / "pictures" / f"{i}.png")
    for name, shape in (("mp3", (8,)), ("vit", ())):
        card = (tmp_path / name / "README.md").read_text()
        code = code_of(card).replace("path/to/this/folder", str(tmp_path / name))
        assert len(code.splitlines()) <= 10
        exec(code.replace("path/to/pictures", str(tmp_path / "pictures")), space := {})
        found = space["features"] if name == "mp3" else space["labels"]
        assert found.shape[1:] == shape and len(found)
        data = ModelCard(card).data
        assert data.library_name == "mp3lib" and (tmp_path / name / "README.md").stat().st_size < 5000
        line = read_metrics(tmp_path / name)[-1]
        for figure in line.get("test_accuracy", {"x": line["loss"]}).values():
            assert f"| {figure:.4f} |" in card
    card = (tmp_path / "mp3" / "README.md").read_text()
    fields = yaml.safe_load(card.split("---")[1])
    assert "often has better features" in code_of(card) and "mp3lib probe --layer" in code_of(card)
    assert fields["license"] == "cc-by-4.0" and fields["pipeline_tag"] == "image-feature-extraction"
    for row in ("| from | here \\| there |", f"| fingerprint of the pixels | {'f' * 32} |", "| num_images | 16 |"):
        assert row in card
    card = (tmp_path / "vit" / "README.md").read_text()
    assert "license" not in yaml.safe_load(card.split("---")[1]) and "Of the weights: not chosen yet" in card
    assert "2 classes apart: cat, dog." in card and "pos_emb=False" in code_of(card)


def test_the_card_has_the_figures_of_the_weights_that_are_kept():
    lines = [{"epoch": n, "step": n, "loss": 1 / n, "test_top1": top1} for n, top1 in ((1, 0.25), (2, 0.75), (3, 0.5))]
    assert "After epoch 3:" in (card := model_card(vit(), {}, lines)) and "| test_top1 | 0.5000 |" in card
    assert "After epoch 2, the best of 3 epochs:" in model_card(vit(), {"best": {"epoch": 2}}, lines)
    lines[0].pop("test_top1")  # not every epoch is evaluated
    card = model_card(vit(), {"best": {"epoch": 2, "step": 2, "test_top1": 0.75, "checkpoint": "x"}}, lines)
    assert "After epoch 2, the best of 2 by test_top1:" in card
    assert "| test_top1 | 0.7500 |" in card and "| loss in training | 0.5000 |" in card and "0.2500" not in card


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"best": {"epoch": 9}}, "must name an epoch of the log, 1 to 1, got"),
        ({"best": {"step": 1}}, "must name an epoch of the log, 1 to 1, got"),
        ({"best": [1]}, r"run\['best'\] must be a dict, as in a run.json, got \[1\]"),
        ({"settings": None}, r"run\['settings'\] must be a dict, as in a run.json, got None"),
        ({"versions": "2.9"}, r"run\['versions'\] must be a dict"),
    ],
)
def test_a_run_that_is_none_has_no_card(run, words):
    with pytest.raises(ValueError, match=words):
        model_card(vit(), run, [{"epoch": 1, "loss": 1.0}])


def test_a_card_that_somebody_changed_is_kept(tmp_path):
    settings = dict(schedule="constant", out=tmp_path) | QUICK
    pretrain(MP3(vit(), 0.5), IMAGES, **settings)
    card = tmp_path / "README.md"
    assert "After epoch 1:" in card.read_text()
    pretrain(MP3(vit(), 0.5), IMAGES, **settings | {"epochs": 2, "resume": True})
    assert "After epoch 2:" in card.read_text()
    card.write_text("mine")
    pretrain(MP3(vit(), 0.5), IMAGES, **settings | {"epochs": 3, "resume": True})
    assert card.read_text() == "mine"


def test_a_model_without_a_run_has_a_card_as_well(tmp_path):
    vit(image_size=(8, 16)).save_pretrained(tmp_path)
    card = (tmp_path / "README.md").read_text()
    assert card == model_card(vit(image_size=(8, 16))) and "size=(8, 16)" in card
    assert "## Recipe" not in card and "## Figures" not in card
    shipped = load_shipped("classifier-8x8")
    about = read_run(FOLDER / "classifier-8x8")
    card = model_card(shipped, about, read_metrics(FOLDER / "classifier-8x8"), "classifier-8x8")
    assert "# classifier-8x8" in card and about["fingerprint"] in card and "airplane" in card


def test_a_card_takes_names_of_classes_as_text(tmp_path):
    vit = ViT(num_classes=2, image_size=8, patch_size=4, dim=8, depth=1, heads=1, mlp_dim=8)
    vit.classes = ("---\nlicense: other\n---", "<script>|`a` [b](c)")
    vit.save_pretrained(tmp_path)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "apart: --- license: other ---, \\<script\\>\\|\\`a\\` [b\\](c)." in text and text.count("\n---\n") == 1
