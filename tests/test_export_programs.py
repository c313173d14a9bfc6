"""ONNX and torch.export: the same outputs without this library, for batches of any size."""

from __future__ import annotations

import json
import subprocess
import sys

import onnxruntime
import pytest
import timm
import torch

from mp3lib import MP3, ViT, record_attention
from mp3lib.__main__ import main
from mp3lib.export import save_onnx, save_timm, save_torch_export, save_vit_pytorch, to_timm, to_torch_export
from mp3lib.model import use_classes

SHAPE = dict(num_classes=3, image_size=(8, 12), patch_size=4, dim=16, depth=1, heads=2, mlp_dim=24, dim_head=8)


def vit(**more) -> ViT:
    torch.manual_seed(0)
    return ViT(**SHAPE | more)


def images(batch: int) -> torch.Tensor:
    return torch.rand(batch, 3, 8, 12, generator=torch.Generator().manual_seed(batch)) * 2 - 1


def contexts(batch: int, k: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(batch)
    return torch.stack([torch.randperm(6, generator=draw)[:k] for _ in range(batch)])


def session(file) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Every kind of file, made once: of a classifier with attention, and of predictions from three patches."""
    folder = tmp_path_factory.mktemp("programs")
    classifier, mp3 = vit(classes=["cat", "dog", "fish"]), MP3(vit(), 0.5, "updated")
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    for kind, save in (("onnx", save_onnx), ("pt2", save_torch_export)):
        assert save(classifier, folder / f"vit.{kind}", pos_emb=False, attention=True) < 1e-5
        assert save(mp3, folder / f"mp3.{kind}", num_context=3) < 1e-5
    assert torch.equal(torch.rand(3), expected), "the caller's random state is as it was"
    assert sorted(f.name for f in folder.iterdir()) == ["mp3.onnx", "mp3.pt2", "vit.onnx", "vit.pt2"]
    return folder


@pytest.mark.parametrize("batch", [1, 4])
def test_a_classifier_runs_anywhere(files, batch):
    model, x = vit().eval(), images(batch)
    with torch.no_grad(), record_attention(model) as layers:
        expected = (model(x, pos_emb=False), model.features(x, pos_emb=False).pooled)
    expected += (torch.stack(layers[:1]),)
    run = session(files / "vit.onnx")
    assert [each.name for each in run.get_outputs()] == ["logits", "features", "attention"]
    assert run.get_inputs()[0].shape == ["batch", 3, 8, 12]
    found = run.run(None, {"images": x.numpy()})
    program = torch.export.load(files / "vit.pt2").module()(x)
    for one, other, third in zip(expected, found, program, strict=True):
        torch.testing.assert_close(torch.from_numpy(other), one, rtol=0, atol=1e-5)
        torch.testing.assert_close(third, one, rtol=0, atol=1e-5)
    about = run.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == ["cat", "dog", "fish"] and "127.5" in about["images"]
    assert json.loads(about["config"]) == vit(classes=["cat", "dog", "fish"]).config


def test_weights_trained_without_positions_run_without_them(tmp_path):
    model, x = vit().eval(), images(2)
    model.pos_emb = False
    with torch.no_grad():
        expected = model(x, pos_emb=False)
    save_onnx(model, tmp_path / "vit.onnx")
    save_torch_export(model, tmp_path / "vit.pt2")
    (found,) = session(tmp_path / "vit.onnx").run(["logits"], {"images": x.numpy()})
    program = torch.export.load(tmp_path / "vit.pt2").module()(x)[0]
    for other in (torch.from_numpy(found), program, to_torch_export(model).module()(x)[0]):
        torch.testing.assert_close(other, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 4])
def test_predicted_positions_for_a_given_context(files, batch):
    model, x, context = MP3(vit(), 0.5, "updated").eval(), images(batch), contexts(batch, 3)
    expected = model.predict(x, context)
    run = session(files / "mp3.onnx")
    assert run.get_inputs()[1].shape[1] == 3
    found = run.run(["logits", "loss"], {"images": x.numpy(), "context": context.numpy()})
    program = torch.export.load(files / "mp3.pt2").module()(x, context)
    for name, other, third in zip(("logits", "loss"), found, program, strict=True):
        torch.testing.assert_close(torch.from_numpy(other), getattr(expected, name), rtol=0, atol=1e-5)
        torch.testing.assert_close(third, getattr(expected, name), rtol=0, atol=1e-5)


def test_the_files_need_no_mp3lib(files):
    code = "import sys, torch; torch.export.load(sys.argv[1]).module()(torch.zeros(2, 3, 8, 12))"
    code += "; import onnxruntime; onnxruntime.InferenceSession(sys.argv[2]); assert 'mp3lib' not in sys.modules"
    command = [sys.executable, "-I", "-c", code, files / "vit.pt2", files / "vit.onnx"]
    subprocess.run(list(map(str, command)), check=True)


def test_the_context_has_the_length_of_the_masking_ratio():
    program = to_torch_export(MP3(vit(), 0.5), attention=True).module()
    found = program(images(2), contexts(2, 3))
    assert [tuple(each.shape) for each in found] == [(2, 6, 6), (2, 6), (1, 2, 2, 6, 3)]
    with pytest.raises(Exception, match="context"):
        program(images(2), contexts(2, 4))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda to: save_onnx(vit(), to / "x.bin"), "must end in .onnx, got x.bin"),
        (lambda to: save_torch_export(vit(), to / "x.pt"), "must end in .pt2, got x.pt"),
        (lambda to: save_onnx(torch.nn.Linear(2, 2), to / "x.onnx"), "must be an mp3lib MP3 or ViT"),
        (lambda to: save_onnx(vit(), to / "x.onnx", num_context=2), "num_context=2 is for an MP3"),
        (lambda to: save_onnx(MP3(vit(), 0.5), to / "x.onnx", num_context=7), "must be a whole number, 1 to 6, got 7"),
        (lambda to: save_torch_export(vit(depth=0), to / "x.pt2", attention=True), "needs layers"),
    ],
)
def test_what_cannot_be_exported_is_refused(call, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        call(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_model_that_one_file_cannot_hold_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("mp3lib.export.programs.MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="an ONNX file holds at most 2: use torch-export"):
        save_onnx(vit(), tmp_path / "x.onnx")


def test_a_program_that_differs_is_refused(monkeypatch, tmp_path):
    from mp3lib.export import programs

    class Other(programs.Program):
        def of_images(self, images):
            logits, pooled = super().of_images(images)
            return logits + (1e-3 if torch.compiler.is_exporting() else 0), pooled

    monkeypatch.setattr(programs, "Program", Other)
    with pytest.raises(ValueError, match="gives another output: it differs by 0.001"):
        save_torch_export(vit(), tmp_path / "x.pt2")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_it_says_what_to_install(package, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match="pip install onnx onnxscript onnxruntime"):
        save_onnx(vit(), tmp_path / "x.onnx")


@pytest.mark.parametrize(("save", "name"), [(save_onnx, "x.onnx"), (save_torch_export, "x.pt2")])
def test_a_file_of_somebody_else_is_kept_and_a_full_disk_named(save, name, tmp_path, full_disk):
    file = tmp_path / name
    with full_disk(), pytest.raises(OSError, match=f"^{file} could not be written .*: make room and try again$"):
        save(vit(), file)
    assert not list(tmp_path.iterdir())
    file.write_bytes(b"mine")
    with pytest.raises(ValueError, match="is no such file of mp3lib: choose another name, so that it is kept"):
        save(vit(), file)
    assert file.read_bytes() == b"mine"
    file.unlink()
    for _ in range(2):  # one of ours is replaced
        save(vit(), file)


def test_the_command_line_exports(tmp_path, capsys):
    MP3(vit(patch_norm=False), 0.5, "updated").save_pretrained(tmp_path / "mp3")
    use_classes(vit(), ["a", "b"]).save_pretrained(tmp_path / "vit")
    (tmp_path / "vit" / "run.json").write_text(json.dumps({"settings": {"pos_emb": False}}))

    def exported(weights: str, kind: str, out: str, *more: str) -> tuple[int, str, str]:
        capsys.readouterr()
        command = ["export", "--weights", str(tmp_path / weights), "--to", kind, "--out", str(tmp_path / out), *more]
        return main([*command, "--json"]), *capsys.readouterr()

    code, out, _ = exported("mp3", "timm", "timm")
    assert code == 0 and "the ViT alone" in out and (tmp_path / "timm" / "config.json").exists()
    needs = {}
    for norm in (False, True):
        use_classes(vit(patch_norm=norm), ["a", "b"]).save_pretrained(tmp_path / f"{norm}")
        code, out, told = exported(f"{norm}", "timm", f"timm-{norm}", *["--vit"] * norm)
        assert code == 0 and ("no use of --vit" in told) == norm
        needs[norm] = "to load it, import mp3lib.export.timm_vit before" in out
        made = f"timm.create_model('local-dir:{tmp_path}/timm-{norm}', pretrained=True)"
        script = f"import timm{', mp3lib.export.timm_vit' * needs[norm]}; {made}"
        assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0
    assert needs[True]
    _, _, told = exported("mp3", "torch-export", "m.pt2", "--no-pos-emb")
    assert "no use of --no-pos-emb: a model of MP3 adds no position embeddings" in told
    code, out, _ = exported("vit", "torch-export", "v.pt2")
    assert code == 0 and json.loads(out.splitlines()[-1])["difference"] < 1e-5
    with torch.no_grad():
        found = torch.export.load(tmp_path / "v.pt2").module()(images(2))[0]
        expected = ViT.from_pretrained(tmp_path / "vit")(images(2), pos_emb=False)  # as run.json says
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    for arguments, words in (
        (("vit", "vit_pytorch", "v.pt"), "always adds position embeddings, and this one is used without"),
        (("mp3", "vit_pytorch", "v.pt", "--vit"), "patch_norm=False"),
        (("vit", "timm", "t", "--attention"), "--attention is for onnx and torch-export"),
        (("vit", "onnx", "x"), "must end in .onnx"),
        (("nothing", "onnx", "x.onnx"), "there is no folder"),
    ):
        code, _, told = exported(*arguments)
        assert code == 1 and words in told and told.count("\n") == 1


def test_every_export_says_how_other_values_are_prepared(tmp_path):
    model = vit()
    model.value_range = (0.0, 4095.0)
    save_onnx(model, tmp_path / "vit.onnx")
    save_torch_export(model, tmp_path / "vit.pt2")
    save_vit_pytorch(vit(), tmp_path / "usual.pt")
    save_timm(model, tmp_path / "timm")
    held = {"mp3lib.json": ""}
    torch.export.load(tmp_path / "vit.pt2", extra_files=held)
    for about in (session(tmp_path / "vit.onnx").get_modelmeta().custom_metadata_map, json.loads(held["mp3lib.json"])):
        assert json.loads(about["value_range"]) == [0, 4095]
        assert "LOW = 0 to HIGH = 4095" in about["images"] and "255" not in about["images"]
    assert torch.load(tmp_path / "usual.pt")["value_range"] is None
    save_vit_pytorch(model, tmp_path / "usual.pt")
    assert torch.load(tmp_path / "usual.pt")["value_range"] == (0, 4095)
    assert json.loads((tmp_path / "timm" / "config.json").read_text())["value_range"] == [0, 4095]
    theirs = timm.create_model(f"local-dir:{tmp_path / 'timm'}", pretrained=True)
    for loaded in (theirs, to_timm(model)):
        assert "HIGH = 4095" in loaded.pretrained_cfg["description"]
