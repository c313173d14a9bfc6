"""A ViT in timm's class and in timm's folder: the same logits, there and back, or refused with the reason."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from samples import inputs_of
from torch import nn

from mp3lib import MP3, ViT, load_shipped
from mp3lib.data import read_picture, to_float
from mp3lib.export import from_timm, save_timm, to_timm

SHAPES = {
    "plain": dict(image_size=16, patch_size=4, heads=2, dim_head=8, patch_norm=False),
    "normed": dict(image_size=16, patch_size=4, heads=2, dim_head=8, classes=["a", "b", "c"]),
    "wide": dict(image_size=(8, 24), patch_size=(4, 2), heads=3, dim_head=8, channels=1, dropout=0.1),
    "narrow": dict(image_size=(8, 24), patch_size=(4, 2), heads=1, dim_head=4, patch_norm=False, mlp_dim=19),
}
EACH = pytest.mark.parametrize("shape", SHAPES)


def vit(shape: str = "plain", **change) -> ViT:
    torch.manual_seed(0)
    model = ViT(**dict(num_classes=3, dim=16, depth=2, mlp_dim=24) | SHAPES[shape] | change)
    for weight in model.parameters():  # also what starts as ones and zeros
        nn.init.normal_(weight, std=0.2)
    return model


@torch.no_grad()
def assert_same_logits(ours: ViT, theirs: nn.Module, **options) -> None:
    torch.testing.assert_close(theirs(inputs_of(ours)), ours(inputs_of(ours), **options), rtol=1e-5, atol=1e-5)


def assert_same_weights(one: ViT, other: ViT, **tolerance) -> None:
    first, second = one.state_dict(), other.state_dict()
    assert [*first] == [*second]
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0, **tolerance)


@EACH
@pytest.mark.parametrize("pos_emb", [True, False])
def test_the_same_logits_there_and_back(shape, pos_emb):
    ours = vit(shape).eval()
    theirs = to_timm(ours, pos_emb=pos_emb)
    assert isinstance(theirs, timm.models.VisionTransformer) and not theirs.training
    assert_same_logits(ours, theirs, pos_emb=pos_emb)
    back = from_timm(theirs)
    assert back.config == ours.config and not back.training
    assert_same_weights(ours, back)
    assert {p.data_ptr() for p in ours.parameters()}.isdisjoint(p.data_ptr() for p in back.parameters())


def test_weights_trained_without_positions_stay_so(tmp_path):
    ours = vit().eval()
    ours.pos_emb = False
    save_timm(ours, tmp_path / "x")
    for theirs in (to_timm(ours), timm.create_model(f"local-dir:{tmp_path / 'x'}", pretrained=True).eval()):
        assert_same_logits(ours, theirs, pos_emb=False)
        assert from_timm(theirs).pos_emb is False
    assert from_timm(to_timm(ours, pos_emb=True)).pos_emb


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_models_of_any_precision_are_converted(dtype, tmp_path):
    ours = vit().to(dtype).eval()
    theirs = to_timm(ours)
    assert {weight.dtype for weight in theirs.parameters()} == {dtype}
    assert_same_weights(from_timm(theirs), ours)
    save_timm(ours, tmp_path / "x")
    again = timm.create_model(f"local-dir:{tmp_path / 'x'}", pretrained=True).eval()
    assert_same_logits(ours.float(), again)


@EACH
def test_a_folder_that_timm_loads(shape, tmp_path):
    ours = vit(shape).eval()
    assert save_timm(ours, tmp_path / "x") < 1e-5
    theirs = timm.create_model(f"local-dir:{tmp_path / 'x'}", pretrained=True).eval()
    assert_same_logits(ours, theirs)
    config = json.loads((tmp_path / "x" / "config.json").read_text())
    assert config["architecture"] == ("vit_base_patch32_clip_224" if shape == "plain" else "mp3lib_vit")
    assert config.get("label_names") == SHAPES[shape].get("classes")
    back = from_timm(theirs)
    assert back.config == ours.config
    assert_same_logits(ours, back)
    save_timm(ours, tmp_path / "x", pos_emb=False)  # its own files are replaced
    assert_same_logits(ours, timm.create_model(f"local-dir:{tmp_path / 'x'}", pretrained=True).eval(), pos_emb=False)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["config.json", "model.safetensors", "x"]


def test_flat_patches_keep_their_embedding(tmp_path):
    """There the variance is near the eps of the LayerNorm after the embedding, which timm's file cannot name."""
    ours = vit().eval()
    with torch.no_grad():
        ours.to_patch_embedding[2].weight.mul_(1e-3)
        ours.to_patch_embedding[2].bias.mul_(1e-2)
    save_timm(ours, tmp_path / "x")
    assert_same_logits(ours, timm.create_model(f"local-dir:{tmp_path / 'x'}", pretrained=True).eval())


@pytest.mark.slow
def test_timm_alone_loads_the_folder(tmp_path):
    ours = vit().eval()
    save_timm(ours, tmp_path / "x")
    torch.save(inputs_of(ours), tmp_path / "images.pt")
    code = (
        "import sys, timm, torch\n"
        "model = timm.create_model('local-dir:x', pretrained=True).eval()\n"
        "torch.save(model(torch.load('images.pt')), 'logits.pt')\n"
        "assert 'mp3lib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    torch.testing.assert_close(torch.load(tmp_path / "logits.pt"), ours(inputs_of(ours)), rtol=1e-5, atol=1e-5)


def test_shipped_weights_and_their_images():
    ours = load_shipped("classifier-8x8")
    theirs = to_timm(ours)
    assert_same_logits(ours, theirs)
    config = timm.data.resolve_model_data_config(theirs)
    prepare = timm.data.create_transform(**config)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    as_here = to_float(torch.from_numpy(pixels).permute(2, 0, 1))
    torch.testing.assert_close(prepare(Image.fromarray(pixels)), as_here, rtol=0, atol=1e-6)
    assert theirs.pretrained_cfg["label_names"] == list(ours.classes)


@pytest.mark.parametrize("size", [(90, 60), (50, 200)])
def test_larger_pictures_are_cropped_and_resized_as_here(size, tmp_path):
    ramp = np.indices(size).sum(0) * 255 // sum(size)
    picture = Image.fromarray(np.stack((ramp, 255 - ramp, ramp // 2), -1).astype(np.uint8))
    picture.save(tmp_path / "x.png")
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(to_timm(vit("plain"))))
    here = to_float(read_picture((tmp_path / "x.png").read_bytes(), 16))
    assert (prepare(picture) - here).abs().max() < 0.05, "of a range of 2"


def test_device_dtype_mode_and_random_state():
    torch.manual_seed(7)
    expected = torch.rand(3)
    ours = vit().double()
    torch.manual_seed(7)
    theirs = to_timm(ours)
    assert {p.dtype for p in theirs.parameters()} == {torch.float64} and theirs.training
    back = from_timm(theirs)
    assert {p.dtype for p in back.parameters()} == {torch.float64} and back.training
    assert torch.equal(torch.rand(3), expected)


def test_training_in_timm_comes_back():
    theirs = to_timm(vit(classes=["a", "b", "c"]))
    optimizer = torch.optim.SGD([p for p in theirs.parameters() if p.requires_grad], 0.1)
    theirs(inputs_of(vit())).square().sum().backward()
    optimizer.step()
    assert not theirs.pos_embed.requires_grad
    back = from_timm(theirs)
    assert back.classes == ("a", "b", "c") and from_timm(theirs, classes=["x", "y", "z"]).classes == ("x", "y", "z")
    assert not torch.equal(back.linear_head[1].weight, vit().linear_head[1].weight)
    theirs.reset_classifier(7)
    assert from_timm(theirs).num_classes == 7 and from_timm(theirs).classes is None


def test_what_is_no_vit_here_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no position classifier.*give its mp3\.vit"):
        to_timm(MP3(vit(), 0.5))
    with pytest.raises(ValueError, match="must be an mp3lib MP3 or ViT, got torch.nn.modules.linear.Linear"):
        to_timm(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="depth 0"):
        to_timm(vit(depth=0))
    broken = vit()
    nn.init.constant_(broken.linear_head[1].bias, float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        save_timm(broken, tmp_path / "x")
    assert [*tmp_path.iterdir()] == []


def test_an_output_that_differs_is_refused(tmp_path):
    class Shifted(nn.Linear):
        def forward(self, x):
            return super().forward(x) + 1e-3

    model = vit()
    model.linear_head[1].__class__ = Shifted
    for convert in (to_timm, lambda model: save_timm(model, tmp_path / "x")):
        with pytest.raises(ValueError, match="gives another output: it differs by 0.001"):
            convert(model)
    assert [*tmp_path.iterdir()] == []


THEIRS = dict(img_size=16, patch_size=4, num_classes=3, embed_dim=16, depth=1, num_heads=2, norm_layer=nn.LayerNorm)
OURS = dict(class_token=False, global_pool="avg", fc_norm=True, qkv_bias=False, embed_norm_layer=nn.LayerNorm)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(class_token=True), "class token"),
        (dict(global_pool="max"), "pools by 'max'"),
        (dict(fc_norm=False), "no LayerNorm after the mean"),
        (dict(num_classes=0), "no head for classes"),
        (dict(qkv_bias=True), "have a bias"),
        (dict(embed_norm_layer=None), "no LayerNorm after it"),
        (dict(norm_layer="layernorm"), "eps=1e-06, and here it is 1e-05"),
        (dict(attn_drop_rate=0.5), "dropout differs"),
        (dict(qk_norm=True), "the weights blocks.0.attn.k_norm.bias have no counterpart"),
        ({}, "position embeddings are learned"),
    ],
)
def test_a_timm_model_that_is_none_of_ours_is_refused(change, words):
    model = timm.models.VisionTransformer(**THEIRS | OURS | change)
    with pytest.raises(ValueError, match=f"cannot become a ViT of mp3lib: .*{words}"):
        from_timm(model)


def test_another_activation_is_noticed():
    model = timm.models.VisionTransformer(**THEIRS | OURS, pos_embed="none", act_layer="relu")
    with pytest.raises(ValueError, match="gives another output"):
        from_timm(model)
    with pytest.raises(ValueError, match="must be a timm.models.VisionTransformer, got mp3lib.model.vit.ViT"):
        from_timm(vit())


def test_no_other_folder_is_written_to(tmp_path):
    vit().save_pretrained(tmp_path / "ours")
    before = {path: path.read_bytes() for path in (tmp_path / "ours").iterdir()}
    with pytest.raises(ValueError, match="choose a new folder"):
        save_timm(vit(), tmp_path / "ours")
    (tmp_path / "ours" / "README.md").unlink()
    with pytest.raises(ValueError, match="holds a model of another kind: choose a new folder"):
        save_timm(vit(), tmp_path / "ours")
    assert all(path.read_bytes() == before[path] for path in (tmp_path / "ours").iterdir())
    (tmp_path / "ours" / "config.json").unlink()
    with pytest.raises(ValueError, match="holds a model of another kind: choose a new folder"):
        save_timm(vit(), tmp_path / "ours")  # weights alone
    (tmp_path / "ours" / "config.json").write_text('{"architecture": "resnet50"}')
    with pytest.raises(ValueError, match="holds a model of another kind: choose a new folder"):
        save_timm(vit(), tmp_path / "ours")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="is not a folder"):
        save_timm(vit(), tmp_path / "file")
    with pytest.raises(ValueError, match="has bytes that are not UTF-8"):
        save_timm(vit(), tmp_path / "\udcff")


def test_a_full_disk_is_named(tmp_path, full_disk):
    with (
        full_disk(),
        pytest.raises(OSError, match=f"^{tmp_path / 'x'} could not be written .*: make room and try again$"),
    ):
        save_timm(vit(), tmp_path / "x")
    assert not list(tmp_path.iterdir())
    (tmp_path / "empty").mkdir()
    save_timm(vit(), tmp_path / "empty")


def test_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "timm", None)
    for convert in (to_timm, from_timm, lambda model: save_timm(model, tmp_path / "x")):
        with pytest.raises(ImportError, match="this conversion needs the package timm: pip install timm"):
            convert(vit())
