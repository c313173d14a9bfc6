"""Features: of several layers, by timm's names, and as arrays in a file."""

from __future__ import annotations

import json
import re
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from set_makers import noise_pictures

from mp3lib import MP3, ViT, load_images
from mp3lib.__main__ import main
from mp3lib.data import random_resized_crop, strong_augment, to_float
from mp3lib.evaluate import frozen_features, position_accuracy, top1_accuracy
from mp3lib.export import to_timm
from mp3lib.model import attention_rollout, load_vit

SHAPE = dict(num_classes=3, image_size=(8, 12), patch_size=4, dim=16, depth=3, heads=2, mlp_dim=24, dim_head=8)


def vit(**more) -> ViT:
    torch.manual_seed(0)
    return ViT(**SHAPE | more).eval()


IMAGES = torch.rand(4, 3, 8, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_features_of_several_layers():
    model, whole = vit(), vit().features(IMAGES)
    first, last, same, before = model.features(IMAGES, layers=[0, 3, -1, -2])
    assert torch.equal(first.tokens, model.embed(IMAGES, pos_emb=True))
    assert torch.equal(last.tokens, whole.tokens) and torch.equal(same.pooled, whole.pooled)
    tokens = first.tokens
    for block in model.transformer.layers[:2]:
        tokens = block(tokens)
    assert torch.equal(before.tokens, tokens) and torch.equal(before.pooled, tokens.mean(1))
    (plain,) = model.features(IMAGES, pos_emb=False, layers=[-4])
    assert torch.equal(plain.tokens, model.embed(IMAGES))
    for layers in ([4], [-5], [], "1", 2, [1.0], [True]):
        with pytest.raises(ValueError, match="layers must be"):
            model.features(IMAGES, layers=layers)
    (only,) = vit(depth=0).features(IMAGES, layers=[-1])
    assert torch.equal(only.tokens, vit(depth=0).embed(IMAGES, pos_emb=True))


@pytest.mark.parametrize("value", ["False", 0])
def test_truth_values_are_true_or_false(value):
    model, mp3, images = vit().eval(), MP3(vit(), 0.5).eval(), torch.zeros(2, 3, 8, 12, dtype=torch.uint8)
    tokens, attn = model(IMAGES), torch.full((1, 2, 1, 4, 2), 0.5)
    for name, call in (
        ("pos_emb", model),
        ("pos_emb", model.embed),
        ("pos_emb", model.features),
        ("with_attention", mp3.predict),
    ):
        with pytest.raises(ValueError, match=f"{name} must be True or False, got {value!r}"):
            call(IMAGES, **{name: value})
    for name, call in (
        ("jigsaw", partial(position_accuracy, mp3, images)),
        ("flip", partial(random_resized_crop, images)),
        ("flip", partial(strong_augment, images)),
        ("pre_logits", partial(model.forward_head, model.forward_features(IMAGES))),
        ("frozen", partial(attention_rollout, attn, torch.tensor([0, 1]))),
        ("pos_emb", partial(frozen_features, model, images)),
        ("pos_emb", partial(top1_accuracy, model, images, [0, 1])),
    ):
        with pytest.raises(ValueError, match=f"{name} must be True or False, got {value!r}"):
            call(**{name: value})
    assert torch.equal(model(IMAGES, pos_emb=np.bool_(True)), tokens)


def test_the_names_of_timm_give_what_timm_gives():
    model = vit()
    other = to_timm(model)
    with torch.no_grad():
        tokens = model.forward_features(IMAGES)
        torch.testing.assert_close(tokens, other.forward_features(IMAGES), rtol=0, atol=1e-5)
        for pre_logits in (True, False):
            ours, theirs = (m.forward_head(tokens, pre_logits=pre_logits) for m in (model, other))
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
        assert torch.equal(model.forward_head(tokens), model(IMAGES))
    assert model.num_features == other.num_features == 16
    with pytest.raises(ValueError, match=r"tokens must have the shape \(b, n, 16\)"):
        model.forward_head(torch.zeros(2, 16))


def test_the_classifier_is_replaced_in_place(tmp_path):
    model = vit(classes=["a", "b", "c"]).double().train()
    body = model.transformer.layers[0][0].to_q.weight
    model.reset_classifier(5)
    assert model.num_classes == 5 and model.classes is None and model.transformer.layers[0][0].to_q.weight is body
    head = model.linear_head[1]
    assert head.weight.dtype == torch.float64 and model.linear_head.training
    model.float().reset_classifier(2, ["x", "y"])
    model.save_pretrained(tmp_path)
    assert load_vit(tmp_path).classes == ("x", "y") and load_vit(tmp_path)(IMAGES).shape == (4, 2)
    for number, names in ((0, None), (-1, None), (2, ["one"]), (2, ["one", "one"])):
        with pytest.raises(ValueError):
            model.reset_classifier(number, names)
    assert model.num_classes == 2


@pytest.fixture
def pictures(tmp_path, own_cache):
    for split, number in (("train", 7), ("test", 3)):
        for name in ("cat", "dog"):
            noise_pictures(tmp_path / "mine" / split / name, number, (8, 12))
    MP3(vit(), 0.5).save_pretrained(tmp_path / "mp3")
    return tmp_path


def embedded(room, *more: str) -> dict[str, np.ndarray]:
    weights = ["--weights", str(room / "mp3"), "--data", str(room / "mine"), "--batch-size", "4", "--workers", "0"]
    assert main(["embed", *weights, "--out", str(room / "f.npz"), *more]) == 0
    with np.load(room / "f.npz") as file:
        return dict(file)


def test_features_of_a_folder_as_arrays(pictures, capsys):
    found = embedded(pictures, "--tokens", "--json")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["images"] == 20
    assert list(found) == ["pooled", "labels", "names", "split", "classes", "tokens"]
    assert found["pooled"].dtype == found["tokens"].dtype == np.float32
    model, images = load_vit(pictures / "mp3"), load_images(pictures / "mine", (8, 12), stream=False)
    for split, part in (("train", images.train), ("test", images.test)):
        rows = found["split"] == split
        assert rows.sum() == len(part)
        expected = frozen_features(model, part.images)
        by_image = {tuple(np.round(row, 4)) for row in found["pooled"][rows]}
        assert by_image == {tuple(np.round(row, 4)) for row in expected.numpy()}
    # each row belongs to the picture of its name
    for name, label, pooled, tokens in zip(
        found["names"], found["labels"], found["pooled"], found["tokens"], strict=True
    ):
        pixels = torch.from_numpy(np.asarray(Image.open(pictures / "mine" / name)).copy()).permute(2, 0, 1)[None]
        expected = model.features(to_float(pixels))
        np.testing.assert_allclose(pooled, expected.pooled[0].detach(), atol=1e-5)
        np.testing.assert_allclose(tokens, expected.tokens[0].detach(), atol=1e-5)
        assert found["classes"][label] == name.split("/")[1]


def test_a_broken_picture_has_no_row(pictures):
    broken = pictures / "mine" / "train" / "cat" / "003.png"
    whole = embedded(pictures)
    broken.write_bytes(broken.read_bytes()[:60])
    found = embedded(pictures)
    kept = whole["names"] != "train/cat/003.png"
    assert list(found["names"]) == list(whole["names"][kept])
    np.testing.assert_allclose(found["pooled"], whole["pooled"][kept], atol=1e-6)
    assert list(found["labels"]) == list(whole["labels"][kept])


def test_images_in_memory_are_numbered_and_options_hold(pictures):
    whole, found = embedded(pictures), embedded(pictures, "--in-memory", "--limit", "5", "--layer", "0", "--no-pos-emb")
    assert list(found["names"][:6]) == ["train/0", "train/1", "train/2", "train/3", "train/4", "test/0"]
    assert "tokens" not in found and found["pooled"].shape == (11, 16)
    images = load_images(pictures / "mine", (8, 12), stream=False).train.images[:5]
    (expected,) = load_vit(pictures / "mp3").features(to_float(images), pos_emb=False, layers=[0])
    np.testing.assert_allclose(found["pooled"][:5], expected.pooled.detach(), atol=1e-5)
    assert whole["pooled"].shape == (20, 16)


def test_a_full_disk_is_named(pictures, full_disk, capsys):
    command = ["embed", "--weights", str(pictures / "mp3"), "--data", str(pictures / "mine"), "--tokens", "--out"]
    with full_disk():
        assert main([*command, str(pictures / "f.npz")]) == 1
    assert re.search("f.npz could not be written .*: make room and try again", capsys.readouterr().err)
    assert not list(pictures.glob("*f.npz"))


def test_the_end_of_the_name_may_be_in_capitals(pictures):
    found = embedded(pictures, "--tokens")
    embedded(pictures, "--tokens", "--out", str(pictures / "F.NPZ"))
    with np.load(pictures / "F.NPZ") as file:
        assert {*file} == {*found} and all(np.array_equal(file[name], found[name]) for name in found)


def test_weights_that_were_trained_without_positions_are_used_without(pictures, monkeypatch):
    with_positions, plain = embedded(pictures), embedded(pictures, "--no-pos-emb")
    (pictures / "mp3" / "run.json").write_text(json.dumps({"settings": {"pos_emb": False}}))
    found = embedded(pictures)["pooled"]
    assert np.array_equal(found, plain["pooled"]) and not np.allclose(found, with_positions["pooled"])
    used = []

    def watched(vit, images, **options):
        used.append(options)
        return frozen_features(vit, images, **options)

    monkeypatch.setattr("mp3lib.evaluate.frozen_features", watched)
    probe = ["probe", "--weights", str(pictures / "mp3"), "--data", str(pictures / "mine")]
    assert main(probe) == 0
    # training and test images, of the weights and of random ones
    assert used == [{"pos_emb": False, "layer": -1}] * 4
    used.clear()
    assert main([*probe, "--layer", "1", "--out", str(pictures / "probe.json")]) == 0
    assert used == [{"pos_emb": False, "layer": 1}] * 4
    figures = json.loads((pictures / "probe.json").read_text())
    assert figures["layer"] == 1 and figures["pos_emb"] is False
    assert main([*probe, "--layer", "9"]) == 1


def test_what_cannot_be_written_is_said_first(pictures, capsys, monkeypatch):
    command = ["embed", "--weights", str(pictures / "mp3"), "--data", str(pictures / "mine"), "--out"]
    np.savez(pictures / "mine.npz", x=np.arange(3))
    for name in ("embed", "probe"):
        monkeypatch.setattr(f"mp3lib.cli.{name}.images_of", None)  # no image is loaded before
    for arguments, words in (
        ([str(pictures / "f.txt")], "must end in .npz, got f.txt"),
        ([str(pictures / "mine.npz")], "is no such file of mp3lib: choose another name, so that it is kept"),
        ([str(pictures / "f.npz"), "--layer", "9"], "--layer must be a whole number, -4 to 3, got 9"),
    ):
        assert main([*command, *arguments]) == 1
        assert words in capsys.readouterr().err
    assert not list(pictures.glob("f.*"))
    assert main(["probe", *command[1:5], "--layer", "-5"]) == 1
    assert "--layer must be a whole number, -4 to 3, got -5" in capsys.readouterr().err
