"""Sets in forms of their own: MNIST's idx files, CIFAR-100's pickles, WebDataset's shards, arrays."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import re
import struct
import tarfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from set_makers import (
    FINE,
    GREY,
    LABELS,
    bands,
    cifar100,
    hundred,
    idx,
    mnist,
    noise_pictures,
    png,
    samples,
    shards,
    write_tar,
)

from mp3lib import MP3, ViT, load_images
from mp3lib.__main__ import main
from mp3lib.data import pack_images
from mp3lib.data.notes import Note
from mp3lib.data.pictures.decode import fit_picture
from mp3lib.data.sets.wanted import Wanted
from mp3lib.evaluate import frozen_features
from mp3lib.model import load_mp3, use_classes, with_image_size
from mp3lib.train import pretrain

pytestmark = pytest.mark.usefixtures("own_cache")


def loaded(path: Path, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_images(path, *args, **options)


def by_label(split) -> list[tuple[int, bytes]]:
    """The pairs of a label and the pixels of its image, in an order that follows from them."""
    return sorted(
        (label, pixels.numpy().tobytes()) for label, pixels in zip(split.labels.tolist(), split.images, strict=True)
    )


# --- idx --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def as_pictures(tmp_path) -> Path:
    """The same set as grey PNG files in folders of classes."""
    for name, split in (("train", "train"), ("t10k", "test")):
        for i, (image, label) in enumerate(zip(GREY[name], LABELS[name], strict=True)):
            (place := tmp_path / "pictures" / split / str(label)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{i}.png")
    return tmp_path / "pictures"


@pytest.mark.parametrize("size", [(12, 10), 8, 16])
@pytest.mark.parametrize("form", ["plain", "gzip", "both", "zip"])
def test_idx_files_have_the_pixels_and_labels_of_the_same_grey_pictures(form, size, tmp_path, as_pictures):
    folder = mnist(tmp_path / "set/raw", ".gz" if form == "gzip" else "")
    if form == "both":  # as torchvision leaves them
        mnist(folder, ".gz")
    path = folder.parent
    if form == "zip":
        path = tmp_path / "set.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.iterdir():
                archive.write(file, f"raw/{file.name}")
    images, others = loaded(path, size), loaded(as_pictures, size)
    assert images.classes == ("0", "1", "2") and not images.notes
    for split, other in ((images.train, others.train), (images.test, others.test)):
        assert by_label(split) == by_label(other)
    if size == (12, 10):
        assert torch.equal(images.train.images, torch.from_numpy(GREY["train"])[:, None].expand(-1, 3, -1, -1))
        assert images.train.labels.tolist() == LABELS["train"].tolist()


@pytest.mark.parametrize("size", [(10, 12), (5, 6)])
def test_pictures_of_emnist_are_turned_upright(size, tmp_path):
    lying = loaded(mnist(tmp_path / "set"), size[::-1])
    images = loaded(mnist(tmp_path / "letters", before="emnist-letters-"), size)
    assert images.notes == ("EMNIST stores its pictures with rows and columns exchanged: they were turned upright",)
    for split, other in ((images.train, lying.train), (images.test, lying.test)):
        difference = (split.images.int() - other.images.transpose(2, 3).int()).abs()
        assert difference.float().mean() <= (0 if size == (10, 12) else 1)  # lying, noise differs by about 85
        assert torch.equal(split.labels, other.labels)


def test_idx_images_without_labels_serve_pretraining(tmp_path):
    folder = mnist(tmp_path / "set")
    (folder / "train-labels-idx1-ubyte").unlink(), (folder / "t10k-labels-idx1-ubyte").unlink()
    images = loaded(folder, 8)
    assert len(images.classes) == 1 and (len(images.train), len(images.test)) == (30, 10)
    assert "no file with the labels of" in images.notes[0]


def test_idx_images_to_train_without_labels_leave_the_labelled_test_images_to_the_test(tmp_path):
    folder = mnist(tmp_path / "set")
    (folder / "train-labels-idx1-ubyte").unlink()
    images = loaded(folder, 8, unlabelled=True)
    assert images.train.labels.tolist() == [-1] * 30 and images.test.labels.tolist() == LABELS["t10k"].tolist()
    with pytest.raises(ValueError, match="no training picture has a label"):
        loaded(folder, 8)


def test_one_split_alone_gives_every_tenth_to_the_test(tmp_path):
    folder = mnist(tmp_path / "set")
    for file in folder.glob("t10k*"):
        file.unlink()
    images = loaded(folder, 8)
    assert (len(images.train), len(images.test)) == (27, 3)


TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (TRAIN_IMAGES, b"", "does not begin as one"),
        (TRAIN_IMAGES, idx(GREY["train"])[:9], "does not begin as one"),
        (TRAIN_IMAGES, b"PK" + idx(GREY["train"])[2:], "does not begin as one"),
        (TRAIN_IMAGES, idx(GREY["train"])[:-1], "header says 30 x 12 x 10 values, and the file has 3,615 bytes"),
        (TRAIN_IMAGES, idx(GREY["train"]) + b"x", "header says 30 x 12 x 10 values"),
        (TRAIN_IMAGES, struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3), "header says 4,294,967,295 x"),
        (TRAIN_IMAGES, struct.pack(">BBBB3I", 0, 0, 8, 3, 0, 28, 28), "header says 0 x 28 x 28"),
        (TRAIN_IMAGES, struct.pack(">BBBB3I", 0, 0, 13, 3, 1, 1, 1) + bytes(4), "values of type 13 in 3 axes"),
        (TRAIN_IMAGES, idx(LABELS["train"]) + bytes(99), "values of type 8 in 1 axes, not 8 in 3"),
        (TRAIN_LABELS, idx(LABELS["train"][:29]), "has 30 images, train-labels-idx1-ubyte 29 labels"),
        (f"{TRAIN_IMAGES}.gz", gzip.compress(idx(GREY["train"]))[:-40], "is not a whole file"),
        (f"{TRAIN_IMAGES}.gz", gzip.compress(idx(GREY["train"]))[:-3], "is not a whole file"),
        (f"{TRAIN_IMAGES}.gz", gzip.compress(idx(GREY["train"])[:-5]), "fewer values than the 3,600"),
        (f"{TRAIN_IMAGES}.gz", gzip.compress(idx(GREY["train"]) + b"x"), "more values than the 3,600"),
        (f"{TRAIN_IMAGES}.gz", gzip.compress(gzip.compress(idx(GREY["train"]))), "does not begin as one"),
        (f"{TRAIN_IMAGES}.gz", gzip.compress(idx(GREY["train"])[:4] + b"\0\xff\xff\xff" * 3), "header says 16,777,215"),
    ],
    ids=lambda value: "content" if isinstance(value, bytes) else None,
)
def test_damaged_idx_files_are_refused_in_a_sentence(name, content, words, tmp_path):
    folder = mnist(tmp_path / "set")
    (folder / name.removesuffix(".gz")).unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=words) as told:
        load_images(folder, 8)
    assert name in str(told.value)


def test_gzip_is_seen_by_its_content(tmp_path):
    folder = mnist(tmp_path / "set")
    (folder / TRAIN_IMAGES).rename(folder / f"{TRAIN_IMAGES}.gz")  # as browsers save it
    (folder / TRAIN_LABELS).write_bytes(gzip.compress((folder / TRAIN_LABELS).read_bytes()))
    images = loaded(folder, (12, 10))
    assert np.array_equal(images.train.images[:, 0].numpy(), GREY["train"]) and images.notes == ()


def test_labels_alone_and_a_few_pictures_beside_idx_files_are_said(tmp_path):
    folder = mnist(tmp_path / "set")
    (folder / "t10k-images-idx3-ubyte").unlink()
    for name in ("preview.png", "sample.png"):
        (folder / name).write_bytes(png(1))
    images = loaded(folder, 8)
    assert (len(images.train), len(images.test)) == (27, 3)
    assert images.notes == (
        "there are no images for the labels in t10k-labels-idx1-ubyte",
        "left out 2 picture(s) beside the idx files",
    )
    for i in range(20):
        (folder / f"{i}.png").write_bytes(png(i))
    images = loaded(folder, 8)
    assert len(images.train) == 20 and "left out 3 other file(s): t10k-labels-idx1-ubyte" in images.notes[0]


def test_idx_sets_beside_each_other_and_single_files_are_refused(tmp_path, monkeypatch):
    mnist(tmp_path / "sets/digits"), mnist(tmp_path / "sets/fashion")
    with pytest.raises(ValueError, match="holds several sets in MNIST's form .idx., digits and fashion"):
        load_images(tmp_path / "sets", 8)
    with pytest.raises(ValueError, match="one file of a set in MNIST's form .idx.: give the folder"):
        load_images(tmp_path / "sets/digits" / TRAIN_IMAGES, 8)
    (labels := tmp_path / "labels").mkdir()
    (labels / TRAIN_LABELS).write_bytes(idx(LABELS["train"]))
    with pytest.raises(ValueError, match="but no images"):
        load_images(labels, 8)
    asked = []
    monkeypatch.setattr(Wanted, "streams", lambda self, number, *_, **__: asked.append(number) or 1 / 0)
    with pytest.raises(ZeroDivisionError):  # the question whether they fit comes before the pixels
        load_images(tmp_path / "sets/digits", 8)
    assert asked == [40]


# --- CIFAR-100 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["folder", "around", "tar.gz", "pack"])
def test_cifar_100_has_its_pixels_its_fine_labels_and_their_names(form, tmp_path):
    path = tmp_path / "all/cifar-100-python"
    held = cifar100(path)
    (path / "file.txt~").write_bytes(b"")  # as in the official archive
    if form == "around":
        path = path.parent
    if form == "tar.gz":
        with tarfile.open(tmp_path / "cifar-100-python.tar.gz", "w:gz") as archive:
            archive.add(path, "cifar-100-python")
        path = tmp_path / "cifar-100-python.tar.gz"
    if form == "pack":
        path = pack_images(path, 32, tmp_path / "packed")
    images = loaded(path)
    assert images.classes == tuple(FINE)
    for split, name in ((images.train, "train"), (images.test, "test")):
        assert split.labels.tolist() == held[name][b"fine_labels"]
        assert np.array_equal(split.images.numpy(), held[name][b"data"].reshape(-1, 3, 32, 32))
    assert loaded(path, 16).train.images.shape == (40, 3, 16, 16) if form != "pack" else True


class Canary:
    def __reduce__(self):
        return (print, ("a pickle ran code",))


def without(name: bytes) -> dict[bytes, object]:
    return {key: value for key, value in hundred(10).items() if key != name}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (
            "train",
            hundred(10) | {b"x": Canary()},
            "train is not a batch of CIFAR-100 .UnpicklingError: refused to load",
        ),
        ("meta", {b"fine_label_names": Canary()}, "meta holds no names of classes .UnpicklingError: refused to load"),
        ("train", without(b"fine_labels"), "train is not a batch of CIFAR-100 .KeyError"),
        ("test", without(b"data"), "test is not a batch of CIFAR-100 .KeyError"),
        ("test", hundred(10) | {b"fine_labels": [0] * 9}, "10 images but 9 labels"),
        ("test", hundred(10) | {b"fine_labels": [20] * 10}, "labels from 20 to 20 for 20 classes"),
        ("test", hundred(10) | {b"fine_labels": [b"x"] * 10}, "labels are not whole numbers"),
        ("train", hundred(10) | {b"data": np.zeros((10, 3000), np.uint8)}, "train is not a batch of CIFAR-100"),
        ("train", hundred(10) | {b"data": np.zeros((10, 3072), np.float32)}, "train is not a batch of CIFAR-100"),
        (
            "train",
            hundred(10) | {b"data": np.zeros((10, 32, 32, 3), np.uint8)},
            r"images of the shape \(10, 32, 32, 3\)",
        ),
        ("test", hundred(10) | {b"fine_labels": [-1] * 10}, "a label is -1"),
        ("meta", {b"coarse_label_names": [b"a"]}, "meta holds no names of classes"),
        ("meta", {b"fine_label_names": [b"a", b"a"]}, "empty or equal names"),
        ("meta", [1], "meta holds no names of classes"),
        ("meta", None, "is not complete: meta missing"),
        ("test", None, "is not complete: test missing"),
    ],
)
def test_odd_pickles_of_cifar_100_are_refused_and_run_nothing(name, value, words, tmp_path, capsys):
    cifar100(tmp_path / "set")
    (tmp_path / "set" / name).unlink()
    if value is not None:
        (tmp_path / "set" / name).write_bytes(pickle.dumps(value, protocol=2))
    with pytest.raises(ValueError, match=words):
        load_images(tmp_path / "set")
    assert "ran code" not in capsys.readouterr().out


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_cifar_100_is_read_whatever_the_protocol(protocol, tmp_path):
    held = cifar100(tmp_path / "set")
    for name, value in held.items():
        (tmp_path / "set" / name).write_bytes(pickle.dumps(value, protocol=protocol))
    assert np.array_equal(loaded(tmp_path / "set").train.images.flatten(1).numpy(), held["train"][b"data"])


def test_a_cut_pickle_of_cifar_100_is_refused_and_memory_is_asked_for_first(tmp_path, monkeypatch):
    cifar100(tmp_path / "set")
    whole = (tmp_path / "set/train").read_bytes()
    (tmp_path / "set/train").write_bytes(whole[:5000])
    with pytest.raises(ValueError, match="train is not a batch of CIFAR-100"):
        load_images(tmp_path / "set")
    (tmp_path / "set/train").write_bytes(whole)
    monkeypatch.setattr("mp3lib.data.sets.wanted.free_memory", lambda: 1000)
    with pytest.raises(ValueError, match="of memory are free"):
        load_images(tmp_path / "set")


# --- WebDataset -------------------------------------------------------------------------------------------------------


def expect_right(split, number: int) -> None:
    """Whether the red of each picture is ten times its label."""
    pixels = torch.cat([*split.images.split(8)])
    assert len(split) == number and (pixels[:, 0] == 10 * split.labels[:, None, None]).all()


@pytest.mark.parametrize("stream", [False, True])
def test_shards_in_a_folder_are_one_set_split_by_their_names(stream, tmp_path):
    images = loaded(shards(tmp_path / "set"), 8, stream=stream, workers=0)
    assert images.classes == ("0", "1", "2") and not images.notes
    expect_right(images.train, 24), expect_right(images.test, 12)


@pytest.mark.parametrize("stream", [False, True])
def test_members_of_a_shard_that_are_there_again_are_said(stream, tmp_path):
    for name in ("train-0.tar", "train-1.tar"):
        write_tar(tmp_path / name, samples(0, 10))
        with tarfile.open(tmp_path / name, "a") as archive:
            for member, data in samples(0, 10).items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    images = loaded(tmp_path, 8, stream=stream, workers=0)
    assert len(images.train) + len(images.test) == 20
    words = "left out 40 older version(s) of members that are there again, as in train-0.tar"
    assert sum(words in note for note in images.notes) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_shard_whose_name_says_no_split_is_not_trained_on(stream, tmp_path):
    write_tar(tmp_path / "train.tar", samples(0, 20))
    write_tar(tmp_path / "heldout.tar", samples(20, 6))
    with pytest.raises(ValueError, match="has train.tar for training, and beside it heldout.tar, whose name says no"):
        load_images(tmp_path, 8, stream=stream)


def test_a_shard_that_is_missing_between_others_is_named(tmp_path):
    folder = shards(tmp_path / "set")
    (folder / "set-train-000001.tar").rename(folder / "set-train-000004.tar")
    write_tar(folder / "set-train-000002.tar", samples(40, 12))
    [note] = loaded(folder, 8).notes
    assert note == "of set-train- 2 shard(s) between the others are missing: 000001, 000003"


@pytest.mark.parametrize("form", ["tar", "tar.gz", "folder", "zip"])
def test_the_samples_of_one_archive_or_folder_are_read(form, tmp_path):
    members = {f"x/{name}": data for name, data in samples(0, 30, ("eel", "auk", "bat")).items()}
    path = tmp_path / f"one.{form}"
    if form.startswith("tar"):
        write_tar(path, members, "w:gz" if form == "tar.gz" else "w")
    elif form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    else:
        (path / "x").mkdir(parents=True)
        for name, data in members.items():
            (path / name).write_bytes(data)
    images = loaded(path, 8)
    assert images.classes == ("auk", "bat", "eel") and (len(images.train), len(images.test)) == (27, 3)
    for split in (images.train, images.test):
        reds = {"eel": 0, "auk": 10, "bat": 20}
        assert split.images[:, 0, 0, 0].tolist() == [reds[images.classes[label]] for label in split.labels]


@pytest.mark.parametrize(
    ("picture", "label", "other"),
    [
        (".image.png", ".cls", ".depth.png"),
        (".input.png", ".target.cls", ".mask.png"),
        (".png", ".label.cls", ".mask.png"),
        (".PNG", ".CLS", ".left.PNG"),
    ],
)
def test_a_sample_is_told_by_what_stands_before_the_first_dot(picture, label, other, tmp_path):
    members = {name.replace(".png", picture).replace(".cls", label): data for name, data in samples(0, 30).items()}
    for i in range(30):
        members[f"{i:06}{other}"] = png(255)
    images = loaded(write_tar(tmp_path / "one.tar", members), 8)
    expect_right(images.train, 27), expect_right(images.test, 3)
    assert f"left out 30 further picture(s): 000000{other}" in images.notes[0]


def test_names_with_dots_and_labels_with_a_byte_order_mark(tmp_path):
    members = {}
    for name, data in samples(0, 30).items():
        members[f"img_v1.5_{name}"] = b"\xef\xbb\xbf" + data if name.endswith(".cls") else data
    images = loaded(write_tar(tmp_path / "one.tar", members), 8)
    expect_right(images.train, 27), expect_right(images.test, 3)
    assert images.notes == ()


def test_folders_in_a_tar_say_the_split_and_a_packed_set_is_the_same(tmp_path):
    members = {f"train/{name}": data for name, data in samples(0, 12).items()}
    members |= {f"test/{name}": data for name, data in samples(12, 6).items()}
    path = write_tar(tmp_path / "one.tar", members)
    for file in (path, pack_images(path, 8, tmp_path / "packed")):
        images = loaded(file) if file == path else loaded(file, 8)
        assert (len(images.train), len(images.test)) == (12, 6)


def test_what_else_a_sample_holds_is_said(tmp_path):
    members = samples(0, 12)
    members |= {f"{i:06}.json": b"{}" for i in range(12)} | {"000001.mask.png": png(255), "000002.webp": png(255)}
    members |= {"000003.cls": b"", "000004.cls": b"a\0b", "000005.png": b"\x89PNG", "000006.cls": b"-1"}
    del members["000007.cls"]
    path = write_tar(tmp_path / "one.tar", members)
    images = loaded(path, 8)
    expect_right(images.train, 4), expect_right(images.test, 3)
    notes = "; ".join(images.notes)
    assert "12 file(s) are not read: those with .json" in notes
    assert "left out 2 further picture(s): 000001.mask.png, 000002.webp" in notes
    assert "left out 2 label(s): 000003.cls, 000004.cls (neither a number nor the name of a class" in notes
    assert "left out 1 unreadable picture(s): 000005.png" in notes
    assert "left out 4 picture(s) of the file without a label" in notes
    more = loaded(path, 8, unlabelled=True)
    assert (more.train.labels == -1).sum() == 4 and len(more.train) == 8


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:700], "set-train-000001.tar cannot be read to its end"),
        (lambda data: data[:1024] + b"x" * 512 + data[1536:], "set-train-000001.tar cannot be read to its end"),
        (lambda data: b"", "set-train-000001.tar cannot be read to its end"),
        (gzip.compress, "set-train-000001.tar is packed"),
    ],
)
def test_a_damaged_shard_is_named(damage, words, tmp_path):
    folder = shards(tmp_path / "set")
    file = folder / "set-train-000001.tar"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=words):
        load_images(folder, 8)


@pytest.mark.parametrize("unlabelled", [False, True])
def test_shards_with_texts_and_no_classes_are_one_set(unlabelled, tmp_path):
    for first in (0, 6):
        members = {}
        for i in range(first, first + 6):
            members |= {f"{i}.png": png(i), f"{i}.mask.png": png(i), f"{i}.txt": b"a cat", f"{i}.json": b"{}"}
        write_tar(tmp_path / f"set/{first:06}.tar", members)
    with pytest.warns(Note, match="no sample has a label .\\.cls.: all pictures count as one class"):
        images = load_images(tmp_path / "set", 8, unlabelled=unlabelled)
    assert len(images.train) + len(images.test) == 12


def test_shards_of_several_sets_and_tars_without_samples_are_no_set(tmp_path):
    shards(tmp_path / "sets/a"), shards(tmp_path / "sets/b")
    with pytest.raises(ValueError, match="a and b each hold"):
        load_images(tmp_path / "sets", 8)
    for name in ("auk", "bat"):
        write_tar(tmp_path / f"classes/{name}.tar", {f"{i}.png": png(i) for i in range(4)})
    with pytest.raises(ValueError, match="It holds 2 archives, as auk.tar.* No .cls was found"):
        load_images(tmp_path / "classes", 8)


def test_a_few_classes_in_files_beside_a_folder_of_classes_do_not_decide(tmp_path):
    for name in ("auk", "bat"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(5):
            (tmp_path / "set" / name / f"{i}.png").write_bytes(png(i))
    (tmp_path / "set/auk/0.cls").write_bytes(b"7")
    assert loaded(tmp_path / "set", 8).classes == ("auk", "bat")


@pytest.mark.parametrize("number", [0, 2])
def test_an_empty_shard_is_named_and_loses_nothing(number, tmp_path):
    folder = shards(tmp_path / "set")
    name = f"set-train-{number:06}.tar"
    if number == 0:
        (folder / name).rename(folder / "set-train-000002.tar")
    tarfile.open(folder / name, "w").close()
    images = loaded(folder, 16)
    assert (len(images.train), len(images.test)) == (24, 12)
    assert images.notes == (f"1 shard(s) are empty, as {name}",)


@pytest.mark.parametrize("kind", ["empty", "broken"])
def test_a_shard_for_tests_without_pictures_is_replaced_with_a_word(kind, tmp_path):
    write_tar(tmp_path / "train.tar", samples(0, 30))
    write_tar(tmp_path / "test.tar", {} if kind == "empty" else {"1.png": b"nothing", "1.cls": b"1"})
    images = loaded(tmp_path, 8)
    assert (len(images.train), len(images.test)) == (27, 3)
    assert "no labelled test pictures are left, so every tenth picture of a class is used to test" in images.notes


# --- arrays -----------------------------------------------------------------------------------------------------------


def stored_as(folder: Path, split: str) -> dict[bytes, int]:
    """The values of each array, (c, H, W) at the size of the set, with the number of its class."""
    found = {}
    for label, name in enumerate(("auk", "bat")):
        for file in (folder / split / name).iterdir():
            values = np.load(file)
            values = values if values.shape[0] == 5 else values.transpose(2, 0, 1)
            found[np.ascontiguousarray(values.round()).astype(np.uint8).tobytes()] = label
    return found


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", ">u2", "float16"])
def test_arrays_have_their_values_in_either_order_of_axes(kind, first, stream, tmp_path):
    folder = bands(tmp_path / "set", 5, kind, first)
    value_range = None if kind == "uint8" else (0, 255)
    images = loaded(folder, (12, 9), channels=5, value_range=value_range, stream=stream, workers=0)
    assert images.classes == ("auk", "bat") and not images.notes
    for split, name in ((images.train, "train"), (images.test, "test")):
        pixels = torch.cat([*split.images.split(8)])
        assert pixels.shape[1:] == (5, 12, 9)
        found = {image.numpy().tobytes(): label for image, label in zip(pixels, split.labels.tolist(), strict=True)}
        assert found == stored_as(folder, name) and len(found) == len(split)


def test_values_are_scaled_and_held_at_the_ends_of_their_range(tmp_path):
    (tmp_path / "set").mkdir()
    values = np.array([[-9.0, -1.0], [0.0, 3.0]])
    for i in range(4):
        np.save(tmp_path / f"set/{i}.npy", values + 0 * i)
    images = loaded(tmp_path / "set", 2, channels=1, value_range=(-1, 1))
    assert images.train.images[0].tolist() == [[[0, 0], [128, 255]]]


def test_values_far_outside_of_their_range_are_counted(tmp_path):
    for i in range(4):
        values = np.full((8, 8, 3), 0.5, dtype=np.float32)
        values[:4] = 40 * (i > 1)
        np.save(tmp_path / f"{i}.npy", values)
    with pytest.warns(Note, match="2 array.s. hold values outside value_range, which became 0 or 255: 50 %"):
        load_images(tmp_path, 8, value_range=(0, 1))


@pytest.mark.parametrize("stream", [False, True])
def test_values_of_uint8_stay_beside_values_that_are_scaled(stream, tmp_path):
    for name, values in (("auk", np.full((8, 8, 3), 130, np.uint8)), ("bat", np.full((8, 8, 3), 10_000, np.uint16))):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(4):
            np.save(tmp_path / "set" / name / f"{i}.npy", values)
    images = loaded(tmp_path / "set", 8, value_range=(0, 10_000), stream=stream, workers=0)
    pixels = torch.cat([*images.train.images.split(8)])
    assert pixels[images.train.labels == 0].unique().tolist() == [130]
    assert pixels[images.train.labels == 1].unique().tolist() == [255]


@pytest.mark.parametrize("stream", [False, True])
def test_every_band_is_resized_as_a_grey_picture_is(stream, tmp_path):
    folder = bands(tmp_path / "set", 4, "uint8")
    images = loaded(folder, (6, 7), channels=4, stream=stream, workers=0)
    pixels = {image.numpy().tobytes() for image in torch.cat([*images.test.images.split(8)])}
    for file in folder.glob("test/*/*.npy"):
        grey = [Image.fromarray(band) for band in np.load(file).transpose(2, 0, 1)]
        assert np.stack([np.asarray(fit_picture(band, (6, 7))) for band in grey]).tobytes() in pixels


def test_a_range_on_the_command_line_may_begin_below_zero(tmp_path):
    for i in range(3):
        (tmp_path / "set").mkdir(exist_ok=True)
        np.save(tmp_path / f"set/{i}.npy", np.full((2, 2), -1.0))
    out = tmp_path / "packed"
    arrays = ["--channels", "1", "--value-range", "-1", "1"]
    assert main(["data", "pack", str(tmp_path / "set"), "--size", "2", *arrays, "--out", str(out)]) == 0
    assert loaded(out).train.images.unique().tolist() == [0]


def test_arrays_pack_stream_and_train_with_their_channels(tmp_path, capsys):
    folder = bands(tmp_path / "set", 5)
    arrays = ["--channels", "5", "--value-range", "0", "255"]
    assert main(["data", "pack", str(folder), "--size", "16", *arrays, "--out", str(tmp_path / "packed")]) == 0
    packed, whole = loaded(tmp_path / "packed"), loaded(folder, 16, channels=5, value_range=(0, 255))
    assert torch.equal(packed.train.images, whole.train.images) and packed.train.images.shape == (20, 5, 16, 16)
    with pytest.raises(ValueError, match="holds images of 5 channel.s., scaled when they were packed"):
        load_images(tmp_path / "packed", channels=3)
    command = ["pretrain", "--data", str(folder), "--size", "16", *arrays, "--patch-size", "4", "--epochs", "1"]
    shape = ["--dim", "32", "--depth", "1", "--heads", "1", "--mlp-dim", "32", "--precision", "float32"]
    out = tmp_path / "run"
    assert main([*command, *shape, "--stream", "--workers", "0", "--batch-size", "10", "--out", str(out)]) == 0
    command = ["finetune", "--weights", str(out), "--data", str(folder), *arrays[2:], "--epochs", "1"]
    assert main([*command, "--batch-size", "10", "--precision", "float32", "--out", str(tmp_path / "tuned")]) == 0
    vit = ViT(num_classes=2, image_size=16, patch_size=4, dim=32, depth=1, heads=1, mlp_dim=32, channels=5)
    pretrain(MP3(vit, masking_ratio=0.5, context="updated"), whole.train.images, epochs=1, batch_size=10)


def test_a_range_is_kept_with_packs_and_with_weights(tmp_path, capsys):
    """Without a word, weights that had learned values to 10,000 were given those of values to 20,000."""
    folder, out = bands(tmp_path / "set", 5), tmp_path / "run"
    shape = ["--patch-size", "4", "--dim", "16", "--depth", "1", "--heads", "1", "--mlp-dim", "16", "--epochs", "1"]
    new = ["pretrain", "--data", str(folder), "--size", "8", "--channels", "5", *shape, "--batch-size", "10"]
    new += ["--eval-every", "0", "--stream", "--workers", "0", "--out", str(out)]
    assert main([*new, "--value-range", "0", "510"]) == 0
    for file in ("run.json", "config.json", f"{min(out.glob('checkpoint-*')).name}/config.json"):
        assert json.loads((out / file).read_text())["value_range"] == [0, 510], file
    assert "The values from 0 to 510 of the images became 0 to 255" in (out / "README.md").read_text()
    vit = load_mp3(out).vit
    assert with_image_size(load_mp3(out), 16).vit.value_range == use_classes(vit, 3).value_range == (0, 510)
    assert main([*new, "--value-range", "0", "255", "--resume"]) == 1
    assert "value_range [0.0, 510.0] then, [0.0, 255.0] now" in capsys.readouterr().err

    pack = ["data", "pack", str(folder), "--size", "8", "--channels", "5", "--value-range", "0", "255"]
    assert main([*pack, "--out", str(tmp_path / "packed")]) == 0 and loaded(tmp_path / "packed").value_range == (0, 255)
    with pytest.warns(Note, match="value_range, 0 to 9 .*: the values from 0 to 255 became 0 and 255 already"):
        load_images(tmp_path / "packed", value_range=(0, 9))
    capsys.readouterr()
    told = "the values from 0 to 255 became 0 to 255; when the weights were trained, it was those from 0 to 510"
    seen = []
    for data, options in ((folder, []), (folder, ["--value-range", "0", "255"]), (tmp_path / "packed", [])):
        file = tmp_path / f"{len(seen)}.npz"
        assert main(["embed", "--weights", str(out), "--data", str(data), *options, "--out", str(file)]) == 0
        seen.append((np.load(file)["pooled"], capsys.readouterr().err.count(told)))
    assert [notes for _, notes in seen] == [0, 1, 1]
    assert not np.allclose(seen[0][0], seen[1][0], atol=1e-4)
    own = frozen_features(vit, loaded(folder, 8, channels=5, value_range=(0, 510)).test.images)
    assert np.allclose(np.sort(seen[0][0][-len(own) :], axis=0), np.sort(own.numpy(), axis=0), atol=1e-4)
    assert main(["embed", "--weights", str(out), "--data", "scenes", "--out", str(tmp_path / "no.npz")]) == 1
    assert "the weights take images of 5 channels: channels is for folders" in capsys.readouterr().err


@pytest.mark.parametrize("stream", [False, True])
def test_grey_pictures_of_16_bits_take_the_range_of_other_pictures(stream, tmp_path):
    """Else white is 1023 or 4095, by the largest value in the folder at hand."""
    for name, top in (("one", 900), ("other", 4000)):
        (tmp_path / name).mkdir()
        for i in range(4):
            Image.fromarray(np.full((4, 4), top if i == 3 else 800, np.uint16)).save(tmp_path / name / f"{i}.png")
    one = loaded(tmp_path / "one", 4, stream=stream, workers=0)
    own = loaded(tmp_path / "other", 4, stream=stream, workers=0)
    assert one.value_range == (0, 1023) and own.value_range == (0, 4095)
    with pytest.warns(Note, match="from 800 to 4000: those outside value_range, 0 to 1023, became black or white"):
        like = load_images(tmp_path / "other", 4, stream=stream, workers=0, value_range=one.value_range)
    assert like.value_range == (0, 1023)
    pixels = [torch.cat([*images.train.images.split(4)])[0, 0, 0, 0] for images in (one, own, like)]
    assert pixels[0] == pixels[2] == round(800 * 255 / 1023) and pixels[1] == round(800 * 255 / 4095)


def saved(values: object, **options: object) -> bytes:
    np.save(out := io.BytesIO(), values, **options)
    return out.getvalue()


RAMP = np.zeros((8, 8, 5), dtype=np.uint8)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (saved(RAMP)[:9], "its header is damaged"),
        (saved(RAMP)[:-1], "which is 448 bytes, and the file has 447"),
        (saved(RAMP) + b"x", "which is 448 bytes, and the file has 449"),
        (saved(RAMP).replace(b"(8, 8, 5)", b"(9**9, 5)"), "its header is damaged"),
        (saved(RAMP).replace(b"(8, 8, 5), }  ", b"(99999999, 9, 5), }"), "the file has"),
        (saved(np.array([Canary()] * 9, dtype=object), allow_pickle=True), "it holds object"),
        (saved(np.zeros((8, 8, 5), dtype=complex)), "it holds complex128"),
        (saved(np.zeros((8, 8, 5), dtype=bool)), "it holds bool"),
        (saved(np.zeros((8, 8, 4), dtype=np.uint8)), "and 5 channels are wanted"),
        (saved(np.zeros((8, 8), dtype=np.uint8)), "and 5 channels are wanted"),
        (saved(np.zeros((5, 8, 5), dtype=np.uint8)), "so it is open which axis has the 5 channels"),
        (saved(np.zeros((2, 8, 8, 5), dtype=np.uint8)), "of several pictures: load_images.np.load"),
        (saved(np.zeros((8, 0, 5), dtype=np.uint8)), "the shape .8, 0, 5., which is not a picture"),
        (saved(np.zeros((1, 1, 5), dtype=np.uint8)).replace(b"(1, 1, 5)", b"(True,1,5)")[:-1], "not a picture|damaged"),
        (saved(np.zeros((8, 8, 5), dtype=np.uint16)), "values of uint16 need value_range"),
        (png(5), "its header is damaged|does not begin as an array"),
    ],
)
def test_odd_arrays_are_left_out_with_the_reason(content, words, stream, tmp_path, capsys):
    folder = bands(tmp_path / "set", 5, "uint8")
    (folder / "train/auk/0.npy").write_bytes(content)
    images = loaded(folder, 8, channels=5, stream=stream, workers=0)
    assert len(images.train) == 19 and re.search(words, images.notes[0]) and "train/auk/0.npy" in images.notes[0]
    assert "ran code" not in capsys.readouterr().out


@pytest.mark.parametrize("stream", [False, True])
def test_headers_of_arrays_are_parsed_by_one_thread_at_a_time(stream, tmp_path, monkeypatch):
    """Two at a time: now and then "AST constructor recursion depth mismatch", and a picture less."""
    inside, most, parse = [], [], np.lib.format.read_array_header_1_0

    def slowly(file, **options):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)
        inside.pop()
        return parse(file, **options)

    monkeypatch.setattr(np.lib.format, "read_array_header_1_0", slowly)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    images = loaded(bands(tmp_path / "set", 5, "uint8"), 8, channels=5, stream=stream, workers=0)
    assert (len(images.train), len(images.test)) == (20, 8) and len(most) >= 28 and max(most) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_arrays_that_cannot_be_pictures_leave_the_pictures_in_use(stream, tmp_path):
    for name in ("auk", "bat"):
        for i in range(4):
            file = noise_pictures(tmp_path / name, 4) / f"{i:03}_feat.npy"
            np.save(file, np.zeros(128, dtype=np.float32))
    np.save(tmp_path / "auk/mean.npy", np.zeros(128))
    images = loaded(tmp_path, 8, stream=stream, workers=0)
    assert (images.classes, len(images.train), len(images.test)) == (("auk", "bat"), 6, 2)
    assert "left out 9 array(s): auk/000_feat.npy" in images.notes[0] and "(beside pictures;" in images.notes[0]


def test_pictures_beside_more_arrays_that_cannot_be_read_are_named(tmp_path):
    noise_pictures(tmp_path / "set", 4)
    for i in range(5):
        np.save(tmp_path / f"set/{i}.npy", np.zeros((8, 8, 5), dtype=np.uint8))
    words = "holds 0 readable pictures.*5 channels|Left out 4 picture.s. beside the arrays"
    with pytest.raises(ValueError, match=words) as told:
        load_images(tmp_path / "set", 8)
    assert "Left out 4 picture(s) beside the arrays (.npy), which are more" in str(told.value)


@pytest.mark.parametrize("kind", ["uint8", ">u2", "float32"])
def test_arrays_in_columns_and_in_either_order_of_bytes_are_read(kind, tmp_path):
    folder = bands(tmp_path / "set", 5, "uint8")
    told = {} if kind == "uint8" else {"value_range": (0, 255)}
    expected = loaded(folder, 8, channels=5).train.images
    for file in folder.rglob("*.npy"):
        np.save(file, np.asfortranarray(np.load(file).astype(kind)))
    images = loaded(folder, 8, channels=5, **told).train.images
    assert torch.equal(images, expected)


def test_values_that_are_not_finite_are_left_out_in_memory_and_replaced_in_a_stream(tmp_path):
    folder = bands(tmp_path / "set", 5, "float32")
    for file in folder.glob("train/auk/[012].npy"):
        np.save(file, np.full((12, 9, 5), np.nan, dtype=np.float32))
    images = loaded(folder, 8, channels=5, value_range=(0, 255))
    assert len(images.train) == 17 and "left out 3 unreadable" in images.notes[0]
    images = loaded(folder, 8, channels=5, value_range=(0, 255), stream=True, workers=0)
    with pytest.warns(Note, match="it holds values that are not finite"):
        assert len(torch.cat([*images.train.images.split(8)])) == 20


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": 0}, "channels must be"),
        ({"channels": 17}, "channels must be"),
        ({"channels": True}, "channels must be"),
        ({"value_range": (1, 1)}, "value_range must be a pair of finite numbers, low below high"),
        ({"value_range": (0, float("inf"))}, "value_range must be"),
        ({"value_range": 255}, "value_range must be"),
    ],
)
def test_odd_channels_and_ranges_are_refused(options, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        load_images(tmp_path, 8, **options)


def test_channels_are_refused_and_ranges_noted_where_there_is_nothing_to_scale(tmp_path):
    bands(tmp_path / "set", 3, "uint8")
    with pytest.raises(ValueError, match="is a single array: give the folder"):
        load_images(tmp_path / "set/train/auk/0.npy", 8)
    for path in (mnist(tmp_path / "mnist"), "scenes"):
        with pytest.raises(ValueError, match="channels is for folders of arrays"):
            load_images(path, 8, channels=1)
        with pytest.warns(Note, match="value_range, 0 to 1 .* is not used: there are no values of more than 8 bits"):
            images = load_images(path, 8, value_range=(0, 1))
        assert images.value_range is None and torch.equal(images.test.images, loaded(path, 8).test.images)
    pixels = torch.zeros(4, 5, 8, 8, dtype=torch.uint8)
    assert loaded(pixels).train.images.shape[1] == loaded(pixels, channels=5).train.images.shape[1] == 5
    with pytest.raises(ValueError, match="must have 4 channels"):
        load_images(pixels, channels=4)
    with pytest.raises(ValueError, match="value_range is for pictures, got .*which holds uint8"):
        load_images(pixels, value_range=(0, 1))
