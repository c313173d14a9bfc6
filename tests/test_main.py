"""The command line, as a reader types it."""

from __future__ import annotations

import json
import re
import shutil

import pyarrow
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import Image
from set_makers import noise_pictures, png

from mp3lib import MP3, ViT, load_images
from mp3lib.__main__ import COMMANDS, main, parser
from mp3lib.arguments import MOST, seed_number
from mp3lib.cli import RECIPES
from mp3lib.evaluate import top1_accuracy
from mp3lib.model import load_model, load_mp3, use_classes
from mp3lib.train import read_metrics, read_run
from mp3lib.train.checkpoint import checkpoints
from studies.plan import FINETUNE_LR, SCRATCH_LR


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No data but what a test gives, and no way to download any."""
    monkeypatch.setenv("MP3_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MP3_DATA", raising=False)
    monkeypatch.setattr("mp3lib.data.sources.download.chain", lambda: [])


def test_data_fetch_without_any_source_says_what_to_do(capsys):
    assert main(["data", "fetch"]) == 1
    assert "CIFAR-10 could not be downloaded" in (error := capsys.readouterr().err)
    assert "MP3_DATA" in error and "Traceback" not in error


def test_data_status_and_clear(capsys, tmp_path):
    assert main(["data", "status"]) == 0
    assert "no CIFAR-10" in capsys.readouterr().out
    (tmp_path / "mine").mkdir()
    for number in range(3):
        Image.new("RGB", (32, 32), (number, 0, 99)).save(tmp_path / "mine" / f"{number}.png")
    load_images(tmp_path / "mine")
    (ours,) = (tmp_path / "cache").glob("images-*.safetensors")
    theirs = tmp_path / "cache" / "images-abc.safetensors"
    theirs.write_bytes(b"x")
    capsys.readouterr()
    assert main(["data", "clear"]) == 0
    assert f"removed {ours}" in capsys.readouterr().out
    assert theirs.exists() and not ours.exists()


def test_a_path_that_is_not_there_is_named(capsys, tmp_path):
    assert main(["pretrain", "--out", str(tmp_path / "run"), "--data", str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert main(["evaluate", "--weights", str(tmp_path / "gone"), "--data", "scenes"]) == 1
    assert f"there is no folder {tmp_path / 'gone'}" in capsys.readouterr().err


def test_every_command_and_option_is_documented(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit) as ended:
            parser().parse_args([command, "--help"])
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: python -m mp3lib {command} ")
    assert [*parser().commands] == [*COMMANDS]
    for name, command in parser().commands.items():
        assert all(option.help for option in command.options), name
        listed = {word for line in command.format_help().splitlines() for word in re.findall(r"^  (-[\w-]+)", line)}
        assert listed - {"-h"} == {option.option_strings[0] for option in command.options if option.option_strings}


@pytest.mark.parametrize(("option", "value"), [("--epochs", "0"), ("--limit", "-3"), ("--eval-every", "-1")])
def test_numbers_are_checked(option, value, capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["pretrain", "--out", str(tmp_path), option, value])
    assert f"got {value}" in capsys.readouterr().err


def test_a_seed_may_be_as_large_as_in_the_library(capsys, tmp_path):
    command = ["pretrain", "--out", str(tmp_path), "--seed"]
    assert parser().parse_args([*command, str(MOST - 1)]).seed == seed_number(MOST - 1)
    with pytest.raises(SystemExit):
        parser().parse_args([*command, str(MOST)])
    assert f"must be 0 to {MOST - 1}" in capsys.readouterr().err


def test_a_run_can_start_from_one_on_smaller_pictures(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    for number in range(20):
        Image.new("RGB", (16, 16), (10 * number, 0, 99)).save(tmp_path / "mine" / f"{number}.png")
    data = ["--data", str(tmp_path / "mine"), "--epochs", "1", "--batch-size", "9"]
    shape = "--patch-size 4 --dim 16 --depth 1 --heads 1 --mlp-dim 16 --no-patch-norm --size 8".split()
    assert main(["pretrain", *data, *shape, "--out", str(tmp_path / "small")]) == 0
    still = "--size 16 --mask-ratio 0.5 --lr 1e-12".split()
    assert main(["pretrain", *data, *still, "--start", str(tmp_path / "small"), "--out", str(tmp_path / "large")]) == 0
    small, grown = (MP3.from_pretrained(tmp_path / name) for name in ("small", "large"))
    assert (grown.vit.grid, grown.vit.dim, grown.masking_ratio) == ((4, 4), 16, 0.5)
    assert isinstance(grown.vit.to_patch_embedding[1], torch.nn.Identity)
    torch.testing.assert_close(grown.vit.state_dict(), small.vit.state_dict())
    torch.testing.assert_close(grown.mlp_head[1].bias[[0, 3, 12, 15]], small.mlp_head[1].bias)  # the corners
    assert (tmp_path / "small").as_posix() in (tmp_path / "large" / "run.json").read_text()

    def error(*more: str) -> str:
        capsys.readouterr()
        assert main(["pretrain", *data, *still, "--out", str(tmp_path / "large"), *more]) == 1
        return capsys.readouterr().err

    shutil.copytree(tmp_path / "small", tmp_path / "other")
    assert "start '" in error("--start", str(tmp_path / "other"), "--resume")  # not the start of that run
    told = error("--start", str(tmp_path / "small"), "--patch-size", "8", "--dim", "16", "--heads", "2")
    assert "--patch-size 8 (theirs: 4), --heads 2 (theirs: 1)" in told and "--dim" not in told
    assert f"there is no folder {tmp_path / 'nowhere'}" in error("--start", str(tmp_path / "nowhere"))
    load_mp3(tmp_path / "small").vit.save_pretrained(tmp_path / "vit")
    assert "without a position classifier" in error("--start", str(tmp_path / "vit"))


def test_a_classifier_is_evaluated_by_its_classes(tmp_path, capsys):
    images = load_images("scenes")
    vit = ViT(num_classes=10, image_size=32, patch_size=8, dim=16, depth=1, heads=1, mlp_dim=16)
    vit.save_pretrained(tmp_path / "ten")
    assert main(["evaluate", "--weights", str(tmp_path / "ten"), "--data", "scenes", "--json", "--no-pos-emb"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["top1"] == pytest.approx(top1_accuracy(vit, images.test.images, images.test.labels, pos_emb=False))
    assert sum(c["images"] for c in figures["classes"].values()) == figures["images"] == len(images.test)
    assert tuple(figures["classes"]) == images.classes and figures["pos_emb"] is False
    use_classes(vit, 3).save_pretrained(tmp_path / "three")
    assert main(["evaluate", "--weights", str(tmp_path / "three"), "--data", "scenes"]) == 1
    assert (
        "three tells 3 classes apart, whose names it does not hold; scenes has 10: balloon" in capsys.readouterr().err
    )


def test_classes_are_compared_by_name(tmp_path, capsys):
    def pictures(name: str, classes: dict[str, int]) -> str:
        for label, brightness in classes.items():
            for number in range(20):
                (folder := tmp_path / name / label).mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (16, 16), (brightness, 99, number)).save(folder / f"{number}.png")
        return str(tmp_path / name)

    def evaluated(data: str) -> tuple[int, str, str]:
        code = main(["evaluate", "--data", data, "--weights", str(tmp_path / "run"), "--json"])
        return code, *capsys.readouterr()

    shape = "--patch-size 4 --dim 16 --depth 1 --heads 1 --mlp-dim 16 --precision float32 --size 16".split()
    fine = [*shape, "--epochs", "20", "--batch-size", "12", "--lr", "3e-3", "--eval-every", "0", "--weights", "none"]
    three = pictures("three", {"a": 0, "b": 120, "c": 250})
    assert main(["finetune", "--data", three, *fine, "--out", str(tmp_path / "run")]) == 0
    assert load_model(tmp_path / "run").classes == ("a", "b", "c")
    assert read_run(tmp_path / "run")["classes"] == ["a", "b", "c"]
    capsys.readouterr()
    code, out, _ = evaluated(three)
    assert code == 0 and json.loads(out.splitlines()[-1])["top1"] == 1.0
    code, out, _ = evaluated(pictures("two", {"b": 120, "c": 250}))  # fewer classes, with other numbers
    assert code == 0 and json.loads(out.splitlines()[-1])["top1"] == 1.0
    code, _, err = evaluated(pictures("other", {"b": 120, "c": 250, "d": 0}))
    assert code == 1 and "does not have d among its classes (a, b, c)" in err and "case" not in err
    code, _, err = evaluated(pictures("capitals", {"A": 0, "b": 120, "C": 250}))
    assert code == 1 and "(a, b, c)" in err and "they differ from those in upper and lower case alone" in err


def test_weights_that_do_not_fit_or_are_cut_off_say_so(tmp_path, capsys):
    vit = ViT(num_classes=10, image_size=32, patch_size=8, dim=16, depth=1, heads=1, mlp_dim=16)
    vit.save_pretrained(tmp_path / "whole")
    for name in ("cut", "other"):
        shutil.copytree(tmp_path / "whole", tmp_path / name)
    file = tmp_path / "cut" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    config = tmp_path / "other" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dim": 32}))
    for name in ("cut", "other"):
        for command in (["evaluate"], ["probe"], ["finetune", "--out", str(tmp_path / "out")]):
            assert main([*command, "--weights", str(tmp_path / name), "--data", "scenes"]) == 1
            told = capsys.readouterr().err
            assert f"ValueError: model.safetensors in {tmp_path / name} cannot be read, or does not fit" in told
    assert not (tmp_path / "out").exists()


def test_every_command_tells_json(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("MP3_CACHE", str(tmp_path))
    for command, key in (
        (["data", "status"], "status"),
        (["data", "clear"], "clear"),
    ):
        capsys.readouterr()
        assert main([*command, "--json"]) == 0
        assert set(json.loads(capsys.readouterr().out.splitlines()[-1])) == {key}
    for name, command in parser().commands.items():
        assert any("--json" in option.option_strings for option in command.options), name


def test_weights_bring_their_size_their_head_and_their_positions(tmp_path, capsys):
    for number in range(40):
        (folder := tmp_path / "mine" / f"class {number % 2}").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (255 * (number % 2), 99, number)).save(folder / f"{number}.png")
    data = ["--data", str(tmp_path / "mine"), "--batch-size", "12"]
    shape = "--patch-size 4 --dim 16 --depth 1 --heads 1 --mlp-dim 16 --precision float32".split()
    start = [
        "--size",
        "8",
        "--context",
        "frozen",
        "--mask-ratio",
        "0.5",
        "--epochs",
        "1",
        "--out",
        str(tmp_path / "mp3"),
    ]
    assert main(["pretrain", *data, *shape, *start]) == 0
    again = ["--start", str(tmp_path / "mp3"), "--epochs", "1", "--out", str(tmp_path / "again")]
    assert main(["pretrain", *data, *again]) == 0
    mp3 = load_mp3(tmp_path / "again")
    assert (mp3.vit.image_size, mp3.context, mp3.masking_ratio) == ((8, 8), "frozen", 0.5)

    both = ["--epochs", "1", "--out", str(tmp_path / "drawn"), "--mask-ratio", "0.25", "0.5"]
    assert main(["pretrain", *data, "--start", str(tmp_path / "mp3"), *both]) == 0
    assert load_mp3(tmp_path / "drawn").masking_ratio == 0.375
    assert read_run(tmp_path / "drawn")["settings"]["mask_ratios"] == [0.25, 0.5]
    from_checkpoint = ["--start", str(checkpoints(tmp_path / "drawn")[0])]
    for name, ratio in (("on", []), ("fixed", ["--mask-ratio", "0.5"]), ("checkpoint", [])):  # unless told otherwise
        begin = from_checkpoint if name == "checkpoint" else ["--start", str(tmp_path / "drawn")]
        assert main(["pretrain", *data, *begin, "--epochs", "1", "--out", str(tmp_path / name), *ratio]) == 0
        assert read_run(tmp_path / name)["settings"].get("mask_ratios") == (None if ratio else [0.25, 0.5])
    assert main(["pretrain", *data, *both, "0.75"]) == 1
    assert "one ratio, or the lowest and the highest, got [0.25, 0.5, 0.75]" in capsys.readouterr().err

    fine = ["--weights", str(tmp_path / "again"), "--size", "16", "--epochs", "20", "--lr", "3e-3", "--no-pos-emb"]
    assert main(["finetune", *data, *fine, "--out", str(tmp_path / "fine"), "--eval-every", "20"]) == 0
    first = load_model(tmp_path / "fine")
    assert first.image_size == (16, 16) and "head is kept" not in capsys.readouterr().out
    more = ["--weights", str(tmp_path / "fine"), "--epochs", "1", "--lr", "1e-9", "--no-pos-emb"]
    assert main(["finetune", *data, *more, "--out", str(tmp_path / "more")]) == 0
    assert "its head is kept" in capsys.readouterr().out
    assert torch.allclose(load_model(tmp_path / "more").linear_head[1].weight, first.linear_head[1].weight, atol=1e-6)
    other = load_model(tmp_path / "fine")
    other.classes = tuple(f"of another set {i}" for i in range(other.num_classes))
    other.save_pretrained(tmp_path / "other")
    less = ["--weights", str(tmp_path / "other"), "--epochs", "1", "--out", str(tmp_path / "less")]
    assert main(["finetune", *data, *less]) == 0
    assert "tells other classes apart (of another set 0" in capsys.readouterr().out
    for folder in (tmp_path / "fine", checkpoints(tmp_path / "fine")[0]):
        assert main(["evaluate", "--data", str(tmp_path / "mine"), "--weights", str(folder), "--json"]) == 0
        figures = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert figures["pos_emb"] is False and figures["top1"] == read_metrics(tmp_path / "fine")[-1]["test_top1"]


def test_classes_that_a_limit_leaves_out_are_named(tmp_path, capsys):
    pictures = [{"bytes": png(i)} for i in range(60)]
    rows = {"image": pictures, "label": [name for name in ("moss", "bark", "leaf") for _ in range(20)]}
    parquet.write_table(pyarrow.table(rows), tmp_path / "x.parquet")
    train = f"finetune --data {tmp_path / 'x.parquet'} --size 8 --patch-size 4 --dim 16 --depth 1 --heads 1".split()
    train += "--mlp-dim 16 --weights none --epochs 1".split()
    for limit, named in (("30", True), ("54", False)):
        assert main([*train, "--limit", limit, "--out", str(tmp_path / limit)]) == 0
        words = f"note: x: the first {limit} training images (--limit) have none of the class leaf\n"
        assert (words in capsys.readouterr().err) == named
    assert main(["probe", *train[1:5], "--weights", str(tmp_path / "54"), "--limit", "30"]) == 0
    assert "have none of the class leaf" in capsys.readouterr().err


@pytest.mark.parametrize("recipe", ["best", "reference"])
def test_a_recipe_gives_what_no_option_says(recipe, tmp_path, capsys):
    shape = "--data scenes --limit 300 --epochs 1 --eval-every 0 --dim 16 --depth 1 --heads 1 --mlp-dim 16".split()
    out = tmp_path / "run"
    assert main(["pretrain", *shape, "--recipe", recipe, "--out", str(out)]) == 0
    settings = json.loads((out / "run.json").read_text())["settings"]
    expected = dict(RECIPES[recipe])
    assert settings["model"]["vit"]["patch_norm"] is expected.pop("patch_norm")
    assert [settings["mask_ratio"]] == expected.pop("mask_ratio")
    precision = expected.pop("precision")
    assert settings["precision"] == precision or precision == "auto"
    assert {name: settings[name] for name in expected} == expected
    # a single option wins; weights to begin with keep their own shape, ratio and context
    more = ["--start", str(out), "--batch-size", "50", "--out", str(tmp_path / "more"), *shape[:6]]
    assert main(["pretrain", *more]) == 0
    after = json.loads((tmp_path / "more" / "run.json").read_text())["settings"]
    assert after["batch_size"] == 50 and after["model"] == settings["model"]
    assert after["context"] == settings["context"] and after["query_fraction"] == RECIPES["best"]["query_fraction"]


def test_a_model_from_scratch_has_the_shape_of_a_pretrained_one_and_its_own_rate(tmp_path, capsys):
    shape = "--data scenes --limit 300 --epochs 1 --eval-every 0 --dim 16 --depth 1 --heads 1 --mlp-dim 16".split()
    assert main(["pretrain", *shape, "--out", str(tmp_path / "mp3")]) == 0
    rates = {}
    for name, more in {
        "scratch": ["--weights", "none"],
        "adamw": ["--weights", "none", "--optimizer", "adamw"],
        "fine": ["--weights", str(tmp_path / "mp3")],
    }.items():
        assert main(["finetune", *shape, *more, "--out", str(tmp_path / name)]) == 0
        rates[name] = read_run(tmp_path / name)["settings"]["lr"]
    assert rates == {"scratch": SCRATCH_LR, "adamw": 5e-4, "fine": FINETUNE_LR}
    classes = {"classes": [*load_images("scenes").classes]}
    assert load_model(tmp_path / "scratch").config == load_mp3(tmp_path / "mp3").vit.config | classes
    assert "patches of 8 pixels, lr 0.008\n" in capsys.readouterr().out


def test_commands_that_use_weights_use_the_gpu(tmp_path, monkeypatch):
    """Without one here: what is moved is recorded, and stays."""
    vit = ViT(num_classes=10, image_size=32, patch_size=16, dim=8, depth=1, heads=1, mlp_dim=8)
    MP3(vit, 0.5).save_pretrained(tmp_path / "mp3")
    moved = []
    monkeypatch.setattr("mp3lib.cli.training.device", lambda: "cuda")
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, device: moved.append((type(self), device)) or self)
    use = ["--data", "scenes", "--limit", "100", "--weights", str(tmp_path / "mp3")]
    for command, models in (
        (["evaluate", "--floor-epochs", "0", "--mask-ratios", "0"], [MP3]),
        (["probe"], [ViT, ViT]),
        (["embed", "--out", str(tmp_path / "x.npz")], [ViT]),
    ):
        moved.clear()
        assert main([*command, *use]) == 0
        assert moved == [(model, "cuda") for model in models], command


@pytest.fixture
def pretrained(tmp_path, monkeypatch, own_cache):
    """A command of a pretraining, finished in ``made/here/run``, on a set whose test pictures have a further class."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("train/a", "train/b", "test/a", "test/b", "test/c")):
        noise_pictures(tmp_path / "set" / name, 12 - 8 * (number > 1), (8, 8))
    shape = ["--size", "8", "--patch-size", "4", "--dim", "16", "--depth", "1", "--heads", "1", "--mlp-dim", "16"]
    command = ["pretrain", "--data", "set", *shape, "--batch-size", "8", "--eval-every", "0", "--precision", "float32"]
    command += ["--schedule", "constant", "--epochs", "1", "--out", "made/here/run"]
    assert main(command) == 0
    return command


def test_what_a_command_makes_and_does_not_use_is_told(pretrained, tmp_path, capsys, monkeypatch):
    capsys.readouterr()
    assert main([*pretrained[:-1], "new/there/run", "--workers", "2"]) == 0
    told = capsys.readouterr().err
    assert f"note: made the missing folders {tmp_path / 'new'}, {tmp_path / 'new/there'}\n" in told
    assert "note: set: workers=2 (--workers) changes nothing, because the set is not streamed" in told
    assert main(["probe", "--data", "set", "--weights", "made/here/run"]) == 0
    told = capsys.readouterr().err
    assert told.count("they count as wrong") == 1 and "4 of 12 test images are of the class c, which no" in told
    monkeypatch.setenv("MP3_CACHE", str(tmp_path / "set/train/a/000.png"))
    assert main(["probe", "--data", "set", "--weights", "made/here/run", "--in-memory"]) == 0
    assert "the decoded set is not kept in" in capsys.readouterr().err


def test_options_that_change_nothing_are_told(pretrained, capsys):
    fine = ["finetune", "--data", "set", "--weights", "made/here/run", "--epochs", "1", "--eval-every", "0"]
    assert main([*fine, "--batch-size", "8", "--precision", "float32", "--out", "tuned"]) == 0
    capsys.readouterr()
    for options in (["--mask-ratios", "0.5"], ["--floor-epochs", "3"], ["--limit", "3"], ["--seed", "3"]):
        assert main(["evaluate", "--data", "set", "--weights", "tuned", *options]) == 0
        assert f"note: no use of {options[0]}: of a classifier" in capsys.readouterr().err
    floor = ["--floor-epochs", "0", "--limit", "3"]
    assert main(["evaluate", "--data", "set", "--weights", "made/here/run", *floor]) == 0
    assert "note: no use of --limit: it is for the training images of the patch-only floor" in capsys.readouterr().err
    assert main(["evaluate", "--data", "set", "--weights", "made/here/run", *floor[:2], "--no-pos-emb"]) == 0
    assert "note: no use of --no-pos-emb: a model of MP3 adds no position" in capsys.readouterr().err
    assert main(["evaluate", "--data", "set", "--weights", "tuned"]) == 0
    assert "no use of" not in capsys.readouterr().err


def test_a_resumed_run_names_arguments_once(pretrained, capsys):
    for options, told in (
        (["--no-flip"], "flip True then, False now (--no-flip)"),
        (["--stream", "--workers", "0"], "stream False then, True now (--stream)"),
        (["--context", "frozen"], "context 'updated' then, 'frozen' now"),
    ):
        assert main([*pretrained[:-3], "2", *pretrained[-2:], "--resume", *options]) == 1
        assert f"with other settings: {told}. Use" in capsys.readouterr().err
