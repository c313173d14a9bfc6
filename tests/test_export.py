"""Models of other libraries: converted there and back, they are the same; what cannot be exact is refused."""

from __future__ import annotations

import sys

import pytest
import torch
from samples import inputs_of
from torch import nn
from vit_pytorch import mp3 as reference

from mp3lib import MP3, ViT, load_shipped
from mp3lib.evaluate import frozen_features, position_accuracy, top1_accuracy
from mp3lib.export import from_vit_pytorch, save_vit_pytorch, to_vit_pytorch
from mp3lib.model import preset_of, use_classes, with_image_size
from mp3lib.train import finetune, pretrain, step_costs

SHAPES = {
    "square": dict(num_classes=5, image_size=16, patch_size=4, dim=16, depth=2, heads=2, mlp_dim=24, dim_head=8),
    "wide": dict(
        num_classes=3,
        image_size=(8, 24),
        patch_size=(4, 2),
        dim=8,
        depth=1,
        heads=3,
        mlp_dim=20,
        channels=1,
        dropout=0.1,
    ),
}
BOTH = pytest.mark.parametrize("shape", SHAPES)


def vit(shape: str = "square", **change) -> ViT:
    torch.manual_seed(0)
    return ViT(**SHAPES[shape] | change)


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    first, second = one.state_dict(), other.state_dict()
    assert [*first] == [*second]
    assert all(torch.equal(first[name], second[name]) and first[name] is not second[name] for name in first)
    owned = {p.data_ptr() for p in one.parameters()}
    assert owned.isdisjoint(p.data_ptr() for p in other.parameters()), "weights are copied"


@BOTH
def test_a_vit_gives_the_same_logits_there_and_back(shape):
    ours = vit(shape).eval()
    theirs = to_vit_pytorch(ours)
    assert type(theirs) is reference.ViT and not theirs.training
    assert_same_weights(ours, theirs)
    with torch.no_grad():
        torch.testing.assert_close(ours(inputs_of(ours)), theirs(inputs_of(ours)), rtol=0, atol=1e-6)
    back = from_vit_pytorch(theirs, ours.image_size)
    assert type(back) is ViT and back.config == ours.config and not back.training
    assert_same_weights(theirs, back)


@BOTH
def test_an_mp3_gives_the_same_loss_there_and_back(shape):
    ours = MP3(vit(shape, dropout=0.0), 0.6)
    theirs = to_vit_pytorch(ours)
    assert type(theirs) is reference.MP3 and theirs.training
    assert_same_weights(ours, theirs)
    images, losses = inputs_of(ours.vit), []
    back = from_vit_pytorch(theirs, image_size=ours.vit.image_size)
    for model in (ours, theirs, back):
        torch.manual_seed(3)
        losses.append(model(images).item())
    assert losses == pytest.approx(losses[:1] * 3, abs=1e-6)
    assert back.config == ours.config == ours.config | {"context": "frozen"}


def test_shipped_weights_cannot_be_taken_along():
    """They have no LayerNorm on pixels, which vit_pytorch always has."""
    with pytest.raises(ValueError, match="patch_norm"):
        to_vit_pytorch(load_shipped("pupil-scenes").vit)


@pytest.mark.parametrize("context", [None, "frozen"])
def test_a_file_that_vit_pytorch_alone_loads(context, tmp_path):
    ours = vit(classes=["a", "b", "c", "d", "e"])
    ours = MP3(ours, 0.6, context) if context else ours
    assert save_vit_pytorch(ours, tmp_path / "x.pt") < 1e-6
    saved = torch.load(tmp_path / "x.pt")
    theirs = reference.ViT(**saved["vit"])
    theirs = reference.MP3(theirs, saved["masking_ratio"]) if context else theirs
    theirs.load_state_dict(saved["state_dict"])
    assert_same_weights(ours, theirs)
    assert saved["classes"] == ["a", "b", "c", "d", "e"] and ("masking_ratio" in saved) == bool(context)
    assert [path.name for path in tmp_path.iterdir()] == ["x.pt"]


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "folder.pt").mkdir()
    for name, words in (("x.bin", "must end in .pt, got x.bin"), ("folder.pt", "not a regular file")):
        with pytest.raises(ValueError, match=words):
            save_vit_pytorch(vit(), tmp_path / name)
    with pytest.raises(ValueError, match="patch_norm=False"):
        save_vit_pytorch(vit(patch_norm=False), tmp_path / "x.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.pt"]


def test_dtype_and_names_of_classes():
    ours = vit(classes=["a", "b", "c", "d", "e"]).double()
    theirs = to_vit_pytorch(ours)
    assert {p.dtype for p in theirs.parameters()} == {torch.float64}
    assert_same_weights(ours, theirs)
    assert from_vit_pytorch(theirs).classes is None
    assert from_vit_pytorch(theirs, classes=ours.classes).config == ours.config


def test_the_size_of_the_image_is_found_or_asked_for():
    assert from_vit_pytorch(to_vit_pytorch(vit())).image_size == (16, 16)
    theirs = to_vit_pytorch(vit("wide"))
    with pytest.raises(ValueError, match="24 patches of 4 x 2 pixels make no square image: give image_size"):
        from_vit_pytorch(theirs)
    with pytest.raises(ValueError, match=r"image_size \(8, 16\) has 16 patches of 4 x 2 pixels.* made for 24"):
        from_vit_pytorch(theirs, (8, 16))
    with pytest.raises(ValueError, match="does not divide image_size"):
        from_vit_pytorch(theirs, (9, 24))
    assert from_vit_pytorch(theirs, [16, 12]).grid == (4, 6), "the reader's word counts: it has the right number"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: vit(patch_norm=False), "patch_norm=False"),
        (lambda: MP3(vit(patch_norm=False), 0.5), "patch_norm=False"),
        (lambda: MP3(vit(), 0.5, "updated"), r'context="updated".*to_vit_pytorch\(mp3\.vit\)'),
        (lambda: vit(dim=4), "dim=4"),
        (lambda: nn.Linear(2, 2), "must be an mp3lib MP3 or ViT, got torch.nn.modules.linear.Linear"),
        (lambda: to_vit_pytorch(vit()), "must be an mp3lib MP3 or ViT, got vit_pytorch.mp3.ViT"),
    ],
)
def test_what_vit_pytorch_does_not_have_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        to_vit_pytorch(make())


def test_a_file_of_somebody_else_is_kept_and_a_full_disk_named(tmp_path, full_disk):
    file = tmp_path / "x.pt"
    with full_disk(), pytest.raises(OSError, match=f"^{file} could not be written .*: make room and try again$"):
        save_vit_pytorch(vit(), file)
    assert not list(tmp_path.iterdir())
    torch.save({"mine": torch.ones(1)}, file)
    with pytest.raises(ValueError, match="is no such file of mp3lib: choose another name, so that it is kept"):
        save_vit_pytorch(vit(), file)
    assert torch.load(file).keys() == {"mine"}
    file.unlink()
    for _ in range(2):  # one of ours is replaced
        save_vit_pytorch(vit(), file)


def test_other_models_are_refused():
    from vit_pytorch import SimpleViT

    simple = SimpleViT(image_size=16, patch_size=4, num_classes=5, dim=16, depth=1, heads=2, mlp_dim=24)
    for model in (simple, vit()):
        with pytest.raises(ValueError, match="must be a vit_pytorch.mp3.MP3 or vit_pytorch.mp3.ViT, got"):
            from_vit_pytorch(model)
    with pytest.raises(ValueError, match="hides none of 16 patches"):
        from_vit_pytorch(reference.MP3(reference.ViT(**SHAPES["square"]), 0.01))


def add(amount: float) -> type[nn.Linear]:
    """A layer with the same weights that computes something else."""

    class Shifted(nn.Linear):
        def forward(self, x):
            return super().forward(x) + amount

    return Shifted


@pytest.mark.parametrize("convert", [to_vit_pytorch, from_vit_pytorch])
def test_a_conversion_that_is_not_exact_is_refused(convert):
    model = vit() if convert is to_vit_pytorch else to_vit_pytorch(vit())
    model.linear_head[1].__class__ = add(3e-6)
    convert(model)
    model.linear_head[1].__class__ = add(3e-5)
    with pytest.raises(
        ValueError, match=r"gives another output: it differs by 3e-05 on a random input, where 1e-05 is"
    ):
        convert(model)


def test_nan_is_refused():
    model = vit()
    nn.init.constant_(model.linear_head[1].bias, float("nan"))
    with pytest.raises(ValueError, match=r"not finite \(linear_head.1.bias holds nan\)"):
        to_vit_pytorch(model)
    theirs = to_vit_pytorch(vit())
    nn.init.constant_(theirs.linear_head[1].bias, float("nan"))
    with pytest.raises(ValueError, match="differs by nan"):
        from_vit_pytorch(theirs)


def test_the_callers_random_state_stays():
    ours = MP3(vit(), 0.5)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    from_vit_pytorch(to_vit_pytorch(ours))
    assert torch.equal(torch.rand(3), expected)


def test_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "vit_pytorch", None)
    monkeypatch.delitem(sys.modules, "vit_pytorch.mp3")
    for convert in (to_vit_pytorch, from_vit_pytorch):
        with pytest.raises(ImportError, match="pip install vit-pytorch"):
            convert(vit())


PICTURES, LABELS = torch.zeros(8, 3, 16, 16, dtype=torch.uint8), torch.arange(8) % 5
TAKE_A_MODEL = {
    "MP3": lambda vit, mp3: MP3(vit, 0.5),
    "pretrain": lambda vit, mp3: pretrain(mp3, PICTURES, epochs=1, precision="float32", progress=False),
    "finetune": lambda vit, mp3: finetune(vit, PICTURES, LABELS, epochs=1, precision="float32", progress=False),
    "position_accuracy": lambda vit, mp3: position_accuracy(mp3, PICTURES),
    "top1_accuracy": lambda vit, mp3: top1_accuracy(vit, PICTURES, LABELS),
    "frozen_features": lambda vit, mp3: frozen_features(vit, PICTURES),
    "with_image_size": lambda vit, mp3: with_image_size(mp3, 16),
    "use_classes": lambda vit, mp3: use_classes(vit, 5),
    "preset_of": lambda vit, mp3: preset_of(vit),
    "step_costs": lambda vit, mp3: step_costs(mp3, 8),
}


@pytest.mark.parametrize("call", TAKE_A_MODEL.values(), ids=TAKE_A_MODEL)
def test_whatever_takes_our_models_says_how_to_convert_theirs(call):
    theirs = reference.ViT(**SHAPES["square"])
    with pytest.raises(ValueError, match=r"of mp3lib, got \w+ of vit_pytorch.mp3: mp3lib.export.from_vit_pytorch conv"):
        call(theirs, reference.MP3(theirs, 0.5))
    with pytest.raises(ValueError, match=r"(must be|takes) (a|an) \w+.*, got (Linear|None)"):
        call(nn.Linear(2, 2), None)
    ours = Ours(**SHAPES["square"])
    call(ours, OursToo(ours, 0.5))
    call(*(torch.compile(model, backend="eager") for model in (ours, OursToo(ours, 0.5))))


class Ours(ViT):
    """A subclass, as a study makes one."""


class OursToo(MP3):
    """Another."""
