"""Packs, pictures without labels, and what loading takes: one array, filled in place."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from set_makers import noise_pictures

from mp3lib import load_images
from mp3lib.__main__ import main
from mp3lib.data import pack_images, packed_size
from mp3lib.data.files.tensor_files import header, write_tensors
from mp3lib.data.notes import Note
from mp3lib.data.sets.rows import put_in_order
from mp3lib.data.sets.wanted import Wanted
from mp3lib.data.sources import from_paths

NOISE = np.random.default_rng(0)


pytestmark = pytest.mark.usefixtures("own_cache")


def loaded(*args, **options):
    """The images, and the notes as texts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        images = load_images(*args, **options)
    assert {warning.category for warning in caught} <= {Note}
    return images


def labelled_set(top: Path) -> Path:
    for name in ("cat", "dog"):
        noise_pictures(top / "train" / name, 7)
        noise_pictures(top / "test" / name, 3)
    noise_pictures(top / "unlabeled", 5)
    (top / "train/cat/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return top


def equal(one, other) -> bool:
    return all(
        torch.equal(getattr(one, part).images[:], getattr(other, part).images)
        and torch.equal(getattr(one, part).labels, getattr(other, part).labels)
        for part in ("train", "test")
    )


# --- packs ------------------------------------------------------------------------------------------------------------


def test_a_pack_has_the_images_of_its_folder_and_opens_without_reading_pixels(tmp_path, monkeypatch, capsys):
    top = labelled_set(tmp_path / "set")
    memory, every = loaded(top, 8), loaded(top, 8, unlabelled=True)
    file = pack_images(top, 8)
    assert file == tmp_path / "set-8.safetensors" and packed_size(file) == (8, 8) and packed_size(top) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "set", "set-8.safetensors"]
    (top / "train/cat/000.png").unlink()  # it needs the folder no more
    capsys.readouterr()
    packed = loaded(file)
    assert "packed in " in capsys.readouterr().out and equal(packed, memory)
    assert equal(loaded(file, 8, unlabelled=True), every) and len(every.train) == len(memory.train) + 5
    assert (packed.classes, packed.name) == (memory.classes, "set")
    assert any("left out 1 unreadable picture(s)" in note for note in packed.notes)
    tensors = load_file(file)  # by the library of the format
    assert torch.equal(tensors["test_images"], memory.test.images) and tensors["train_labels"][-5:].tolist() == [-1] * 5
    with pytest.raises(ValueError, match="holds images of 8 x 8 pixels, wanted are 9 x 9: choose that size"):
        load_images(file, 9)
    monkeypatch.setattr(from_paths, "READER", from_paths.READER + 1)
    assert any("packed by another version" in note for note in loaded(file).notes)


@pytest.mark.parametrize("form", ["parquet", "cifar", "tar.gz", "deep"])
def test_every_form_can_be_packed(form, tmp_path):
    if form == "parquet":
        path = tmp_path / "x.parquet"
        cells = [{"bytes": (noise_pictures(tmp_path / "p", 12) / f"{i:03}.png").read_bytes()} for i in range(12)]
        parquet.write_table(pyarrow.table({"image": cells, "label": [0, 1, -1] * 4}), path)
    elif form == "cifar":
        import pickle

        path = tmp_path / "cifar-10-batches-py"
        path.mkdir()
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
            batch = {b"data": NOISE.integers(0, 256, (10, 3072), dtype=np.uint8), b"labels": [*range(10)]}
            (path / name).write_bytes(pickle.dumps(batch, protocol=2))
    elif form == "deep":
        path = noise_pictures(tmp_path / "deep", 6)
        for i in range(4):
            Image.fromarray(NOISE.integers(0, 3000, (9, 9), dtype=np.uint16)).save(path / f"deep{i}.png")
    else:
        import tarfile

        path = tmp_path / "x.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(labelled_set(tmp_path / "set"), "set")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = pack_images(path, (8, 10), tmp_path / "packed")
    assert equal(loaded(file), loaded(path, (8, 10)))


def test_a_pack_replaces_a_pack_and_nothing_else_and_what_fails_leaves_nothing(tmp_path, monkeypatch):
    top, out = noise_pictures(tmp_path / "set", 8), tmp_path / "out"
    pack_images(top, 8, out)
    first = out.read_bytes()
    assert pack_images(top, 4, out) == out and packed_size(out) == (4, 4) and out.read_bytes() != first
    (tmp_path / "link").symlink_to(out)
    assert pack_images(top, 6, tmp_path / "link") == out and packed_size(out) == (6, 6)
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "text").write_text("mine")
    with pytest.raises(ValueError, match="exists and is not a pack"):
        pack_images(top, 8, tmp_path / "text")
    with pytest.raises(ValueError, match="'scenes' is a name of images, and only images at a path can be packed"):
        pack_images("scenes", 8)
    with pytest.raises(ValueError, match="is a pack already"):
        pack_images(out, 8)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match="at least 2 are needed"):
        pack_images(noise_pictures(tmp_path / "set" / "one", 1), 8, tmp_path / "new")
    monkeypatch.setattr("mp3lib.data.sets.wanted.shutil.disk_usage", lambda _: type("", (), {"free": 100}))
    with pytest.raises(ValueError, match=r"9 packed pictures take 0.0 GB, and .* has 0.0 GB free"):
        pack_images(top, 8, tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("damage", ["cut", "shape", "labels", "classes", "form", "header"])
def test_a_damaged_pack_is_refused_in_a_sentence(damage, tmp_path):
    file = pack_images(noise_pictures(tmp_path / "set", 8), 8)
    data = file.read_bytes()
    old, new = {
        "shape": (b'"shape": [7, 3, 8, 8]', b'"shape": [7, 4, 8, 6]'),
        "labels": (b'"train_labels"', b'"train_l_bels"'),
        "classes": (b'["set\\"]'.replace(b'["', b'[\\"'), b'[\\"set\\"}'),
        "form": (b"mp3lib pack 1", b"mp3lib pack 2"),
        "header": (b'"dtype": "U8"', b'"dtype": "XX"'),
        "cut": (b"", b""),
    }[damage]
    assert old in data
    file.write_bytes(data[:-9] if damage == "cut" else data.replace(old, new, 1))
    with pytest.raises(ValueError, match="pack the images again"):
        load_images(file)


def test_a_file_of_other_tensors_and_a_folder_with_packs_say_what_to_give(tmp_path):
    save_file({"weights": torch.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="model.safetensors is no pack that python -m mp3lib data pack has made"):
        load_images(tmp_path / "model.safetensors")
    noise_pictures(tmp_path / "set", 4)
    (tmp_path / "packs").mkdir()
    for i, words in enumerate(("the pack 0.safetensors: give the path of that", "2 packs, as 0.safetensors: give")):
        pack_images(tmp_path / "set", 8, tmp_path / f"packs/{i}.safetensors")
        with pytest.raises(ValueError, match=words):
            load_images(tmp_path / "packs")


def test_a_full_disk_is_named_and_what_a_killed_process_left_is_removed(tmp_path, full_disk):
    pictures, out = noise_pictures(tmp_path / "set", 4), tmp_path / "out.safetensors"
    with full_disk(), pytest.raises(OSError, match=f"^{out} could not be written .*: make room and try again$"):
        pack_images(pictures, 8, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set"]
    old, new = tmp_path / f".mp3lib-123.{out.name}", tmp_path / f".mp3lib-124.{out.name}"
    for left in (old, new):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    pack_images(pictures, 8, out)
    assert not old.exists() and new.exists()


def test_the_command_packs_and_others_take_it(tmp_path, capsys):
    top = labelled_set(tmp_path / "set")
    assert main(["data", "pack", str(top), "--size", "16", "--out", str(tmp_path / "p")]) == 0
    assert f"{tmp_path / 'p'}: " in capsys.readouterr().out
    command = ["pretrain", "--data", str(tmp_path / "p"), "--epochs", "1", "--batch-size", "4", "--patch-size", "8"]
    command += ["--dim", "16", "--depth", "1", "--heads", "1", "--mlp-dim", "16", "--out", str(tmp_path / "run")]
    assert main(command) == 0
    assert "19 + 6 images in 2 classes (cat, dog), packed in" in capsys.readouterr().out
    assert json.loads((tmp_path / "run/config.json").read_text())["vit"]["image_size"] == 16
    for wrong in (["pack"], ["status", str(top)], ["status", "--size", "8"], ["clear", "--out", "x"]):
        assert main(["data", *wrong]) == 1
        assert "ValueError: " in capsys.readouterr().err


def test_tensors_are_written_as_the_library_of_the_format_reads_them(tmp_path):
    tensors = {"a": torch.arange(7, dtype=torch.uint8), "b": torch.arange(6).view(2, 3), "c": torch.zeros(0, 3).byte()}
    write_tensors(tmp_path / "x", tensors, {"é": "ü"})
    found = load_file(tmp_path / "x")
    assert found.keys() == tensors.keys() and all(torch.equal(found[name], tensors[name]) for name in tensors)
    with pytest.raises(ValueError, match="at most 56 fit"):
        header([], {"long": "x" * 100}, 64)


# --- pictures without labels ------------------------------------------------------------------------------------------

UNLABELLED = {  # the pictures by folder; how many are labelled to train and to test, how many have no label
    "unlabeled": ({"train/a": 6, "train/b": 6, "test/a": 2, "test/b": 2, "unlabeled": 5}, (12, 4, 5)),
    "unsup in train": ({"train/a": 6, "train/b": 6, "train/unsup": 3, "test/a": 2}, None),
    "beside classes": ({"a": 10, "b": 10, "": 4}, (18, 2, 4)),
    "a test split": ({"train/a": 10, "train/b": 10, "test": 7}, (18, 2, 0)),
    "tests of two kinds": ({"train/a": 6, "train/b": 6, "val/a": 2, "val/b": 2, "test": 7}, (12, 4, 0)),
    "test/images": ({"s/train/a": 6, "s/train/b": 6, "s/val/a": 2, "s/val/b": 2, "s/test/images": 7}, (12, 4, 0)),
    "other classes stay out": ({"train/a": 6, "train/b": 6, "test/a": 2, "val/a": 3, "extra": 1}, (12, 2, 1)),
    "masks stay out": ({"images": 8, "masks": 8}, (8, 0, 0)),
    "nothing has a label": ({"": 20}, (18, 2, 0)),
    "unlabeled alone": ({"unlabeled": 20}, (18, 2, 0)),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", [name for name, (_, expected) in UNLABELLED.items() if expected])
def test_pretraining_gets_the_pictures_without_labels_behind_the_others(name, stream, tmp_path):
    folders, (train, test, bare) = UNLABELLED[name]
    for folder, number in folders.items():
        noise_pictures(tmp_path / "set" / folder, number)
    usual, every = (loaded(tmp_path / "set", 8, stream=stream, unlabelled=all_) for all_ in (False, True))
    assert len(every.train) + len(every.test) == train + test + bare
    assert every.train.labels.tolist() == usual.train.labels.tolist() + [-1] * bare
    assert torch.equal(torch.cat([*every.test.images.split(9)]), torch.cat([*usual.test.images.split(9)]))
    first = every.train.images[: len(usual.train)]
    assert torch.equal(torch.cat([*first.split(9)]), torch.cat([*usual.train.images.split(9)]))
    told = [note for note in every.notes if "without labels are there for pretraining" in note]
    assert len(told) == (bare > 0) and (not bare or told[0].startswith(f"{bare} picture(s)"))
    left = [note for note in every.notes if "left out" in note and "masks" not in note]
    assert len(left) == any(word in name for word in ("other classes", "test"))  # nobody trains on test pictures


def test_notes_of_a_pack_tell_of_pictures_without_labels_only_where_they_are_wanted(tmp_path):
    for folder in ("train/a", "train/b", "test/a", "test/b", "unlabeled"):
        noise_pictures(tmp_path / "set" / folder, 6)
    shutil.copy(tmp_path / "set/test/a/000.png", tmp_path / "set/train/a/copy.png")
    for i in (0, 1, 2):
        shutil.copy(tmp_path / f"set/test/a/00{i}.png", tmp_path / f"set/unlabeled/copy{i}.png")
    pack = pack_images(tmp_path / "set", 8)
    labelled = "1 of 12 test pictures are in the training set as well"
    bare = "2 of 12 test pictures are among the picture(s) without labels as well"
    every, usual = loaded(pack, unlabelled=True), loaded(pack)
    assert (len(every.train), len(usual.train)) == (22, 13)
    for words, there in ((labelled, (1, 1)), (bare, (1, 0)), ("there for pretraining", (1, 0)), ("left out 9", (0, 1))):
        assert tuple(sum(words in note for note in images.notes) for images in (every, usual)) == there, words


def test_parquet_without_labels_serves_pretraining(tmp_path):
    noise_pictures(tmp_path / "p", 30)
    cells = [{"bytes": (tmp_path / "p" / f"{i:03}.png").read_bytes()} for i in range(30)]

    def write(name, chosen, **columns):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        parquet.write_table(pyarrow.table({"image": cells[chosen], **columns}), tmp_path / name)

    write("free/a.parquet", slice(0, 20))
    assert (len(loaded(tmp_path / "free", 8, unlabelled=True).train)) == 18
    write("some/train.parquet", slice(0, 10), label=[0, 1, None, -1, 0] * 2)
    write("some/test.parquet", slice(10, 14), label=[0, 1] * 2)
    write("some/unlabeled.parquet", slice(14, 20))
    usual, every = (loaded(tmp_path / "some", 8, unlabelled=all_) for all_ in (False, True))
    assert (len(usual.train), len(usual.test)) == (6, 4) and len(every.train) == 6 + 4 + 6
    assert every.train.labels.tolist() == usual.train.labels.tolist() + [-1] * 10
    assert torch.equal(every.train.images[:6], usual.train.images)
    write("bare/train.parquet", slice(0, 10), label=[0, 1] * 5)
    write("bare/test.parquet", slice(10, 20), label=[-1] * 10)
    bare = loaded(tmp_path / "bare", 8, unlabelled=True)
    assert len(bare.train) + len(bare.test) == 10  # nobody trains on test pictures
    write("only/unlabeled.parquet", slice(0, 20))
    assert (len(loaded(tmp_path / "only", 8, unlabelled=True).train)) == 18


# --- memory -----------------------------------------------------------------------------------------------------------


def test_rows_are_put_in_order_in_place():
    for number in (1, 2, 7, 40):
        rows = np.arange(number * 3).reshape(number, 3)
        order = NOISE.permutation(number)[: max(1, number * 2 // 3)]
        expected = rows[order].copy()
        put_in_order(rows, order)
        assert np.array_equal(rows[: len(order)], expected)
        assert sorted(rows[:, 0].tolist()) == [*range(0, number * 3, 3)]


PEAK = """
import resource, sys, threading, time, warnings
warnings.simplefilter("ignore")
import psutil, pyarrow.parquet
from mp3lib import load_images
from mp3lib.data.pictures import decode
load_images(sys.argv[2], 8)  # everything that is loaded once
process, peak, done = psutil.Process(), [0], threading.Event()
before = process.memory_info().rss
def watch():
    while not done.wait(0.001):
        peak[0] = max(peak[0], process.memory_info().rss - before)
watcher = threading.Thread(target=watch)
watcher.start()
images = load_images(sys.argv[1], 128)
done.set()
watcher.join()
print(peak[0] / (images.train.images.nbytes + images.test.images.nbytes))
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["folder", "parquet"])
def test_loading_peaks_at_little_more_than_the_pixels(form, tmp_path):
    """At most 1.3 times the pixels, of which there are 0.15 GB; the writing of the cache included."""
    small = noise_pictures(tmp_path / "small", 4)
    top = tmp_path / "set"
    for name in ("cat", "dog"):
        noise_pictures(top / name, 10, (128, 128))
        for i in range(10, 1500):
            (top / name / f"{i}.png").hardlink_to(top / name / f"{i % 10:03}.png")
    path = top
    if form == "parquet":
        path, small = tmp_path / "x.parquet", tmp_path / "small.parquet"
        cells = [{"bytes": file.read_bytes()} for file in sorted(top.glob("*/00*.png"))] * 150
        table = pyarrow.table({"image": cells, "label": [0, 1] * 1500})
        parquet.write_table(table, path, row_group_size=64, use_dictionary=False)  # as many bytes as pictures have
        parquet.write_table(table[:10], small)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path), str(small)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert 0.95 < float(done.stdout.split()[-1]) < 1.3, done.stdout


def test_what_takes_too_much_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    cells = [{"bytes": (noise_pictures(tmp_path / "p", 1) / "000.png").read_bytes()}] * 4
    parquet.write_table(pyarrow.table({"image": cells}), path)
    monkeypatch.setattr("mp3lib.data.sets.wanted.free_memory", lambda: Wanted((8, 8)).pixels(4))
    with pytest.raises(ValueError, match=r"4 pictures of 8 x 8 pixels take about .* pack them .data pack., or"):
        load_images(path, 8)
