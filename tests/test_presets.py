"""Shapes by name, patches that follow the size, and learning rates that go with them."""

from __future__ import annotations

import inspect
import json

import pytest
import torch
from set_makers import noise_pictures

from mp3lib import ViT
from mp3lib.__main__ import main
from mp3lib.cli.options import MODELS
from mp3lib.model import PRESETS, load_model, load_shipped, patch_size_for, preset, preset_lr, preset_of
from mp3lib.train import read_run

WEIGHTS = {"vit-ti16": 5.7e6, "vit-s16": 22e6, "vit-b16": 86e6}  # DeiT's table 1


def weights(vit: ViT) -> int:
    return sum(p.numel() for p in vit.parameters())


@pytest.mark.parametrize("name", PRESETS)
def test_a_name_gives_the_shape_that_it_is_known_for(name):
    with torch.device("meta"):
        vit = ViT(num_classes=1000, **preset(name))
    assert preset_of(vit) == name and vit.transformer.dim_head == 64
    if name in WEIGHTS:
        assert (vit.image_size, vit.patch_size, vit.grid) == ((224, 224), (16, 16), (14, 14))
        assert weights(vit) == pytest.approx(WEIGHTS[name], rel=0.02)
        import timm

        with torch.device("meta"):  # timm's has a class token, position weights, and biases of queries, keys and values
            other = timm.create_model(f"deit_{ {'t': 'tiny', 's': 'small', 'b': 'base'}[name[4]] }_patch16_224")
        assert (other.embed_dim, len(other.blocks), other.blocks[0].attn.num_heads) == (
            vit.dim, len(vit.transformer.layers), vit.transformer.heads,
        )  # fmt: skip
        assert other.blocks[0].mlp.fc1.out_features == vit.transformer.mlp_dim


def test_the_small_shapes_are_those_of_the_shipped_weights():
    assert preset_of(load_shipped("puzzler-4x4").vit) == preset_of(load_shipped("puzzler-scenes").vit) == "student"
    assert preset_of(load_shipped("flagship-8x8").vit) == preset_of(load_shipped("classifier-8x8")) == "flagship"
    assert load_shipped("flagship-8x8").vit.grid == ViT(num_classes=2, **preset("flagship")).grid
    assert MODELS == tuple(PRESETS)
    assert inspect.signature(ViT).parameters["dim_head"].default == 64


@pytest.mark.parametrize(
    ("size", "patch"),
    [(16, 4), (28, 7), (32, 8), (64, 8), (96, 8), (112, 8), (128, 16), (224, 16), (256, 32), (384, 32), (512, 64)]
    + [((32, 64), 8), ((48, 224), 16), (100, 10), (4, 1)],
)
def test_the_patch_follows_the_size(size, patch):
    height, width = (size, size) if isinstance(size, int) else size
    assert patch_size_for(size) == patch
    assert height % patch == width % patch == 0 and max(height, width) // patch <= 14


def test_a_size_without_a_patch_is_refused_with_others_that_have_one():
    with pytest.raises(ValueError, match="127 x 127 pixels have no patch size.*such as 126 x 126 or 128 x 128$"):
        patch_size_for(127)
    with pytest.raises(ValueError, match="8 x 224 pixels have no patch size.* or another size$"):
        patch_size_for((8, 224))
    for size, others in (((32, 113), "32 x 112"), ((113, 32), "112 x 32")):
        with pytest.raises(ValueError, match=f"or another size, such as .*{others}"):
            patch_size_for(size)
        height, width = map(int, others.split(" x "))
        assert patch_size_for((height, width))
    with pytest.raises(ValueError, match="1 x 1 pixels have no patch size"):
        patch_size_for(1)
    with pytest.raises(ValueError, match="no model named 'vit-x'; there are: vit-ti16, vit-s16, vit-b16, student"):
        preset("vit-x")


def test_other_sizes_keep_the_patches_of_the_name_where_it_has_some():
    assert preset("vit-s16", 256)["patch_size"] == preset("vit-s16", (64, 128))["patch_size"] == 16
    assert preset("flagship")["patch_size"] == 4 and preset("flagship", 224)["patch_size"] == 16
    assert preset("student", (32, 64)) == preset("student") | {"image_size": (32, 64)}


def test_a_size_that_the_patches_of_a_name_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="vit-s16 has patches of 16 x 16 pixels, which do not divide images of 100"):
        preset("vit-s16", 100)


def test_learning_rates_go_with_the_batch():
    assert preset_lr("vit-b16", 512) == 5e-4 and preset_lr("vit-ti16", 128) == 1.25e-4
    assert preset_lr("student", 128) is None


def test_the_command_line_makes_them(tmp_path, capsys):
    for label in ("a", "b"):
        noise_pictures(tmp_path / "mine" / label, 12, (48, 48))
    data = ["--data", str(tmp_path / "mine"), "--epochs", "1", "--eval-every", "0", "--precision", "float32"]
    ti = ["--model", "vit-ti16", "--size", "32", "--depth", "12", "--batch-size", "8"]
    assert main(["pretrain", *data, *ti, "--out", str(tmp_path / "ti")]) == 0
    assert "model: vit-ti16, 5.5 million weights, 2 x 2 patches of 16 pixels, lr 7.81e-06\n" in capsys.readouterr().out
    settings = read_run(tmp_path / "ti")["settings"]
    assert settings["lr"] == 5e-4 * 8 / 512 and settings["model"]["vit"]["dim"] == 192
    # the rate goes with the shape when the weights are fine-tuned; a single option wins
    fine = ["finetune", *data, "--batch-size", "8", "--weights", str(tmp_path / "ti"), "--out"]
    assert main([*fine, str(tmp_path / "fine"), "--model", "vit-ti16"]) == 0
    assert read_run(tmp_path / "fine")["settings"]["lr"] == 5e-4 * 8 / 512
    assert main([*fine, str(tmp_path / "x"), "--model", "vit-s16"]) == 1
    assert "the weights are not those of a vit-s16: leave --model out" in capsys.readouterr().err
    small = ["finetune", *data, "--weights", "none", "--out", str(tmp_path / "small"), "--depth", "1", "--mlp-dim", "8"]
    assert main([*small, "--size", "28", "--lr", "1e-4"]) == 0
    vit = load_model(tmp_path / "small")
    words = f"model: ViT, {weights(vit):,} weights, 4 x 4 patches of 7 pixels, lr 0.0001\n"
    assert words in capsys.readouterr().out
    assert (vit.dim, vit.patch_size, vit.transformer.heads) == (128, (7, 7), 2)
    assert main([*small, "--size", "37", "--out", str(tmp_path / "y")]) == 1
    told = capsys.readouterr().err
    assert "images of 37 x 37 pixels have no patch size" in told and not (tmp_path / "y").exists()
    prime = ["--size", "22", "--patch-size", "11", "--out", str(tmp_path / "z"), "--json"]
    assert main([*small, *prime]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["epoch"] == 1
