"""The package ``studies``: its command line, the trainings that it starts, and what the notebooks show."""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from filelock import FileLock

from mp3lib import MP3, ViT, load_images
from mp3lib.cli import parser
from mp3lib.data import Split
from mp3lib.evaluate import frozen_features, knn_top1, linear_top1
from mp3lib.json_files import write_json
from mp3lib.model import load_mp3, load_vit
from mp3lib.train import pretrain, read_metrics, read_run
from studies import layers, more_scenes, plan, ship, stages, train
from studies.__main__ import main
from studies.pages import SHOWN
from studies.runs import RESULTS, log_kept

ROOT = Path(__file__).resolve().parents[1]


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], ["train"], ["stages"], ["ship"], ["cues"], ["layers"], ["table"]])
def test_help_does_not_wait_for_pytorch(command):
    code = (
        f"import sys; from studies.__main__ import main\ntry: main([*{command}, '--help'])\n"
        "except SystemExit: sys.exit('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0 and "usage: python -m studies" in answer.stdout


def test_runs_are_listed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(plan, "RUNS", tmp_path)
    write_json(tmp_path / "cues" / "grey" / "seed-0" / "scores.json", {})
    assert main(["train", "cues", "further/ratio-0.25", "--list"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "done cues/grey/seed-0" in told and "left cues/gap-1/seed-2" in told
    assert told[-1] == "left further/ratio-0.25/seed-0" and len(told) == 17


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "kues"], "no run's name begins with kues; there are pretraining, rates, "),
        (["stages", "flag-ship"], "no stage is named or begins with flag-ship; there are pupil-4x4"),
        (["ship", "nowhere"], "nowhere holds no metrics.jsonl"),
        (["cues", "nobody"], "no weights named 'nobody'"),
        (["cues", "classifier-8x8"], "classifier-8x8 predicts classes, not positions"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(arguments, said, capsys):
    assert main(arguments) == 1
    assert said in capsys.readouterr().err


# --- training again without losing a log ------------------------------------------------------------------------------


def test_an_old_log_is_kept_until_the_new_training_has_finished(tmp_path):
    folder, before = tmp_path / "seed-0", tmp_path / ".seed-0.before"
    folder.mkdir()
    (folder / "metrics.jsonl").write_text("old")
    for left in ([], ["run.json"], ["run.json", "checkpoint-1"], ["run.json", "checkpoint-1"]):
        with pytest.raises(KeyboardInterrupt), log_kept(folder):
            there = [path.name for path in folder.glob("*")]
            assert there == [] or "checkpoint-1" in there  # begun anew, or going on
            folder.mkdir(exist_ok=True)
            for name in left:
                (folder / name).touch()
            raise KeyboardInterrupt
        assert (before / "metrics.jsonl").read_text() == "old"
    with log_kept(folder):
        assert (folder / "checkpoint-1").exists()
    assert folder.exists() and not before.exists()


def test_a_run_that_another_process_trains_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "RUNS", tmp_path)
    run, begun = plan.all_runs()["ratio/0.75/seed-0"], threading.Event()
    monkeypatch.setattr(train, "train_alone", lambda *_: begun.set())
    with FileLock(tmp_path / "ratio" / "0.75" / ".seed-0.lock"):
        waiting = threading.Thread(target=train.train, args=(run, {}, None))
        waiting.start()
        assert not begun.wait(0.3)
    waiting.join(5)
    assert begun.is_set()


def test_a_run_trains_again_the_one_that_it_starts_from_if_only_its_log_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "RUNS", tmp_path)
    runs, trained = plan.all_runs(), []
    start, run = runs["pretraining/10-epochs/seed-0"], runs["rates/mp3-0.001-pos/seed-0"]

    def training(which: plan.Run, images, settings: dict) -> dict:
        trained.append((which.name, which.folder.exists()))
        if len(trained) == 1:
            raise KeyboardInterrupt
        which.folder.mkdir()
        (which.folder / "model.safetensors").touch()
        return {"new": True}

    class Pictures:
        name = source = fingerprint = "x"

    monkeypatch.setattr(train, "pretext", training)
    monkeypatch.setattr(train, "supervised", training)
    write_json(start.folder / "scores.json", {"old": True})
    train.train(start, runs, Pictures)
    assert trained == []  # done, and nobody asks for its weights
    with pytest.raises(KeyboardInterrupt):
        train.train(run, runs, Pictures)
    assert (start.folder.parent / ".seed-0.before" / "scores.json").exists()
    train.train(run, runs, Pictures)
    assert trained == [(start.name, False), (start.name, False), (run.name, False)]
    assert start.done and run.done and not (start.folder.parent / ".seed-0.before").exists()
    assert (start.folder / "model.safetensors").exists() and not (run.folder / "model.safetensors").exists()
    train.train(run, runs, Pictures)
    assert len(trained) == 3


def test_weights_that_the_flagship_has_to_make_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "RUNS", tmp_path)
    runs = plan.all_runs()
    with pytest.raises(FileNotFoundError, match="python -m studies stages flagship-8x8-second"):
        train.train(runs["further/as-before/seed-0"], runs, None)


def test_commands_of_the_stages_are_understood_and_follow_each_other():
    there: set[str] = set()
    for name, command in stages.STAGES.items():
        args = parser().parse_args([*command.split(), "--out", str(stages.RUNS / name)])
        before = getattr(args, "start", None) or getattr(args, "weights", None)
        assert before in (None, "none", *there)
        there.add(f"{stages.RUNS}/{args.out.name}")
    assert stages.chosen([]) == [*stages.STAGES]
    assert stages.chosen(["scratch-6x6", "classifier-8x8"]) == ["classifier-8x8", "scratch-6x6"]
    assert stages.chosen(["scratch", "flagship-4"])[:2] == ["flagship-4x4", "scratch-6x6"]
    with pytest.raises(ValueError, match="begins with flag-ship; there are pupil-4x4"):
        stages.chosen(["scratch", "flag-ship"])


def test_the_commands_of_stages_are_listed_and_nothing_is_trained(monkeypatch, capsys):
    monkeypatch.setattr(stages, "train", lambda name: pytest.fail("trained"))
    assert main(["stages", "--list", "pupil-scenes", "flagship"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[0] == f"pupil-scenes: python -m mp3lib {stages.STAGES['pupil-scenes']} --out results/runs/pupil-scenes"


@pytest.mark.parametrize("name", [name for name in stages.STAGES if (RESULTS / "runs" / name / "run.json").exists()])
def test_a_stored_run_was_trained_by_the_command_of_its_stage(name):
    args = vars(parser().parse_args([*stages.STAGES[name].split(), "--out", "x"]))
    about = read_run(RESULTS / "runs" / name)
    settings = about["settings"]
    asked = {key: args.get(key) for key in ("epochs", "batch_size", "lr", "crop_area", "query_fraction")}
    asked |= {"crop_area": list(args["crop_area"])}
    asked = {key: value for key, value in asked.items() if value is not None}
    assert len(asked) >= 3 and asked == {key: settings[key] for key in asked}
    assert Path(args["data"]).stem == about["data"]
    if ratios := args.get("mask_ratio"):
        assert ratios == settings.get("mask_ratios", [settings["mask_ratio"]])


def test_a_stage_trains_what_it_starts_from_and_keeps_what_is_there(tmp_path, monkeypatch):
    commands = {"a": "pretrain", "b": "pretrain --start runs/a", "c": "finetune --weights runs/b"}
    monkeypatch.setattr(stages, "STAGES", commands)
    monkeypatch.setattr(stages, "RUNS", tmp_path)
    trained, code = [], 1

    def command_line(args: list[str]) -> int:
        folder = Path(args[-1])
        trained.append((folder.name, sorted(path.name for path in folder.glob("*"))))
        folder.mkdir(exist_ok=True)
        if not code:
            (folder / "model.safetensors").touch()
        return code

    monkeypatch.setattr(stages, "command_line", command_line)
    for name, file in {"a": "model.safetensors", "b": "run.json", "c": "checkpoint-7"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).touch()
    with pytest.raises(SystemExit):
        stages.train("c")
    assert trained == [("b", [])] and (tmp_path / ".b.before" / "run.json").exists()
    code = 0
    stages.train("c")
    assert trained[1:] == [("b", []), ("c", ["checkpoint-7"])]  # b's log alone is of no use, c goes on, a is done
    assert not (tmp_path / ".b.before").exists()
    stages.train("c")
    assert len(trained) == 3


def test_more_scenes_have_other_training_images_and_the_same_test_images(tmp_path):
    more_scenes.make(file := tmp_path / "more.safetensors", train=200, test=100)
    more, scenes = load_images(file), load_images("scenes")
    assert (more.name, len(more.train), len(more.test)) == (more_scenes.NAME, 200, 100)
    trained_on, test = ({image.numpy().tobytes() for image in part.images} for part in (more.train, more.test))
    assert test == {image.numpy().tobytes() for image in scenes.test.images[:100]}
    assert len(trained_on) == 200 and not trained_on & {
        image.numpy().tobytes() for part in (scenes.train, scenes.test) for image in part.images
    }
    measured = more_scenes.measured_on({"data": more_scenes.NAME}, 32)
    assert measured.fingerprint == scenes.fingerprint


# --- what the notebooks show ------------------------------------------------------------------------------------------


def test_what_the_notebooks_show_can_be_made_without_runs(tmp_path):
    for name, made in SHOWN.items():
        content = made(tmp_path)
        assert isinstance(content, str) == name.endswith(".md")


# --- layer by layer ---------------------------------------------------------------------------------------------------


def test_every_layer_is_probed_on_images_that_the_probe_has_not_seen(tmp_path, monkeypatch, capsys):
    scenes = load_images("scenes")
    train, test = scenes.train, scenes.test
    images = replace(
        scenes, train=Split(train.images[:200], train.labels[:200]), test=Split(test.images[:50], test.labels[:50])
    )
    monkeypatch.setattr(layers, "measured_on", lambda about, size: images)
    monkeypatch.setattr(layers, "RESULTS", tmp_path)
    assert main(["layers", "pupil-scenes", "random"]) == 0
    pupil, control = (json.loads((tmp_path / "layers" / f"{n}.json").read_text()) for n in ("pupil-scenes", "random"))
    assert [(one["layer"], one["positions"]) for one in pupil["layers"]] == [
        *((layer, "with") for layer in (1, 2, 3, 4)),
        *((layer, "without") for layer in (1, 2, 3, 4)),
    ]
    third = pupil["layers"][6]
    x, z = (
        frozen_features(load_vit("pupil-scenes"), p.images, pos_emb=False, layer=3) for p in (images.train, images.test)
    )
    y = images.train.labels
    assert third["knn"] == knn_top1(x[:180], y[:180], z, images.test.labels)
    assert third["linear"] == linear_top1(x[:180], y[:180], z, images.test.labels)
    assert third["kept_apart"] == linear_top1(x[:180], y[:180], x[180:], y[180:])
    assert control["layers"][6]["linear"] < third["linear"]
    assert main(["layers", "nobody"]) == 1 and "nobody" in capsys.readouterr().err


# --- shipping ---------------------------------------------------------------------------------------------------------


def test_a_run_that_ended_by_patience_is_shipped_whole_or_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "FOLDER", tmp_path / "weights")
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (8, 3, 8, 8), dtype=torch.uint8, generator=draw)
    split = Split(images, torch.arange(8) % 2)
    monkeypatch.setattr(ship, "measured_on", lambda *args: SimpleNamespace(test=split))
    mp3 = MP3(ViT(num_classes=2, image_size=8, patch_size=4, dim=8, depth=1, heads=1, mlp_dim=8), 0.5)
    options = {"lr": 1e-9, "batch_size": 8, "precision": "float32", "progress": False, "about": {"data": "mine"}}
    pretrain(mp3, images, epochs=9, patience=1, eval_images=images, out=tmp_path / "mine", **options)
    assert len(read_metrics(tmp_path / "mine")) < 9

    def fails(*args, **options) -> dict:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ship, "position_accuracy", fails)
        ship.main(tmp_path / "mine")
    assert not [*(tmp_path / "weights").iterdir()]
    ship.main(tmp_path / "mine")
    shipped = tmp_path / "weights" / "mine"
    assert {file.name for file in shipped.iterdir()} == {*ship.FILES, ship.CARD}
    assert "# mine\n" in (shipped / ship.CARD).read_text()
    assert len({file.stat().st_mode for file in shipped.iterdir()}) == 1
    pairs = zip(load_mp3(shipped).parameters(), mp3.parameters(), strict=True)
    assert all(torch.allclose(half, trained, atol=1e-3) for half, trained in pairs)
