"""Streamed images: the same pixels as in memory, and the same weights whatever the number of workers."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from set_makers import noise_pictures

from mp3lib import MP3, ViT, load_images
from mp3lib.__main__ import main
from mp3lib.cli.measures import measure_top1
from mp3lib.data import streaming
from mp3lib.data.crops import Crop, drawn_crop
from mp3lib.data.notes import Note
from mp3lib.data.pictures.decode import decode
from mp3lib.data.sets import wanted
from mp3lib.data.streaming import Stream, fitting_workers, usual_workers
from mp3lib.data.tensors import numbered
from mp3lib.evaluate import frozen_features, patch_only_floor, position_accuracy, top1_accuracy
from mp3lib.train import finetune, pretrain, read_run
from mp3lib.train.batches import source_of
from mp3lib.train.digests import digest_of

SIZE = (16, 24)
QUICK = dict(epochs=2, batch_size=8, precision="float32", progress=False, seed=3)


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Pictures of many kinds, each at least as large as ``SIZE``, in two classes."""
    top, draw = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(40):
        place = top / ("cat", "dog")[number % 2]
        place.mkdir(exist_ok=True)
        picture = Image.fromarray(draw.integers(0, 256, (30 + number % 5, 40 + number % 3, 3), dtype=np.uint8))
        kind = number // 2 % 4
        if kind == 0:
            picture.save(place / f"{number}.png")
        elif kind == 1:
            exif = Image.Exif()
            exif[0x0112] = 6  # on its side
            picture.save(place / f"{number}.jpg", exif=exif)
        elif kind == 2:
            picture.convert("L").save(place / f"{number}.bmp")
        else:
            deep = draw.integers(0, 4000, (30, 40), dtype=np.uint16)
            Image.fromarray(deep).save(place / f"{number}.png")
    (top / "cat" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (top / "dog" / "empty.png").write_bytes(b"")
    return top


def both(folder: Path, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        images = load_images(folder, SIZE, stream=False), load_images(folder, SIZE, stream=True, **options)
    # what is collected meanwhile, such as the pipes of an earlier test's workers, may warn that it was open
    assert [str(w.message) for w in caught if w.category not in (Note, ResourceWarning)] == []
    return images


def everything(stream) -> torch.Tensor:
    return torch.cat(list(stream.split(7)))


def model(classes: int = 2) -> MP3:
    torch.manual_seed(0)
    vit = ViT(num_classes=classes, image_size=SIZE, patch_size=8, dim=16, depth=1, heads=1, mlp_dim=16)
    return MP3(vit, 0.5, "updated")


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# --- the same pixels --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_has_the_pixels_labels_and_notes_of_memory(folder, workers):
    memory, stream = both(folder, workers=workers)
    assert stream.notes == memory.notes and any("left out 2 unreadable picture(s)" in note for note in stream.notes)
    assert any("values from" in note for note in stream.notes) and stream.classes == memory.classes
    for part in ("train", "test"):
        ours, theirs = getattr(stream, part), getattr(memory, part)
        assert isinstance(ours.images, Stream) and ours.images.shape == theirs.images.shape
        assert torch.equal(everything(ours.images), theirs.images) and torch.equal(ours.labels, theirs.labels)
    assert stream.fingerprint != memory.fingerprint and len(stream.fingerprint) == 32


def test_a_part_of_a_stream_is_a_stream_and_one_image_is_its_pixels(folder):
    memory, stream = (images.train for images in both(folder, workers=0))
    chosen = stream.labels == 1
    for which in (slice(3, 9), slice(None, None, 2), chosen, torch.tensor([5, 2])):
        assert torch.equal(everything(stream.images[which]), memory.images[which])
    assert torch.equal(stream.images[4], memory.images[4]) and stream.images[4].dtype == torch.uint8
    assert torch.equal(torch.stack([*stream.images]), memory.images)
    assert stream.images.nbytes == memory.images.nbytes and "Stream((" in repr(stream.images)


def test_a_plain_tar_streams_and_a_packed_one_says_what_to_do(folder, tmp_path):

    for name, mode in (("a.tar", "w"), ("a.tar.gz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as archive:
            archive.add(folder, "set")
    memory, stream = both(tmp_path / "a.tar", workers=2)
    assert torch.equal(everything(stream.train.images), memory.train.images)
    with pytest.raises(ValueError, match="cannot be streamed: only folders of pictures, and tars without compression"):
        load_images(tmp_path / "a.tar.gz", SIZE, stream=True)


def test_a_tar_that_is_changed_while_it_streams_is_not_read_on(folder, tmp_path):
    for number, names in enumerate((("cat", "dog"), ("dog", "cat"))):
        with tarfile.open(tmp_path / "set.tar", "w") as archive:
            for name in names:
                archive.add(folder / name, name)
        os.utime(tmp_path / "set.tar", (number, number))
        if not number:
            images = load_images(tmp_path / "set.tar", SIZE, stream=True, workers=0)
    with pytest.raises(ValueError, match="cannot be read: .*the archive was changed after it was loaded: load it"):
        everything(images.train.images)


def test_the_fingerprint_of_a_stream_follows_its_files(folder, tmp_path):
    import shutil

    def of(path, size=SIZE) -> str:
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            return load_images(path, size, stream=True).fingerprint

    shutil.copytree(folder, tmp_path / "copy")
    assert of(tmp_path / "copy") == of(folder) != of(folder, 8)
    (tmp_path / "copy/cat/0.png").unlink()
    assert of(tmp_path / "copy") != of(folder)


# --- how the way is chosen --------------------------------------------------------------------------------------------


def test_what_takes_more_than_half_of_the_free_memory_is_streamed_by_itself(folder, monkeypatch, capsys):
    needed = int(1.3 * 40 * 3 * SIZE[0] * SIZE[1] + 1)
    decoded = []
    monkeypatch.setattr(wanted, "free_memory", lambda: 3 * needed)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        assert isinstance(load_images(folder, SIZE).train.images, torch.Tensor)
        assert "in memory (0.0 MB)\n" in capsys.readouterr().out
        monkeypatch.setattr(wanted, "free_memory", lambda: int(1.5 * needed))
        monkeypatch.setattr("mp3lib.data.sets.rows.Rows.__init__", lambda *args: decoded.append(args))
        os.utime(folder / "cat")  # so that the cache does not know it
        (folder / "cat").touch()
        assert isinstance(load_images(folder, SIZE, workers=3).train.images, Stream)
        assert "streamed by 3 workers (0.0 MB if they were in memory)\n" in capsys.readouterr().out
        monkeypatch.setattr(wanted, "free_memory", lambda: needed)
        with pytest.raises(ValueError, match=r"42 pictures of 16 x 24 pixels take about 0.0 GB .* stream them"):
            load_images(folder, SIZE, stream=False)
    assert decoded == []  # nothing was taken


def test_processes_of_a_training_share_memory_and_cores(monkeypatch):
    one = usual_workers()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1000")
    assert usual_workers() == 1 <= one
    monkeypatch.setattr(wanted, "free_memory", lambda: 10**9)
    assert wanted.Wanted().streams(1000, Path("x"), possible=True)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    assert not wanted.Wanted().streams(1000, Path("x"), possible=True)


def test_little_shared_memory_and_classes_of_notebooks_leave_fewer_workers(monkeypatch):
    class Own:
        __module__ = "__main__"

    with pytest.warns(Note, match="the data set's class Own was written in a notebook or script"):
        assert fitting_workers(4, Own(), 100, "spawn") == 0
    monkeypatch.setattr(streaming.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    monkeypatch.setattr(Path, "is_dir", lambda self: True)
    with pytest.warns(Note, match="has 0 MB free, enough for 3 of 4 workers: give the container more"):
        assert fitting_workers(4, [], 100, "fork") == 3


@pytest.mark.parametrize("bad", [{"stream": "yes"}, {"workers": -1}, {"workers": 2.5}, {"workers": True}])
def test_options_of_streaming_are_checked(bad, folder):
    with pytest.raises(ValueError, match=f"{[*bad][0]} must be"):
        load_images(folder, SIZE, **bad)


# --- crops ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("picture", [(40, 30), (300, 20), (20, 300)])
def test_crops_lie_in_the_picture_and_have_their_area_and_shape(picture):
    width, height = picture
    scale = min(width / SIZE[1], height / SIZE[0])
    largest = scale**2 * SIZE[0] * SIZE[1]
    lefts = []
    for place in range(300):
        crop = drawn_crop(1, 2, place, (0.3, 0.8), True)
        left, top, right, bottom = crop.box(width, height, SIZE)
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        assert 0.3 - 1e-9 <= (right - left) * (bottom - top) / largest <= 0.8 + 1e-9
        shape = (right - left) / (bottom - top) * SIZE[0] / SIZE[1]
        assert 3 / 4 - 1e-9 <= shape <= 4 / 3 + 1e-9
        lefts.append(left / (width - right + left))
    assert min(lefts) < 0.05 and max(lefts) > 0.95 and 0.4 < np.mean(lefts) < 0.6
    assert len({drawn_crop(1, 2, place, (0.3, 0.8), True).mirrored for place in range(20)}) == 2
    assert not any(drawn_crop(1, 2, place, (0.3, 0.8), False).mirrored for place in range(20))


def test_a_crop_is_that_part_of_the_picture(tmp_path):
    """Of a picture whose left half is red and whose right half is blue."""
    picture = Image.new("RGB", (200, 100), "red")
    picture.paste("blue", (100, 0, 200, 100))
    picture.save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    left = decode(data, (10, 10), Crop(0.5, 0.5, 0.0, 0.5, False)).pixels
    right = decode(data, (10, 10), Crop(0.5, 0.5, 1.0, 0.5, False)).pixels
    assert (left[0] == 255).all() and (left[2] == 0).all() and (right[2] == 255).all() and (right[0] == 0).all()
    middle, mirrored = (decode(data, (10, 10), Crop(1.0, 0.5, 0.5, 0.5, m)).pixels for m in (False, True))
    assert middle[0, 5, 0] == 255 == mirrored[2, 5, 0] and np.array_equal(middle[:, :, ::-1], mirrored)


def test_a_whole_crop_is_the_whole_picture_of_a_large_jpeg(tmp_path):
    """It is decoded at a smaller scale, and its box is that of the smaller one."""
    ramp = np.tile(np.linspace(0, 255, 800).astype(np.uint8)[None, :, None], (800, 1, 3))
    Image.fromarray(ramp).save(tmp_path / "x.jpg", quality=95)
    pixels = decode((tmp_path / "x.jpg").read_bytes(), (32, 32), Crop(1.0, 0.5, 0.0, 0.0, False)).pixels
    expected = np.linspace(0, 255, 33)[:-1] + 4
    assert np.abs(pixels[0].astype(float) - expected).max() < 6


# --- training ---------------------------------------------------------------------------------------------------------


def test_draws_follow_from_seed_epoch_and_place_alone(folder):
    images = both(folder, workers=0)[1].train.images
    order, places = torch.arange(len(images)).flip(0), torch.arange(len(images)).split(8)

    def batches(places, seed=1, epoch=0, order=order):
        return [batch.images for batch in source_of(images, None, (0.5, 1), True).epoch(order, places, seed, epoch)]

    whole = batches(places)
    assert all(torch.equal(a, b) for a, b in zip(whole[2:], batches(places[2:]), strict=True))
    halves = torch.cat([part for place in places for part in batches(place.chunk(2))])
    assert torch.equal(torch.cat(whole), halves)  # two processes, or two parts of a step
    assert not torch.equal(whole[0], batches(places, seed=2)[0])
    assert not torch.equal(whole[0], batches(places, epoch=1)[0])


def test_labels_go_with_their_images(folder):
    memory, stream = both(folder, workers=2)
    source = source_of(stream.train.images, stream.train.labels, (1.0, 1.0), False)
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))
    for epoch in range(2):
        for batch, own in zip(source.epoch(order, order.split(9), 0, epoch), order.split(9), strict=True):
            assert batch.cropped and torch.equal(batch.labels, memory.train.labels[order[own]])


@pytest.mark.slow
def test_weights_are_the_same_for_any_number_of_workers_and_when_they_are_spawned(folder):
    images = both(folder, workers=0)[1]

    def trained(**change) -> dict:
        mp3 = model()
        pretrain(mp3, replace(images.train.images, **change), eval_images=images.test.images, **QUICK)
        return mp3.state_dict()

    alone = trained()
    assert same(alone, trained(workers=1)) and same(alone, trained(workers=2))
    assert same(alone, trained(workers=1, multiprocessing_context="spawn"))


@pytest.mark.parametrize("task", ["pretrain", "finetune"])
def test_a_streamed_run_goes_on_in_the_middle_of_an_epoch(task, folder, tmp_path, interrupted):
    from mp3lib.train import steps

    images = both(folder, workers=1)[1]

    def train(out, resume=False) -> dict:
        mp3 = model()
        options = QUICK | dict(out=out, resume=resume, save_every=3)
        if task == "pretrain":
            pretrain(mp3, images.train.images, **options)
        else:
            finetune(mp3.vit, images.train.images, images.train.labels, augment=0.5, **options)
        return mp3.state_dict()

    whole = train(tmp_path / "whole")
    with interrupted(steps, "set_rates", 8):
        train(tmp_path / "parts")
    assert "checkpoint-00000007" in " ".join(os.listdir(tmp_path / "parts")) or len(os.listdir(tmp_path / "parts")) > 2
    assert same(whole, train(tmp_path / "parts", resume=True))
    assert read_run(tmp_path / "parts")["settings"]["streamed"] is True


def test_measures_are_the_same_as_in_memory(folder):
    memory, stream = both(folder, workers=1)
    mp3 = model()
    scores = [position_accuracy(mp3, part.test.images, batch_size=3) for part in (stream, memory)]
    assert scores[0] == scores[1]
    with torch.no_grad():
        ours, theirs = (frozen_features(mp3.vit, part.train.images, batch_size=9) for part in (stream, memory))
    assert torch.equal(ours, theirs)
    labels = memory.train.labels
    assert top1_accuracy(mp3.vit, stream.train.images, labels) == top1_accuracy(mp3.vit, memory.train.images, labels)
    floors = [patch_only_floor(s.train.images, s.test.images, 8, epochs=1) for s in (stream, memory)]
    assert floors[0] == floors[1]


@pytest.fixture
def passes(monkeypatch) -> list:
    """One entry for each time that a stream is read from its beginning, with worker processes or without."""
    counted, loader = [], Stream.loader
    monkeypatch.setattr(Stream, "loader", lambda *args, **more: counted.append(1) or loader(*args, **more))
    return counted


def test_a_stream_is_read_once_for_all_mask_ratios(folder, passes):
    stream, mp3 = both(folder, workers=0)[1].train.images, model()
    ratios = (0.5, 0.0, 0.75)
    scores = position_accuracy(mp3, stream, ratios, jigsaw=True, batch_size=7)
    assert len(passes) == 1 and list(scores) == [*ratios]
    for ratio in ratios:
        assert scores[ratio] == position_accuracy(mp3, stream, (ratio,), jigsaw=True, batch_size=7)[ratio]


def test_evaluation_by_class_reads_a_stream_once(folder, passes):
    images = both(folder, workers=0)[1]
    vit = ViT(num_classes=3, classes=["dog", "fox", "cat"], image_size=SIZE, patch_size=8, dim=16, depth=1, heads=1,
              mlp_dim=16)  # fmt: skip
    figures = measure_top1(SimpleNamespace(no_pos_emb=False, weights="x"), images, vit)
    assert len(passes) == 1
    test = images.test
    for number, name in enumerate(images.classes):
        chosen, label = test.labels == number, vit.classes.index(name)
        expected = top1_accuracy(vit, test.images[chosen], torch.full((int(chosen.sum()),), label))
        assert figures["classes"][name] == {"images": int(chosen.sum()), "top1": expected}
    labels = torch.tensor([vit.classes.index(name) for name in images.classes])[test.labels]
    assert figures["top1"] == top1_accuracy(vit, test.images, labels)


def test_a_picture_that_breaks_later_is_replaced_by_another_of_its_split_with_its_label(tmp_path):
    """The header is whole, the pixels are not: only who decodes it can know."""
    for folder in ("train/a", "train/b", "test/a", "test/b"):
        noise_pictures(tmp_path / "set" / folder, 6, (32, 32))
    bad = tmp_path / "set/train/a/002.png"
    bad.write_bytes(bad.read_bytes()[:500])
    images = load_images(tmp_path / "set", 32, stream=True, workers=1)
    assert len(images.train) == 12
    source = source_of(images.train.images, images.train.labels, (1.0, 1.0), False)
    with pytest.warns(Note, match=r"train/a/002.png is left out \(The picture is broken.*\); the next image takes its"):
        (batch,) = source.epoch(torch.arange(12), [torch.arange(12)], 0, 0)
    rows = {bytes(pixels.numpy()): label for pixels, label in zip(batch.images, batch.labels.tolist(), strict=True)}
    assert len(rows) == 11
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        memory = load_images(tmp_path / "set", 32).train
    assert rows == {bytes(p.numpy()): label for p, label in zip(memory.images, memory.labels.tolist(), strict=True)}
    with pytest.warns(Note, match="is left out"):  # measured, too, with its own label, and features are not shifted
        whole = [*numbered(images.train.images, 5)]
    for pixels, numbers in whole:
        assert [rows[bytes(p.numpy())] for p in pixels] == images.train.labels[numbers].tolist()
    with pytest.warns(Note), pytest.raises(ValueError, match="the features would not fit the labels: remove it"):
        vit = ViT(num_classes=2, image_size=32, patch_size=8, dim=16, depth=1, heads=1, mlp_dim=16)
        frozen_features(vit, images.train.images)


def test_nothing_but_broken_pictures_ends_with_a_sentence(tmp_path):
    for number in range(4):
        Image.new("RGB", (300, 300), (number, 0, 0)).save(tmp_path / f"{number}.png")
    images = load_images(tmp_path, 32, stream=True, workers=0)
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(b"gone")
    with pytest.raises(ValueError, match="pictures in a row cannot be read"):
        everything(images.train.images)


# --- the command line -------------------------------------------------------------------------------------------------


def test_all_commands_stream(folder, tmp_path, capfd):
    shape = ["--size", "16", "--patch-size", "8", "--dim", "16", "--depth", "1", "--heads", "1", "--mlp-dim", "16"]
    data = ["--data", str(folder), "--stream", "--workers", "1"]
    train = [*data, "--epochs", "1", "--batch-size", "8", "--precision", "float32"]
    assert main(["pretrain", *train, *shape, "--out", str(tmp_path / "pre")]) == 0
    assert "streamed by 1 worker (" in capfd.readouterr().out
    weights = ["--weights", str(tmp_path / "pre")]
    assert main(["finetune", *train, *weights, "--out", str(tmp_path / "fine")]) == 0
    assert main(["probe", *data, *weights]) == 0
    figures = {}
    for way in (data, ["--data", str(folder), "--in-memory"]):
        for name in ("pre", "fine"):
            out = tmp_path / f"{name}{way[2]}.json"
            more = ["--floor-epochs", "1"] if name == "pre" else []
            assert main(["evaluate", *way, "--weights", str(tmp_path / name), "--out", str(out), *more]) == 0
            figures[name, way[2]] = json.loads(out.read_text())
    for name, entry in (("pre", "positions"), ("pre", "patch_only"), ("fine", "top1")):
        assert figures[name, "--stream"][entry] == figures[name, "--in-memory"][entry]
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    with pytest.raises(SystemExit):
        main(["pretrain", *train, "--in-memory", "--out", str(tmp_path / "no")])
    assert "not allowed with argument" in capfd.readouterr().err


def test_a_streams_digest_is_that_of_its_files_wherever_they_lie(folder, tmp_path):
    def of(place: Path) -> str:
        return digest_of(load_images(place, SIZE, stream=True, workers=0).train.images)

    moved = shutil.copytree(folder, tmp_path / "moved")
    assert of(moved) == of(folder)
    (moved / "cat" / "0.png").write_bytes((moved / "cat" / "8.png").read_bytes() + b"longer")
    assert of(moved) != of(folder)


def test_an_empty_stream_is_refused_in_a_sentence(folder):
    images = load_images(folder, SIZE, stream=True, workers=0)
    vit = ViT(num_classes=2, image_size=SIZE, patch_size=8, dim=16, depth=1, heads=1, mlp_dim=16)
    with pytest.raises(ValueError, match="images must hold at least one image, got 0"):
        position_accuracy(MP3(vit, masking_ratio=0.5), images.train.images[:0])
