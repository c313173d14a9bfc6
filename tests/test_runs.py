"""Run folders side by side: finished, running, stopped, empty and damaged ones."""

from __future__ import annotations

import csv
import gc
import json
import shutil

import pytest
import torch
from filelock import FileLock
from PIL import Image

from mp3lib import MP3, ViT
from mp3lib.__main__ import main
from mp3lib.train import finetune, pretrain, read_metrics, read_run

IMAGES = torch.randint(0, 256, (24, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
SHAPE = dict(num_classes=2, image_size=8, patch_size=4, dim=8, depth=1, heads=1, mlp_dim=8)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A pretraining that was resumed with more epochs, another one, and a fine-tuning."""
    folder = tmp_path_factory.mktemp("runs")
    quick = dict(batch_size=8, precision="float32", progress=False, eval_images=IMAGES)
    mp3 = MP3(ViT(**SHAPE), 0.5, "updated")
    for more in (dict(epochs=1), dict(epochs=2, resume=True)):
        pretrain(mp3, IMAGES, out=folder / "one", schedule="constant", **quick, **more)
    pretrain(mp3, IMAGES, out=folder / "two", epochs=3, lr=1e-3, eval_every=2, about={"data": "mine"}, **quick)
    labels = torch.arange(24) % 2
    finetune(mp3.vit, IMAGES, labels, out=folder / "fine", epochs=1, eval_labels=labels, **quick)
    return folder


@pytest.fixture
def runs(made, tmp_path):
    return shutil.copytree(made, tmp_path / "runs")


def compared(capsys, *arguments) -> tuple[dict, str]:
    capsys.readouterr()
    assert main(["runs", *map(str, arguments), "--json"]) == 0
    text, _, figures = capsys.readouterr().out.strip().rpartition("\n")
    return json.loads(figures), text


def test_settings_that_differ_and_what_came_out(runs, capsys):
    figures, text = compared(capsys, runs / "one", runs / "two")
    one, two = figures["runs"]
    assert one["state"] == two["state"] == "finished" and one["epochs"] == [2, 2] and two["epochs"] == [3, 3]
    lines = read_metrics(runs / "two")
    tested = [sum(line["test_accuracy"].values()) / 3 for line in lines if "test_accuracy" in line]
    assert two["test"] == pytest.approx(tested[-1]) and two["best"]["test"] == pytest.approx(max(tested))
    assert two["loss"] == lines[-1]["loss"] and two["seconds"] == pytest.approx(sum(li["seconds"] for li in lines))
    assert figures["settings"] == {
        "epochs": [2, 3],
        "lr": [0.002, 0.001],
        "schedule": ["constant", "cosine"],
        "data": [None, "mine"],
    }
    rows = [line.split() for line in text.splitlines()]
    assert rows[0][:3] == ["run", "state", "epochs"] and rows[1][:4] == ["one", "finished", "2", "of"]
    assert ["lr", "0.002", "0.001"] in rows
    settings = compared(capsys, runs / "two", runs / "fine")[0]["settings"]
    assert settings["task"] == ["pretrain", "finetune"]
    assert not {*SHAPE} & {*settings}, "both networks have one shape"


@pytest.mark.filterwarnings("error::ResourceWarning", "error::pytest.PytestUnraisableExceptionWarning")
def test_a_table_that_is_replaced_is_closed_again(runs, tmp_path, capsys):
    for _ in range(2):
        compared(capsys, runs / "one", "--csv", tmp_path / "a.csv")
    gc.collect()


def test_one_picture_and_one_table(runs, tmp_path, capsys):
    for kind in (".png", ".svg", ".pdf", ".png", ".svg", ".pdf"):  # its own files are replaced
        compared(capsys, runs, "--plot", tmp_path / f"a{kind}", "--csv", tmp_path / "a.csv")
    assert Image.open(tmp_path / "a.png").size[1] > 1500, "four panels"
    svg = (tmp_path / "a.svg").read_text()
    assert (tmp_path / "a.pdf").read_bytes()[:5] == b"%PDF-" and svg.count('<g id="axes_') == 4
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [(row["run"], row["epoch"]) for row in rows] == [
        ("fine", "1"), ("one", "1"), ("one", "2"), ("two", "1"), ("two", "2"), ("two", "3"),
    ]  # fmt: skip
    line = read_metrics(runs / "one")[1]
    assert float(rows[2]["test_accuracy/0.75"]) == line["test_accuracy"]["0.75"] and rows[0]["test_accuracy/0.75"] == ""
    assert int(rows[2]["step"]) == line["step"] and rows[3]["test_accuracy/0.5"] == "" and rows[0]["test_top1"]


def test_an_interrupted_command_does_not_say_that_nothing_was_written(runs, tmp_path, capsys, monkeypatch):
    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mp3lib.cli.runs.draw", interrupt)
    command = ["runs", str(runs / "one"), "--csv", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.png")]
    assert main(command) == 130 and (tmp_path / "a.csv").exists()
    assert capsys.readouterr().err == "interrupted before the command was finished\n"


def test_running_stopped_empty_and_damaged_folders(runs, capsys):
    for name in ("running", "stopped", "begun", "json", "metrics", "log"):
        shutil.copytree(runs / "two", runs / name)
    for name in ("running", "stopped"):
        file = runs / name / "metrics.jsonl"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:2]))
    (runs / "begun" / "metrics.jsonl").unlink()
    (runs / "json" / "run.json").write_text("{")
    (runs / "metrics" / "metrics.jsonl").write_text('{"epoch": 1')
    (runs / "log" / "run.json").unlink()
    (runs / "empty").mkdir()
    names = ("running", "stopped", "begun", "json", "metrics", "log", "empty", "nowhere")
    with FileLock(runs / "running" / ".lock"):
        figures, text = compared(capsys, *(runs / name for name in names), "--plot", runs / "a.png")
    assert [(one["run"], one["state"], one["epochs"][0]) for one in figures["runs"]] == [
        ("running", "running", 2), ("stopped", "stopped", 2), ("begun", "empty", 0),
    ]  # fmt: skip
    for part, words in zip(
        figures["left_out"],
        (
            "json/run.json is damaged",
            "line 1 is not JSON",
            "log holds no run.json",
            "empty holds no",
            "nowhere is not a f",
        ),
        strict=True,
    ):
        assert words in part and f"left out: {part}" in text


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("metrics.jsonl", {"loss": "x"}, "line 1 is damaged: loss is not a number, but 'x'"),
        ("metrics.jsonl", {"seconds": [1]}, "line 1 is damaged: seconds is not a number, but .1."),
        ("metrics.jsonl", {"test_top1": {"a": 1}}, "line 1 is damaged: test_top1 is not a number"),
        ("metrics.jsonl", {"test_accuracy": {"0.5": None}}, "line 1 is damaged: test_accuracy is not a number"),
        ("metrics.jsonl", {"lr": 1e400}, "line 1 is not JSON"),
        ("run.json", {"patience": "3"}, "run.json is damaged: patience is not a number, but '3'"),
        ("run.json", {"lr": float("nan")}, "run.json is damaged: it is not JSON .NaN is not a finite number"),
    ],
)
def test_figures_that_are_none_are_damage(file, change, words, runs):
    path = runs / "two" / file
    first, *more = path.read_text().splitlines() if file == "metrics.jsonl" else [path.read_text()]
    content = json.loads(first)
    (content["settings"] if file == "run.json" else content).update(change)
    path.write_text("\n".join([json.dumps(content), *more]) + "\n")
    with pytest.raises(ValueError, match=words):
        read_metrics(runs / "two") if file == "metrics.jsonl" else read_run(runs / "two")
    assert main(["runs", str(runs / "two")]) == 1


def test_what_cannot_be_compared_is_said(runs, tmp_path, capsys):
    for arguments, words in (
        ([tmp_path / "nowhere"], "nowhere is not a folder"),
        ([runs / "one", "--plot", tmp_path / "x.txt"], "must end in .png or .svg or .pdf, got x.txt"),
        ([runs / "one", "--csv", tmp_path], "must end in .csv"),
    ):
        assert main(["runs", *map(str, arguments)]) == 1
        assert words in (told := capsys.readouterr().err) and told.count("\n") == 1
    for option, name in (("--csv", "mine.csv"), ("--plot", "mine.png"), ("--plot", "mine.svg")):
        (tmp_path / name).write_text("mine")
        assert main(["runs", str(runs / "one"), option, str(tmp_path / name)]) == 1
        assert "is no such file of mp3lib: choose another name" in capsys.readouterr().err
        assert (tmp_path / name).read_text() == "mine"
    (runs / "one" / "metrics.jsonl").unlink()
    assert main(["runs", str(runs / "one"), "--plot", str(tmp_path / "x.png")]) == 1
    assert "nothing to draw yet" in capsys.readouterr().err and not (tmp_path / "x.png").exists()


def test_folders_of_one_name_are_told_apart(runs, tmp_path, capsys):
    shutil.copytree(runs / "one", tmp_path / "other" / "one")
    figures, _ = compared(capsys, runs / "one", tmp_path / "other" / "one", runs / "one")
    assert [one["run"] for one in figures["runs"]] == ["runs/one", "other/one"] and not figures["settings"]


def test_a_run_is_listed_once_and_odd_sizes_are_shown(tmp_path, capsys):
    run = {"settings": {"task": "pretrain", "epochs": 1, "model": {"vit": {"image_size": [[8, 8], [8, 8]]}}}}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(run))
    names = [f"{tmp_path}/one", f"{tmp_path}/one/", f"{tmp_path}/two/../one", f"{tmp_path}/two"]
    assert main(["runs", *names, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [one["run"] for one in shown["runs"]] == ["one", "two"]
