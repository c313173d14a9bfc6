"""What is saved is what the object is now, and what does not fit is refused in a sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from huggingface_hub import HfApi
from safetensors.torch import save_file

from mp3lib import MP3, ViT
from mp3lib.model import load_model, use_classes, with_image_size
from mp3lib.model.saving import SavedModel, save_model
from mp3lib.train import pretrain

SHAPE = dict(num_classes=3, image_size=(8, 16), patch_size=4, dim=16, depth=2, heads=2, dim_head=8, mlp_dim=24)


def vit(**other) -> ViT:
    torch.manual_seed(0)
    return ViT(**SHAPE | other)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"image_size": 8, "patch_size": (4, 8), "channels": 1},
        {"dropout": 0.25, "patch_norm": False},
        {"classes": ("cat", "dog", "fish")},
        {"depth": 0},
    ],
)
def test_the_configuration_makes_the_same_model(other, tmp_path):
    first = vit(**other)
    assert json.loads(json.dumps(first.config)) == first.config
    second = ViT.from_config(first.config)
    second.load_state_dict(first.state_dict())
    assert second.config == first.config and second.classes == first.classes
    first.save_pretrained(tmp_path)
    third = ViT.from_pretrained(tmp_path)
    images = torch.randn(2, first.channels, *first.image_size)
    assert torch.equal(third.eval()(images), first.eval()(images))
    assert json.loads((tmp_path / "config.json").read_text()) == first.config


@pytest.mark.parametrize("name", ["write_weights", "model_card"])
def test_a_model_that_cannot_be_written_leaves_the_one_before(name, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    first = vit()
    first.save_pretrained(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr(f"mp3lib.model.saving.{name}", full)
    for save in (vit(depth=1).save_pretrained, lambda place: save_model(place, vit(depth=1))):
        with pytest.raises(OSError, match="weights could not be written to .*No space left.*: make room and try again"):
            save(tmp_path)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_pointer_of_git_lfs_is_told_apart_from_damage(tmp_path):
    vit().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ValueError, match="is a git-lfs pointer, not the weights: git lfs pull brings them"):
        ViT.from_pretrained(tmp_path)


def test_a_model_is_pushed_to_the_hub_under_the_name_of_its_folder(tmp_path, monkeypatch):
    pushed = {}

    def upload(self, *, repo_id, folder_path, **options):
        pushed[repo_id] = sorted(file.name for file in folder_path.iterdir()), options["commit_message"]
        return "an address"

    monkeypatch.setattr(HfApi, "create_repo", lambda self, repo_id, **_: SimpleNamespace(repo_id=repo_id))
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    files = ["README.md", "config.json", "model.safetensors"]
    assert vit().save_pretrained(tmp_path / "mine", push_to_hub=True, commit_message="first") == "an address"
    vit().save_pretrained(tmp_path / "mine", push_to_hub=True, repo_id="me/other", commit_message="second")
    assert pushed == {"mine": (files, "first"), "me/other": (files, "second")}
    assert sorted(file.name for file in (tmp_path / "mine").iterdir()) == files


@pytest.mark.parametrize("kind", ["whole", "transformer", "vit"])
def test_weights_of_a_compiled_model_are_loaded(kind, tmp_path):
    """torch.compile puts _orig_mod. into the names; nothing is compiled before a model is called."""
    mp3 = MP3(vit(), 0.75)
    expected = {name: tensor.clone() for name, tensor in mp3.state_dict().items()}
    mp3.save_pretrained(tmp_path)
    if kind == "transformer":
        mp3.vit.transformer = torch.compile(mp3.vit.transformer)
    elif kind == "vit":
        mp3.vit = torch.compile(mp3.vit)
    compiled = (torch.compile(mp3) if kind == "whole" else mp3).state_dict()
    assert any("_orig_mod." in name for name in compiled)
    save_file(compiled, tmp_path / "model.safetensors")
    loaded = load_model(tmp_path).state_dict()
    assert loaded.keys() == expected.keys() and all(torch.equal(loaded[name], expected[name]) for name in expected)
    with pytest.raises(ValueError, match="there twice, with and without _orig_mod. in the name"):
        save_file(compiled | expected, tmp_path / "model.safetensors")
        load_model(tmp_path)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_loaded_model_has_the_default_dtype(dtype, tmp_path):
    saved = vit().to(dtype)
    saved.save_pretrained(tmp_path)
    loaded = ViT.from_pretrained(tmp_path)
    assert {weight.dtype for weight in loaded.parameters()} == {torch.float32} and not loaded.training
    assert torch.equal(loaded.linear_head[1].weight, saved.linear_head[1].weight.float())


def test_loading_leaves_the_callers_random_state(tmp_path):
    MP3(vit(), 0.75).save_pretrained(tmp_path)
    before = torch.get_rng_state()
    grown = with_image_size(load_model(tmp_path), 64)
    assert torch.equal(torch.get_rng_state(), before)
    one, other = (use_classes(grown.vit, 3).linear_head[1].weight for _ in range(2))
    assert not torch.equal(one, other), "a fresh head is the caller's draw"


def test_changes_after_the_making_are_saved(tmp_path):
    mp3 = MP3(vit(), 0.75, "frozen")
    mp3.masking_ratio, mp3.context = 0.5, "updated"
    mp3.vit = use_classes(mp3.vit, ["cat", "dog"])
    mp3.save_pretrained(tmp_path)
    again = load_model(tmp_path)
    assert isinstance(again, MP3) and again.masking_ratio == 0.5 and again.context == "updated"
    assert again.vit.num_classes == 2 and again.vit.classes == ("cat", "dog")
    for name, tensor in mp3.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("context", "Frozen", 'context must be "frozen" or "updated", got \'Frozen\''),
        ("masking_ratio", float("nan"), "masking_ratio must lie between 0 and 1, both excluded, got nan"),
        ("masking_ratio", 0.01, "masking_ratio 0.01 hides none of 8 patches"),
    ],
)
def test_a_setting_is_checked_where_it_is_set(name, value, words):
    mp3 = MP3(vit(), 0.75)
    with pytest.raises(ValueError, match=words):
        setattr(mp3, name, value)
    assert (mp3.context, mp3.masking_ratio) == ("frozen", 0.75)


@pytest.mark.parametrize("other", [{"image_size": 32}, {"patch_size": 8}, {"dim": 32}])
def test_a_vit_that_does_not_fit_the_head_is_refused_before_anything_is_computed_or_written(other, tmp_path):
    mp3 = MP3(vit(), 0.75)
    mp3.vit = vit(**other)
    images = torch.zeros(4, 3, *mp3.vit.image_size)
    for use in (mp3, mp3.predict):
        with pytest.raises(ValueError, match="mlp_head was made for 8 patches of 16 features, and vit has"):
            use(images)
    with pytest.raises(
        ValueError, match=r"the MP3 was changed, so .* \(mlp_head.*\): make a new MP3, or save its state"
    ):
        mp3.save_pretrained(tmp_path / "saved")
    with pytest.raises(ValueError, match="mlp_head was made for 8 patches of 16 features"):
        pretrain(mp3, images.byte(), out=tmp_path / "run", epochs=1, batch_size=2)
    assert [*tmp_path.iterdir()] == []


def changed_head(model: ViT) -> None:
    model.linear_head = torch.nn.Identity()


def one_weight_more(model: ViT) -> None:
    model.scale = torch.nn.Parameter(torch.ones(3))


@pytest.mark.parametrize("change", [changed_head, one_weight_more])
def test_a_model_that_could_not_be_loaded_is_not_saved(change, tmp_path):
    model = vit()
    change(model)
    with pytest.raises(ValueError, match="make a new ViT, or save its state_dict.. yourself"):
        model.save_pretrained(tmp_path / "saved")
    with pytest.raises(ValueError, match="make a new MP3, or save its state_dict"):
        pretrain(MP3(model, 0.75), torch.zeros(4, 3, 8, 16).byte(), out=tmp_path / "run", epochs=1, batch_size=2)
    assert [*tmp_path.iterdir()] == []


def test_layers_that_share_their_weights_are_saved_and_loaded(tmp_path):
    model = vit(depth=2)
    model.transformer.layers[1] = model.transformer.layers[0]
    model.save_pretrained(tmp_path)
    images = torch.randn(2, 3, *model.image_size)
    assert torch.equal(ViT.from_pretrained(tmp_path).eval()(images), model.eval()(images))


def test_a_folder_of_the_other_kind_is_refused_with_the_right_call(tmp_path):
    MP3(vit(), 0.5).save_pretrained(tmp_path / "mp3")
    vit().save_pretrained(tmp_path / "vit")
    with pytest.raises(ValueError, match="mp3 holds no ViT: its config.json has no num_classes.*load_model"):
        ViT.from_pretrained(tmp_path / "mp3")
    with pytest.raises(ValueError, match="vit holds no MP3: its config.json has no vit, masking_ratio.*load_model"):
        MP3.from_pretrained(tmp_path / "vit")


@pytest.mark.parametrize("place", ["a ViT", "an MP3", "the ViT of an MP3"])
def test_a_key_that_no_model_has_is_refused(place, tmp_path):
    (vit() if place == "a ViT" else MP3(vit(), 0.5)).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (config["vit"] if place == "the ViT of an MP3" else config)["register_tokens"] = 4
    (tmp_path / "config.json").write_text(json.dumps(config))
    kind = "MP3" if place == "an MP3" else "ViT"
    with pytest.raises(ValueError, match=f"config.json: a {kind} has no argument register_tokens"):
        load_model(tmp_path)
    with pytest.raises(ValueError, match="a ViT has no argument register_tokens"):
        vit().save_pretrained(tmp_path, config=vit().config | {"register_tokens": 4})


def test_keys_of_the_hub_do_no_harm(tmp_path):
    model = vit()
    model.save_pretrained(tmp_path, config=model.config | {"library_name": "mp3lib", "architectures": ["ViT"]})
    assert load_model(tmp_path).config == model.config


def test_new_classes_leave_the_modes_of_the_parts_alone():
    body = vit().train()
    body.transformer.eval()
    before = [part.training for part in body.modules()]
    fresh = use_classes(body, 5)
    assert [part.training for part in body.modules()] == before == [part.training for part in fresh.modules()]


def test_a_new_head_keeps_the_mode_of_the_model():
    for training in (True, False):
        fresh = use_classes(vit().train(training), 5)
        assert {m.training for m in fresh.modules()} == {training}


def test_class_names_must_be_as_many_as_classes():
    with pytest.raises(ValueError, match="classes holds 2 names for 3 classes: .'a', 'b'."):
        vit(classes=["a", "b"])


def test_class_names_that_are_there_twice_are_refused(tmp_path):
    """Labels are found by name, so the second class of a name would never be."""
    with pytest.raises(ValueError, match="classes must be different names, got 'a' more than once"):
        vit(classes=["a", "b", "a"])
    vit(classes=["a", "b", "c"]).save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"c"', '"b"'))
    with pytest.raises(ValueError, match="classes must be different names, got 'b' more than once"):
        load_model(tmp_path)


def test_a_place_that_no_folder_can_be_made_at_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, words in (
        ("link", "link is a symbolic link to .*nowhere, where there is nothing: make that folder"),
        ("link/below", "link is a symbolic link to .*nowhere"),
        ("file/below", "file is not a folder: choose another place"),
        ("\udcff", "has bytes that are not UTF-8, and safetensors does not open such a path: choose another name"),
    ):
        for save in (vit().save_pretrained, lambda place: save_model(place, vit())):
            with pytest.raises(ValueError, match=words):
                save(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]
    (tmp_path / "nowhere").mkdir()
    save_model(tmp_path / "link" / "below", vit())
    assert (tmp_path / "nowhere" / "below" / "config.json").is_file()
    if sys.platform == "linux":
        os.rename(tmp_path / "nowhere" / "below", tmp_path / "\udcff")
        with pytest.raises(ValueError, match="has bytes that are not UTF-8"):
            load_model(tmp_path / "\udcff")


def test_annotations_as_strings_do_no_harm():
    """The hub mixin looks at the annotations of the constructor; mp3lib does not depend on what it finds there."""
    code = "from mp3lib.model import mp3; assert mp3.annotations.compiler_flag"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert issubclass(MP3, SavedModel) and MP3.from_config(MP3(vit(), 0.5).config).vit.config == vit().config
