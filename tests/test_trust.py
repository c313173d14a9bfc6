"""Nothing is lost, nothing of the reader's is touched, nothing runs code, and every error is a line."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import AbstractContextManager
from pathlib import Path

import nbformat
import pytest
import torch
from safetensors.torch import load_file, save_file
from scripts import load_script, running

import mp3lib.data
import mp3lib.evaluate
import mp3lib.export
import mp3lib.model
import mp3lib.train
from mp3lib import MP3, ViT
from mp3lib.__main__ import COMMANDS, main
from mp3lib.data import cues
from mp3lib.data.pictures import decode
from mp3lib.json_files import write_text
from mp3lib.model import load_model
from mp3lib.train import pretrain, read_metrics, read_run, steps
from mp3lib.train.checkpoint import checkpoints, in_short
from mp3lib.train.run_folder import check_output

ROOT = Path(__file__).resolve().parents[1]
IMAGES = torch.randint(0, 256, (48, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
QUICK = dict(epochs=3, batch_size=16, precision="float32", progress=False, seed=5)
SHAPE = ["--data", "scenes", "--limit", "640", "--batch-size", "64", "--patch-size", "8", "--dim", "16", "--depth", "1"]
SHAPE += ["--heads", "1", "--mlp-dim", "16", "--precision", "float32", "--eval-every", "0"]
OUT = ["--data", "scenes", "--out", "run"]


def model() -> MP3:
    torch.manual_seed(0)
    return MP3(ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=2, heads=1, mlp_dim=16), 0.5, "updated")


# --- outputs ----------------------------------------------------------------------------------------------------------


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    heard = []
    listener = threading.Thread(target=lambda: heard.append((tmp_path / "pipe").read_text()), daemon=True)
    listener.start()
    write_text(tmp_path / "pipe", "said")
    listener.join(5)
    assert heard == ["said"] and (tmp_path / "pipe").is_fifo()


def test_an_output_is_checked_before_anything_is_computed(tmp_path, capsys):
    with pytest.raises(ValueError, match="is a folder: give the name of a file in it"):
        check_output(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="cannot be written"):
        check_output(tmp_path / "file" / "below")
    check_output(tmp_path / "new" / "folder" / "x.json")
    assert not (tmp_path / "new").exists()
    for command in ("probe", "evaluate"):  # the weights are not even looked at
        assert main([command, "--weights", "nowhere", "--data", "scenes", "--out", str(tmp_path)]) == 1
        assert "is a folder" in capsys.readouterr().err
    assert main(["pretrain", *SHAPE, "--out", str(tmp_path / "file")]) == 1
    assert "file is not a folder: choose another place" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "x"
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, words in (("link", "is a symbolic link to"), ("\udcff", "has bytes that are not UTF-8")):
        assert main(["pretrain", *SHAPE, "--out", str(tmp_path / name)]) == 1
        assert words in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


@pytest.mark.parametrize("address", ["https://huggingface.co/a/b", "s3://bucket/run"])
def test_an_address_as_a_path_is_named_as_one(address, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for command in (["evaluate", "--weights", address, "--data", "scenes"], ["finetune", "--weights", address, *OUT]):
        assert main(command) == 1
        assert f"{address} is an address, not a path: download what is there first" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["pretrain", *SHAPE, "--out", address])
    assert f"{address} is an address" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_notes_are_lines_and_never_end_a_command(tmp_path, own_cache, capsys):
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(4):
            decode.Image.new("RGB", (8, 8), (i * 40, 0, 0)).save(tmp_path / "set" / name / f"{i}.png")
    (tmp_path / "set" / "cat" / "broken.png").write_bytes(b"x")
    command = ["pretrain", *SHAPE, "--data", str(tmp_path / "set"), "--size", "8", "--out", str(tmp_path / "run")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # as PYTHONWARNINGS=error has it
        assert main([*command[:-1], str(tmp_path / "run"), "--patch-size", "4", "--batch-size", "4"]) == 0
    notes = capsys.readouterr().err.splitlines()
    assert notes[0].startswith(f"note: {tmp_path / 'set'}: left out 1 unreadable picture(s): cat/broken.png")
    assert all(line.startswith("note: ") for line in notes)


@pytest.mark.parametrize(
    "arguments",
    [
        ["pretrain", "--out", ""],
        ["pretrain", "--out", "~nosuchuser/x"],
        ["pretrain", "--out", "x", "--data", " "],
        ["pretrain", "--out", "x", "--lr", "nan"],
        ["pretrain", "--out", "x", "--lr", "0"],
        ["pretrain", "--out", "x", "--weight-decay=-1"],
        ["pretrain", "--out", "x", "--dim", "1e6"],
        ["pretrain", "--out", "x", "--epochs", "99999999999999999999"],
        ["pretrain", "--out", "x", "--seed=-1"],
        ["finetune", "--out", "x", "--weights", ""],
        ["evaluate", "--weights", "x", "--mask-ratios", "inf"],
        ["nothing"],
    ],
)
def test_wrong_arguments_exit_with_2_and_a_sentence(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


# --- runs -------------------------------------------------------------------------------------------------------------


def started(out: Path) -> AbstractContextManager[subprocess.Popen]:
    """A training that has written its first checkpoint."""
    command = [sys.executable, "-m", "mp3lib", "pretrain", *SHAPE, "--epochs", "5000", "--out", str(out)]
    options = {"env": os.environ | {"OMP_NUM_THREADS": "1"}, "text": True}
    return running(command, lambda: checkpoints(out), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_it_goes_on(kind, tmp_path):
    with started(tmp_path / "run") as process:
        process.send_signal(kind)
        _, errors = process.communicate(timeout=60)
    kept = checkpoints(tmp_path / "run")[0]
    assert process.returncode == 130
    assert errors == f"interrupted: {kept} is kept; the same command with --resume goes on from there\n"


@pytest.mark.slow
def test_two_trainings_do_not_share_a_folder(tmp_path, capsys):
    with started(tmp_path / "run"):
        assert main(["pretrain", *SHAPE, "--epochs", "5000", "--out", str(tmp_path / "run"), "--resume"]) == 1
        assert "another training uses" in capsys.readouterr().err
    assert len(read_metrics(tmp_path / "run")) >= 1


@pytest.mark.slow
def test_a_folder_that_is_renamed_while_its_run_trains_is_not_written_to_again(tmp_path):
    with started(tmp_path / "run") as process:
        (tmp_path / "run").rename(tmp_path / "gone")
        pretrain(model(), IMAGES, **QUICK, out=tmp_path / "run")  # another run takes its place
        mine = (tmp_path / "run" / "model.safetensors").read_bytes()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "was removed or replaced while its run was training" in errors
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == mine
    assert read_run(tmp_path / "run")["settings"]["epochs"] == 3 == len(read_metrics(tmp_path / "run"))


def test_checkpoints_without_a_run_are_not_taken_over(tmp_path):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    (tmp_path / "run.json").unlink()
    for resume in (False, True):
        with pytest.raises(ValueError, match="holds checkpoint-00000009 of a run, but no run.json"):
            pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=resume)


DAMAGE = {
    "empty": lambda text: "",
    "cut": lambda text: text[: len(text) // 2],
    "no JSON": lambda text: "{" + text,
    "a list": lambda text: "[1, 2]",
    "a number": lambda text: "3",
    "null": lambda text: "null",
    "nested": lambda text: "[" * 100_000,
    "other entries": lambda text: '{"a": 1}',
    "not UTF-8": lambda text: b"\xff\xfe" + text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "a key twice": lambda text: re.sub(r'^\s*\{\s*("[^"]+"\s*:)', r"{\1 3, \1", text),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", ["run.json", "metrics.jsonl", "progress.json", "checkpoint metrics"])
def test_damaged_files_get_a_sentence_or_the_checkpoint_before(file, damage, tmp_path):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    newest = checkpoints(tmp_path)[0]
    path = {"progress.json": newest / "progress.json", "checkpoint metrics": newest / "metrics.jsonl"}.get(
        file, tmp_path / file
    )
    changed = DAMAGE[damage](path.read_text())
    path.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    mp3 = model()
    try:
        lines = pretrain(mp3, IMAGES, **QUICK, out=tmp_path, resume=True)
        assert [line["step"] for line in lines] == [3, 6, 9]  # from the checkpoint before, or nothing was needed
        whole = model()
        pretrain(whole, IMAGES, **QUICK)
        assert all(torch.equal(a, b) for a, b in zip(mp3.parameters(), whole.parameters(), strict=True))
    except ValueError as error:
        assert file == "run.json" and "run.json is damaged" in str(error)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"versions": [1]}, "versions is "),
        ({"resumed": [1]}, "resumed is "),
        ({"settings": {"epochs": 0}}, "epochs is not positive, but 0"),
    ],
)
def test_a_run_with_a_damaged_entry_is_refused_before_it_goes_on(change, words, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"settings": {}} | change))
    with pytest.raises(ValueError, match=f"run.json is damaged: {words}"):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True)


def test_a_resumed_run_takes_a_license_and_another_path_to_its_start(tmp_path, monkeypatch):
    (tmp_path / "first").mkdir()
    monkeypatch.chdir(tmp_path)
    pretrain(model(), IMAGES, **QUICK, out="run", about={"start": "first", "note": "kept"})
    more = {"start": str(tmp_path / "first"), "license": "mit"}
    pretrain(model(), IMAGES, **QUICK, out="run", about=more, resume=True)
    run = read_run("run")
    assert (run["start"], run["license"], run["note"]) == ("first", "mit", "kept")
    assert "license: " in (tmp_path / "run" / "README.md").read_text()
    with pytest.raises(ValueError, match="started with other settings: start"):
        pretrain(model(), IMAGES, **QUICK, out="run", about={"start": str(tmp_path)}, resume=True)


@pytest.mark.posix
@pytest.mark.parametrize("file", ["run.json", "metrics.jsonl", "config.json"])
def test_a_pipe_and_a_file_without_end_are_not_read(file, tmp_path):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    read = {"run.json": read_run, "metrics.jsonl": read_metrics, "config.json": load_model}[file]
    with open(tmp_path / file, "r+b") as large:
        large.truncate(10**10)
    with pytest.raises(ValueError, match="has 10,000,000,000 bytes, and at most 200,000,000 are read"):
        read(tmp_path)
    (tmp_path / file).unlink()
    os.mkfifo(tmp_path / file)
    with pytest.raises((ValueError, FileNotFoundError), match="is not a regular file|has not finished"):
        read(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        ("step", 6),
        ("step", 10),
        ("step", "9"),
        ("step", None),
        ("seconds", "1"),
        ("losses", {}),
        ("losses", [None] * 2),
    ],
)
def test_a_checkpoint_whose_files_disagree_is_not_trained_on(change, tmp_path, capsys):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    progress = checkpoints(tmp_path)[0] / "progress.json"
    progress.write_text(json.dumps({"step": 9} | dict([change])))
    assert len(pretrain(model(), IMAGES, **QUICK, out=tmp_path, resume=True)) == 3
    said = capsys.readouterr().out
    assert re.search(r"cannot be read \(ValueError (its files disagree|progress.json holds losses)", said), said


def test_weights_of_an_unfinished_run_name_its_newest_checkpoint(tmp_path):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    for name in ("model.safetensors", "config.json"):
        (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match="has not finished; its newest weights are in .*checkpoint-00000009"):
        load_model(tmp_path)


def test_a_finished_run_without_its_config_says_where_there_is_one(tmp_path):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="holds model.safetensors, but no config.json: copy that of .*00000009"):
        load_model(tmp_path)


def test_a_reader_error_is_told_in_one_sentence():
    told = in_short(RuntimeError("Weights only load failed. In PyTorch 2.6, we changed the default\nvalue"))
    assert told == "RuntimeError Weights only load failed"
    assert in_short(ValueError("x " * 300)).endswith(" …")


def test_what_is_no_run_is_kept(tmp_path):
    model().vit.save_pretrained(tmp_path / "mine")
    before = (tmp_path / "mine" / "model.safetensors").read_bytes()
    with pytest.raises(ValueError, match="mine holds model.safetensors, but no run of mp3lib"):
        pretrain(model(), IMAGES, **QUICK, out=tmp_path / "mine")
    assert (tmp_path / "mine" / "model.safetensors").read_bytes() == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.json").write_text('{"tool": "another"}')
    for resume in (False, True):
        with pytest.raises(ValueError, match="run.json is damaged: it has no settings"):
            pretrain(model(), IMAGES, **QUICK, out=tmp_path / "other", resume=resume)
    pretrain(model(), IMAGES, **QUICK, out=tmp_path / "run")
    for file in (tmp_path / "mine" / "model.safetensors", tmp_path / "run" / "run.json"):
        with pytest.raises(ValueError, match="exists and holds no figures of mp3lib"):
            check_output(file)


def test_a_readers_copy_of_a_checkpoint_is_neither_removed_nor_taken(tmp_path):
    pretrain(model(), IMAGES, **QUICK, out=tmp_path)
    for name in ("checkpoint-00000003-copy1", "checkpoint-best1"):
        shutil.copytree(checkpoints(tmp_path)[0], tmp_path / name)
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-00000009", "checkpoint-00000006"]


# --- weights ----------------------------------------------------------------------------------------------------------


def saved(folder: Path) -> Path:
    model().vit.save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t | {"linear_head.1.bias": torch.full((2,), float("nan"))}, "not finite .linear_head.1.bias."),
        (lambda t: {name: x.to(torch.int32) for name, x in t.items()}, "are I32, not floating-point numbers"),
        (lambda t: t | {"linear_head.1.bias": torch.zeros(3)}, r"linear_head.1.bias should be \(2,\) and is \(3,\)"),
        (lambda t: t | {"more": torch.zeros(3)}, r"more should be absent and is \(3,\)"),
        (lambda t: {name: x for name, x in t.items() if name != "linear_head.1.bias"}, "and is absent"),
    ],
)
def test_weights_that_mean_nothing_are_refused(change, words, tmp_path):
    file = saved(tmp_path) / "model.safetensors"
    save_file(change(load_file(file)), file)
    with pytest.raises(ValueError, match=words):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        *[(name, value, "") for name, value in (
            ("depth", 10**9), ("dim", -4), ("dim", "16"), ("depth", None), ("heads", 0), ("heads", 1.5),
            ("image_size", []), ("patch_size", {}), ("num_classes", -1), ("dropout", 7), ("channels", True),
            ("classes", 3),
        )],
        ("dim", 10**6, r"linear_head.0.bias should be \(1000000,\) and is \(16,\)"),
        ("mlp_dim", 10**12, r"these sizes make \d+ parameters; accepted are at most 20,000,000,000"),
    ],
)  # fmt: skip
def test_a_configuration_that_makes_no_model_is_refused_at_once(name, value, words, tmp_path):
    config = saved(tmp_path) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {name: value}))
    begun = time.monotonic()
    with pytest.raises(ValueError, match=words or rf"config.json: {name} must .*, got {re.escape(repr(value))}$"):
        load_model(tmp_path)
    assert time.monotonic() - begun < 60  # no weights of that size are made


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_configuration_gets_a_sentence(damage, tmp_path, capsys):
    config = saved(tmp_path) / "config.json"
    changed = DAMAGE[damage](config.read_text())
    config.write_bytes(changed if isinstance(changed, bytes) else changed.encode())
    assert main(["evaluate", "--weights", str(tmp_path), "--data", "scenes"]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and error.startswith(("ValueError: ", "FileNotFoundError: ")), error


class Canary:
    """What a pickle would do if somebody let it: make a file."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_no_file_of_a_run_is_unpickled_freely(tmp_path):
    """Every file of a run folder and of its checkpoints is replaced by a pickle that leaves a trace when it runs."""
    pretrain(model(), IMAGES, **QUICK, ema=0.9, out=tmp_path / "run")
    _, older = checkpoints(tmp_path / "run")
    shutil.rmtree(older)
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file() and path.name != ".lock"]
    assert len(files) > 8
    for number, path in enumerate(files):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(tmp_path / "run", copy)
        target = copy / path.relative_to(tmp_path / "run")
        target.write_bytes(pickle.dumps(Canary(tmp_path / "touched")))
        torch.save(Canary(tmp_path / "touched"), copy / "pytorch_model.bin")
        (checkpoints(copy)[0] / "custom_checkpoint_0.pkl").write_bytes(target.read_bytes())
        with contextlib.suppress(ValueError, OSError):
            pretrain(model(), IMAGES, **QUICK, ema=0.9, out=copy, resume=True)
        with contextlib.suppress(ValueError, OSError):
            load_model(copy)
        assert not (tmp_path / "touched").exists(), path.name
        shutil.rmtree(copy)


# --- places that cannot be written ------------------------------------------------------------------------------------

PLOT = """
import matplotlib.pyplot as plt
print(plt.figure().number)
plt.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["no folder", "closed folder"])
def test_a_notebook_is_compared_where_home_and_the_folder_of_matplotlib_cannot_be_written(way, tmp_path):
    """With the project's conftest.py, whose kernels must not print the warning of matplotlib."""
    root = Path(__file__).resolve().parents[1]
    (tmp_path / "tests").mkdir()
    shutil.copy(root / "conftest.py", tmp_path)
    shutil.copy(root / "tests" / "allowed_skips.toml", tmp_path / "tests")
    cell = nbformat.v4.new_code_cell(PLOT, execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="1\n")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), tmp_path / "plot.ipynb")
    home = tmp_path / "home"
    home.mkdir()
    if way == "no folder":
        (tmp_path / "file").write_text("in the way")
        home = tmp_path / "file" / "home"
    else:
        home.chmod(0o500)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "JUPYTER_"))}
    environment |= {"HOME": str(home), "MPLCONFIGDIR": str(home / "matplotlib"), "OMP_NUM_THREADS": "1"}
    environment |= {
        "MP3_CACHE": str(home / "cache"),
        "MP3_DATA": "scenes",
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "run"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "plot.ipynb"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and "1 passed" in done.stdout, done.stdout + done.stderr


# --- errors are lines -------------------------------------------------------------------------------------------------


def test_an_error_that_nobody_expected_is_a_line_and_debug_shows_it(monkeypatch, capsys):
    def broken(*_):
        raise KeyError("nobody\nexpected this")

    monkeypatch.setattr("mp3lib.__main__.COMMANDS", {"data": broken})
    assert main(["data", "status"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("KeyError: ") and "(--debug shows where)" in error
    with pytest.raises(KeyError):
        main(["data", "status", "--debug"])


def test_a_command_leaves_the_signal_handler_of_its_caller(capsys):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    assert main(["data", "status"]) == 0
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def lost_interruption(*_) -> None:
    """Ctrl-C where Python drops the exception: in the callback of a fork or of a weak reference."""
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_an_interruption_whose_exception_is_lost_still_ends_a_training(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(steps, "set_rates", lost_interruption)
    assert main(["pretrain", *SHAPE, "--epochs", "50", "--out", str(tmp_path / "run")]) == 130
    assert capsys.readouterr().err.endswith("the same command with --resume starts anew\n")
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_an_error_that_an_interruption_became_is_one(capsys, monkeypatch):
    def broken(*_):
        lost_interruption()
        raise AttributeError("partially initialized module 'torch'")

    monkeypatch.setattr("mp3lib.__main__.COMMANDS", {"data": broken})
    for more in ([], ["--debug"]):
        assert main(["data", "status", *more]) == 130
        assert capsys.readouterr().err == "interrupted before the command was finished\n"
    monkeypatch.setattr("mp3lib.__main__.parser", broken)
    assert main(["data", "status"]) == 130


def test_the_end_of_a_pipe_is_no_error():
    code = "import sys; from mp3lib.__main__ import main; sys.exit(main(['data', 'status']))"
    done = subprocess.run(f'{sys.executable} -c "{code}" | true', shell=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_tilde_is_expanded_everywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    pretrain(model(), IMAGES, **QUICK, out="~/run")
    assert isinstance(load_model("~/run"), MP3) and isinstance(MP3.from_pretrained("~/run"), MP3)
    model().vit.save_pretrained(tmp_path / "deep" / "er")
    assert ViT.from_pretrained("~/deep", subfolder="er").dim == 16
    assert not (tmp_path / "~").exists()


# --- what was tried ---------------------------------------------------------------------------------------------------


def test_the_table_says_what_the_results_say_and_there_is_no_fault():
    """After a run of a tool: python tools/trust.py > results/trust.md"""
    trust = load_script("tools/trust.py")
    assert (ROOT / "results" / "trust.md").read_text(encoding="utf-8") == trust.page()
    lines = trust.rows({name: json.loads((ROOT / "results" / f"{name}.json").read_text()) for name in trust.SOURCES})
    assert [row for row in lines if row.faults] == []
    assert all(row.tried == row.right + row.refused + row.faults for row in lines)
    assert all((ROOT / row.command.split()[1]).exists() for row in lines)


def test_a_change_of_a_result_changes_the_table(tmp_path):
    trust = load_script("tools/trust.py")
    for name in trust.SOURCES:
        shutil.copy(ROOT / "results" / f"{name}.json", tmp_path)
    before = trust.page(tmp_path)
    for name, place in (("options", ("commands", "data", "right")), ("interruptions", ("downloads", "damaged"))):
        content = json.loads((tmp_path / f"{name}.json").read_text())
        inner = content
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] += 1
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
        assert trust.page(tmp_path) != before
        before = trust.page(tmp_path)


@pytest.fixture
def options(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return load_script("tools/options.py")


def public(name: str):
    """The function or class that tools/options.py calls so."""
    first, *more = name.split(".")
    modules = (mp3lib.model, mp3lib.evaluate, mp3lib.train, mp3lib.data, mp3lib.export, mp3lib)
    found = getattr(next(module for module in modules if hasattr(module, first)), first)
    for part in more:
        found = getattr(found, part)
    return found


@pytest.mark.posix
def test_every_public_function_and_every_command_is_tried(options):
    with options.workplace() as room:
        names = {name.rpartition(".")[2] for name in options.calls(room)} | options.OTHER
        assert set(options.bases(room)) == set(COMMANDS) == set(options.COMMANDS) - {"misuse"}
        for name, (_, good) in options.calls(room).items():  # with all its arguments
            assert set(inspect.signature(public(name)).parameters) - {"self", "options"} <= set(good()), name
        for command in COMMANDS:
            texts = " ".join(" ".join(case) for case in options.command_cases(command, room, random.Random(0), None))
            assert all(name in texts for action in options.options(command) for name in action.option_strings[:1])
    for module in (mp3lib.model, mp3lib.evaluate, mp3lib.train, mp3lib.data, mp3lib.export):
        assert set(module.__all__) <= names, set(module.__all__) - names
    own = [
        n for n, v in vars(cues).items() if getattr(v, "__module__", None) == cues.__name__ and not n.startswith("_")
    ]
    assert set(own) - names == {"changed_by", "check_images", "check_patches", "outside_hole", "repeated"}


@pytest.mark.posix
def test_the_stored_file_has_every_argument_of_every_function_and_command(options):
    """As many cases as there would be now: one more argument, value or option, and it has to be made anew."""
    stored = json.loads((ROOT / "results" / "options.json").read_text())
    with options.workplace() as room:
        made = options.calls(room)
        assert set(stored["functions"]) == set(made) and set(stored["commands"]) == set(options.COMMANDS)
        for name, (_, good) in made.items():
            one, drawn = stored["functions"][name], random.Random(0)
            cases = options.function_cases(good(), drawn, one["pairs"], one["each"])
            assert one["tried"] == len(cases), f"python tools/options.py --pairs 4 --each 6 --only {name}"
        for name in options.COMMANDS:
            one, drawn = stored["commands"][name], random.Random(0)
            cases = options.cases_of_command(name, room, drawn, one["pairs"], one["each"])
            assert one["tried"] == len(cases), f'python tools/options.py --pairs 4 --each 6 --only "command {name}"'


@pytest.mark.posix
@pytest.mark.slow
def test_a_few_functions_and_commands_have_no_fault(options):
    told = []
    result = options.run(1, 3, 10, ["seed_of", "assign", "cues.grey", "command data", "command misuse"], told.append)
    for kind in ("functions", "commands"):
        assert result[kind], kind
        for name, one in result[kind].items():
            assert one["faults"] == [] and one["tried"] == one["right"] + one["refused"] > 5, name
    assert result["commands"]["misuse"]["right"] == 0


@pytest.mark.posix
def test_a_fault_of_a_function_is_seen(options, monkeypatch, tmp_path):
    def broken(x):
        if x == 1:
            raise KeyError("nobody expected this")
        return float("nan") if x == 2 else 0.0

    monkeypatch.setattr(options, "calls", lambda room: {"broken": (broken, lambda: {"x": 0})})
    monkeypatch.setattr(options, "PLAIN", [1, 2, 3])
    found = options.run_function("broken", tmp_path, 0, None, 0)
    assert (found["tried"], found["right"], found["fault"]) == (4, 2, 2)
    assert "KeyError" in found["faults"][0] and "not finite" in found["faults"][1]


@pytest.mark.posix
@pytest.mark.slow
def test_a_killed_download_leaves_nothing_that_is_read_or_kept():
    found = load_script("tools/interruptions.py").kill_downloads(3, seed=1)
    assert found["kills"] == 3 == found["absent"] + found["readable"]
    assert found["damaged"] == found["unknown to status"] == found["kept by clear"] == 0
