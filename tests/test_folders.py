"""Folders, archives and parquet files as people have them: which pictures, classes and splits, or a sentence."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import re
import shutil
import struct
import tarfile
import time
import tracemalloc
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest
from PIL import Image
from set_makers import tiny_imagenet

from mp3lib import load_images
from mp3lib.data import pack_images, read_picture
from mp3lib.data.files import tars, walk
from mp3lib.data.folders.layout import arrange
from mp3lib.data.folders.split_names import split_word
from mp3lib.data.folders.targets import masks
from mp3lib.data.notes import Note
from mp3lib.data.pictures.decode import Picture
from mp3lib.data.readers.cifar import whole_numbers
from mp3lib.data.readers.cifar_pickle import read_batch
from mp3lib.data.sets.rows import Rows
from mp3lib.data.sets.wanted import Wanted

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MP3_CACHE", str(tmp_path_factory.mktemp("cache")))


def noise(side: int = 32) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (side, side, 3), dtype=np.uint8))


def png(image: Image.Image | None = None) -> bytes:
    file = io.BytesIO()
    (image or noise()).save(file, "PNG")
    return file.getvalue()


def fill(folder: Path, number: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(number):
        (folder / f"{i:03}.png").write_bytes(png())
    return folder


def loaded(path, **options) -> tuple[tuple, list[str]]:
    """(classes, number of training images, number of test images), and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        images = load_images(path, **options)
    notes = [str(w.message) for w in caught if w.category is Note]
    return (images.classes, len(images.train), len(images.test)), notes


# --- splits -----------------------------------------------------------------------------------------------------------

LAYOUTS = {  # folder: number of pictures; what it should become
    "capitals": ({"Training/glioma": 10, "Training/no": 10, "Testing/glioma": 4, "Testing/no": 4}, (2, 20, 8)),
    "doubled": ({"seg_train/seg_train/a": 6, "seg_train/seg_train/b": 6, "seg_test/seg_test/a": 3}, (2, 12, 3)),
    "words beside": ({"Train Data/a": 5, "Train Data/b": 5, "TestData/a": 2}, (2, 10, 2)),
    "years": ({"train2017/a": 5, "train2017/b": 5, "val2017/a": 2, "val2017/b": 2}, (2, 10, 4)),
    "dev": ({"train/a": 5, "train/b": 5, "dev/a": 2}, (2, 10, 2)),
    "below": ({"images/train/a": 5, "images/train/b": 5, "images/val/a": 2}, (2, 10, 2)),
    "class first": ({"x/train": 5, "y/train": 5, "x/test": 2, "y/test": 2}, (2, 10, 4)),
    "three splits": ({"train/a": 5, "train/b": 5, "val/a": 2, "test/a": 3}, (2, 10, 3)),
    "labelled val": ({"train/a": 5, "train/b": 5, "val/a": 2, "val/b": 2, "test": 7}, (2, 10, 4)),
    "kaggle": ({"train/cat": 10, "train/dog": 10, "test1": 6}, (2, 18, 2)),
    "unlabelled test": ({"train/cat": 12, "train/dog": 12, "test": 8}, (2, 22, 2)),
    "neutral test": ({"train/n1/images": 10, "train/n2/images": 10, "val/images": 6}, (2, 18, 2)),
    "unsup": ({"train/a": 10, "train/b": 10, "test/a": 2, "unsup": 7}, (2, 20, 2)),
    "train alone": ({"train/a": 10, "train/b": 10, "unlabeled": 7}, (2, 18, 2)),
    "labelled and unlabelled": ({"labeled/a": 10, "labeled/b": 10, "unlabeled": 7}, (2, 18, 2)),
    "images in each split": ({"train/images": 5, "val/images": 2}, (1, 5, 2)),
    "a wrapper and a stray picture": ({"d/train/a": 5, "d/train/b": 5, "d/test/a": 2, ".": 1}, (2, 10, 2)),
    "wrappers of versions": ({"d/v1/train/a": 5, "d/v1/train/b": 5, "d/v1/valid/a": 2}, (2, 10, 2)),
    "a year": ({"2019/train/a": 5, "2019/train/b": 5, "2019/test/a": 2}, (2, 10, 2)),
    "class first, images": ({"x/train/images": 5, "y/train/images": 5, "x/test/images": 2}, (2, 10, 2)),
    "class first, more beside": ({"x/train": 5, "y/train": 5, "x/test": 2, "y/extra": 3}, (2, 10, 2)),
    "classes with parts that are no splits": ({"road/train": 5, "road/bus": 5, "sea/ship": 10}, (2, 18, 2)),
    "a class of trains": ({"airplane": 10, "train": 10, "ship": 10}, (3, 27, 3)),
    "masks beside images": ({"images/train/a": 4, "images/val/a": 2, "masks/train/a": 4, "masks/val/a": 2}, (1, 4, 2)),
    "masks in each split": ({"train/images": 4, "train/masks": 4, "test/images": 2, "test/masks": 2}, (1, 4, 2)),
    "VOC": ({"VOC2012/JPEGImages": 10, "VOC2012/SegmentationClass": 3}, (1, 9, 1)),
    "a class of masks": ({"train/mask": 4, "train/face": 4, "test/mask": 2, "test/face": 2}, (2, 8, 4)),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_splits_are_recognised(name, tmp_path):
    folders, (classes, train, test) = LAYOUTS[name]
    for folder, number in folders.items():
        fill(tmp_path / "set" / folder, number)
    (found, *numbers), notes = loaded(tmp_path / "set")
    assert (len(found), *numbers) == (classes, train, test)
    left = sum(folders.values()) - train - test
    assert bool(left) == any(f"left out {left} " in note for note in notes), notes
    if left:
        assert len(notes) >= 1


SETS_SIDE_BY_SIDE = {
    "folds": ["fold1/train/a", "fold1/test/a", "fold2/train/a", "fold2/test/a"],
    "versions": ["d/v1/train/a", "d/v1/test/a", "d/v2/train/a", "d/v2/test/a"],
    "years without classes": ["2019/train", "2019/test", "2020/train", "2020/test"],
    "named sets": ["mnist/train/0", "mnist/test/0", "fashion/train/0", "fashion/test/0"],
    "depths": ["a/train/x", "a/test/x", "more/b/train/x", "more/b/test/x"],
    "one split each": ["a/train/x", "b/valid/x"],
    "one split each, without classes": ["a/train", "b/valid"],
    "images and depth": ["images/x/train/1", "images/x/val/1", "depth/x/train/1", "depth/x/val/1"],
}


@pytest.mark.parametrize("name", SETS_SIDE_BY_SIDE)
def test_several_sets_side_by_side_are_refused_and_named(name, tmp_path):
    for folder in SETS_SIDE_BY_SIDE[name]:
        fill(tmp_path / "set" / folder, 2)
    with pytest.raises(ValueError, match="several data sets side by side do: give the path of one of them") as told:
        load_images(tmp_path / "set")
    for folder in SETS_SIDE_BY_SIDE[name]:
        parts = folder.removeprefix("d/").split("/")
        place = "/".join(parts[: next(i for i, part in enumerate(parts) if split_word(part))])
        assert place in str(told.value)


def test_a_set_beside_another_folder_is_refused_and_folds_inside_a_split_too(tmp_path):
    for folder in ("d/train/a", "d/test/a", "samples"):
        fill(tmp_path / "one" / folder, 2)
    with pytest.raises(
        ValueError, match="the folder d holds .* splits of a set .test and train., and beside it lies sam"
    ):
        load_images(tmp_path / "one")
    for folder in ("train/fold1/a", "train/fold2/a", "test/a"):
        fill(tmp_path / "two" / folder, 2)
    with pytest.raises(ValueError, match="fold1 and fold2 in the training set look like the splits or parts"):
        load_images(tmp_path / "two")
    for folder in ("v1/cat", "v1/dog", "v2/cat", "v2/dog"):
        fill(tmp_path / "three" / folder, 2)
    with pytest.raises(ValueError, match="v1 and v2 look like versions or parts of a set"):
        load_images(tmp_path / "three")


def test_folders_below_the_classes_that_could_be_classes_are_named(tmp_path):
    for folder in ("cat/front", "cat/side", "dog/front", "dog/side", "cow/front", "cow/side"):
        fill(tmp_path / "set" / folder, 2)
    result, notes = loaded(tmp_path / "set")
    assert result[0] == ("cat", "cow", "dog") and any("front and side below several of them play" in n for n in notes)


SAME_FOLDERS = {
    "sizes": ("128/cat", "128/dog", "256/cat", "256/dog"),
    "either": ("male/cat", "male/dog", "female/cat", "female/dog"),
    "versions": ("color/a", "color/b", "color/c", "grayscale/a", "grayscale/b", "grayscale/c", "cut/a", "cut/b"),
    "domains": ("Art/clock", "Art/bed", "Product/clock", "Product/bed"),
    "images between": ("amazon/images/bike", "amazon/images/mug", "dslr/images/bike", "dslr/images/mug"),
    "a class is missing": ("uno/a", "uno/b", "uno/c", "due/a", "due/b"),
    "one folder more": ("siteA/batch1/cat", "siteA/batch1/dog", "siteB/batch1/cat", "siteB/batch1/dog"),
    "a name again": ("dslr/dslr_v1/bike", "dslr/dslr_v1/mug", "webcam/webcam_v1/bike", "webcam/webcam_v1/mug"),
}


@pytest.mark.parametrize("name", SAME_FOLDERS)
def test_first_folders_that_hold_the_same_folders_are_not_taken_for_classes(name, tmp_path):
    """They may be splits in any language, sizes or versions of one set."""
    for folder in SAME_FOLDERS[name]:
        fill(tmp_path / "set" / folder, 2)
    first = sorted({folder.split("/")[0] for folder in SAME_FOLDERS[name]})
    with pytest.raises(ValueError, match=rf"{first[0]}.* {first[-1]} hold the same folders \(.*name splits train and"):
        load_images(tmp_path / "set")


def test_folders_below_a_lone_one_are_named_too(tmp_path):
    for folder in ("benign/SOB/adenosis", "benign/SOB/fibroma", "malignant/SOB/ductal", "malignant/SOB/lobular"):
        fill(tmp_path / "set" / folder, 2)
    fill(tmp_path / "set" / "other", 2)
    result, notes = loaded(tmp_path / "set")
    assert result[0] == ("benign", "malignant", "other")
    assert any("the folders below, as benign/SOB/adenosis, play no part" in note for note in notes)


FOR_TESTS = {
    "test.txt": "a/0.png 0",
    "meta/test.txt": "a/0",
    "train_test_split.txt": "1 0",
    "val_list.txt": "a/0.png",
    "splits.json": "{}",
    "split.csv": "path,label",
    "metadata.csv": "file,split,label",
    "list_eval_partition.csv": "image_id,partition",
}


@pytest.mark.parametrize("name", FOR_TESTS)
def test_a_text_that_may_say_which_pictures_are_for_tests_is_named(name, tmp_path):
    for part in ("a", "b"):
        fill(tmp_path / "set" / part, 4)
        for split in ("train", "test"):
            fill(tmp_path / "split" / split / part, 4)
    for folder in ("set", "split"):
        (tmp_path / folder / name).parent.mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(FOR_TESTS[name])
        (tmp_path / folder / "classes.csv").write_text("number,name\n0,a")
    told = f"files, as {name}, may say which pictures are for tests, and are not read"
    assert sum(told in note for note in loaded(tmp_path / "set")[1]) == 1
    assert not any("which pictures are for tests" in note for note in loaded(tmp_path / "split")[1])


@pytest.mark.parametrize(
    ("names", "noted"),
    [
        (("train_{}.png", "test_{}.png"), True),
        (("{}-Train.png", "{}-Val.png"), True),
        (("train_0{}_aligned.png", "test_{}_aligned.png"), True),
        (("train_{}.png", "freight train {}.png"), False),
        (("test_{}.png", "crash_test_{}.png"), False),
        (("{}.png", "test_{}.png"), False),
    ],
)
def test_names_of_files_that_say_the_split_are_noted(names, noted, tmp_path):
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
        for number in range(8):
            (tmp_path / part / names[number % 2].format(number)).write_bytes(png())
    result, notes = loaded(tmp_path)
    assert result[0] == ("a", "b")
    assert any("are named like pictures for tests, but only folders decide" in note for note in notes) == noted


def test_each_reason_why_files_are_left_out_is_told_with_one_of_them(tmp_path):
    fill(tmp_path / "a", 8)
    for name, data in {"x.png": b"", "y.png": png()[:60], "z.png": b""}.items():
        (tmp_path / "a" / name).write_bytes(data)
    _, notes = loaded(tmp_path)
    [note] = [note for note in notes if "left out 3 unreadable" in note]
    assert "a/x.png: " in note and "a/y.png: The picture is broken" in note and "a/z.png: " not in note


NO_CLASSES = {
    "a set and its test set": (("rps/rps/a", "rps/rps/b", "rps-test-set/rps-test-set/a"), "splits or parts of a set"),
    "years": (("VOC2007/JPEGImages", "VOC2012/JPEGImages"), "versions or parts of a set"),
}


@pytest.mark.parametrize("name", NO_CLASSES)
def test_parts_and_versions_of_a_set_are_not_taken_for_classes(name, tmp_path):
    folders, words = NO_CLASSES[name]
    for folder in folders:
        fill(tmp_path / "set" / folder, 2)
    with pytest.raises(ValueError, match=f"look like (the )?{words}.* rather than like classes"):
        load_images(tmp_path / "set")


def test_a_split_beside_folders_of_the_same_classes_is_no_class(tmp_path):
    for folder in ("train/a", "train/b", "query/a", "gallery/b"):
        fill(tmp_path / "set" / folder, 2)
    with pytest.raises(ValueError, match="the folder train is named like a split, and holds a and b as others beside"):
        load_images(tmp_path / "set")


def test_masks_with_the_folders_of_the_classes_are_left_out(tmp_path):
    for folder in ("CUB/images/auk", "CUB/images/gull", "segmentations/auk", "segmentations/gull"):
        fill(tmp_path / "set" / folder, 3)
    result, notes = loaded(tmp_path / "set")
    assert result == (("auk", "gull"), 4, 2)
    assert any("left out 6 picture(s) that look like masks of the others, as segmentations/auk" in n for n in notes)


@pytest.mark.parametrize("ending", ["_mask", " mask_1", "_segmentation", "-gt", ".label"])
@pytest.mark.parametrize("around", ["", "train/"])
def test_masks_that_are_named_after_a_picture_beside_them_are_left_out(around, ending, tmp_path):
    for name in ("benign", "malignant"):
        folder = fill(tmp_path / "set" / around / name, 6)
        for file in sorted(folder.iterdir()):
            Image.new("L", (8, 8)).save(folder / f"{file.stem}{ending}.png")
    for unlabelled in (False, True):
        result, notes = loaded(tmp_path / "set", size=8, unlabelled=unlabelled)
        assert result == (("benign", "malignant"), 10, 2)
        assert "left out 12 picture(s) that look like masks of the others, as" in notes[0], notes


@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("{}_sat", "{}_mask"),
        ("image_{}", "mask_{}"),
        ("{} Image", "GT-{}"),
        ("{}", "mask_{}"),
        ("rgb.{}", "{}.label_2"),
    ],
)
def test_a_picture_may_be_named_as_one_beside_its_mask(picture, mask, tmp_path):
    for name in ("field", "town"):
        folder = fill(tmp_path / "set" / name, 6)
        for number, file in enumerate(sorted(folder.iterdir())):
            Image.new("L", (8, 8)).save(folder / f"{mask.format(number)}.png")
            file.rename(folder / f"{picture.format(number)}.png")
    result, notes = loaded(tmp_path / "set", size=8)
    assert result == (("field", "town"), 10, 2)
    assert "left out 12 picture(s) that look like masks of the others, as" in notes[0], notes


def test_a_picture_with_a_mask_in_its_name_alone_is_a_picture(tmp_path):
    folder = fill(tmp_path / "set/mask", 6)
    for file in sorted(folder.iterdir()):
        file.rename(folder / f"{file.stem}_mask.png")
    fill(tmp_path / "set/bare", 6)
    assert loaded(tmp_path / "set", size=8) == ((("bare", "mask"), 10, 2), [])


MASKS = {  # folders that hold files of the same names: of images, and of masks
    "below pictures": (["cat", "dog"], ["cat/masks", "dog/masks"]),
    "below pictures of no class": (["."], ["masks", "overlays"]),
    "more words": (["a/images", "b/images"], ["a/masks_machine", "b/masks_machine"]),
    "a word before": (["Train/A/images", "Train/B/images"], ["Train/A/lung masks"]),
    "of several kinds": (["N/images"], ["N/lung masks", "N/infection masks"]),
    "segmented": (["a/images", "b/images"], ["a/Segmented", "b/Segmented"]),
    "mmsegmentation": (["img_dir/train", "img_dir/val"], ["ann_dir/train", "ann_dir/val"]),
    "REFUGE": (["train/Images", "val/Images"], ["train/gts", "val/gts"]),
    "CVC-ClinicDB": (["Original"], ["Ground Truth"]),
    "Flowers-102": (["jpg"], ["segmim"]),
    "DRIVE": (["training/images", "test/images"], ["training/1st_manual", "training/mask"]),
    "overlays": (["images"], ["masks", "overlays"]),
    "a word that is not known": (["images"], ["masks", "wubbel"]),
    "edges": (["Imgs"], ["GT", "Edge"]),
    "STARE": (["stare-images"], ["labels-ah", "labels-vk"]),
    "original": (["original"], ["mask"]),
    "rain": (["rainy_image"], ["ground_truth"]),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_beside_images_are_known_by_the_names_of_their_files(name):
    images, left = MASKS[name]
    paths = [f"{folder}/{i:03}.png".removeprefix("./") for folder in sorted(images + left) for i in range(4)]
    layout = arrange(paths, "set")
    out = [path for path, place in zip(paths, layout.places, strict=True) if place is None]
    assert {path.rpartition("/")[0] for path in out} == {*left}
    assert f"left out {len(out)} picture(s) that look like masks of the others, as {out[0]}" in layout.notes


@pytest.mark.parametrize(
    ("image", "masks"),
    [
        ("{}_training", {"1st_manual": "{}_manual1", "mask": "{}_training_mask"}),
        ("im{}", {"labels-ah": "im{}.ah"}),
        ("image_{}", {"segmim": "segmim_{}"}),
        ("ISIC_{}", {"lesion masks": "ISIC_{}_segmentation"}),
    ],
)
def test_masks_in_folders_may_have_other_words_in_their_names(image, masks):
    names = {"images": image, **masks}
    paths = [f"{folder}/{name.format(number)}.png" for folder, name in names.items() for number in range(20, 30)]
    places = arrange(paths, "set").places
    assert [place is not None for place in places] == [path.startswith("images/") for path in paths]


@pytest.mark.parametrize(
    ("folders", "noted"),
    [
        (["mask", "no_mask"], False),
        (["images", "mask", "no_mask"], False),
        (["with_mask", "without_mask", "mask_weared_incorrect"], False),
        (["cat", "dog"], False),
        (["label_1", "label_2"], False),
        (["edge", "centre"], False),
        (["face", "mask"], True),
        (["cat", "cat_mask", "dog"], True),
        (["A", "B", "label"], True),
    ],
)
@pytest.mark.parametrize("around", ["", "train/"])
def test_classes_whose_files_have_the_same_names_stay_classes(folders, noted, around):
    layout = arrange([f"{around}{folder}/{i:03}.png" for folder in folders for i in range(4)], "set")
    assert [place and place.label for place in layout.places] == [name for name in folders for _ in range(4)]
    assert any("and may hold masks of them" in note for note in layout.notes) == noted, layout.notes


@pytest.mark.parametrize("name", ["unlabeled", "resized", "test"])
def test_splits_and_copies_beside_masks_are_no_masks(name):
    paths = [f"{folder}/{i}.png" for folder in ("images", name, "lung masks") for i in range(4)]
    assert masks(paths) == {8, 9, 10, 11}


def test_folders_with_words_for_masks_whose_files_have_other_names_are_said():
    paths = [f"images/{i}.png" for i in range(5)] + [f"masks_machine/x{i}.png" for i in range(5)]
    layout = arrange(paths, "set")
    assert None not in layout.places and "masks_machine counts as a class beside images" in layout.notes[0]


def test_each_picture_in_a_folder_with_its_mask_is_said():
    names = ("img.png", "label.png", "label_viz.png")
    layout = arrange([f"{i}_json/{name}" for i in range(4) for name in names], "set")
    assert [place is not None for place in layout.places] == [True, False, False] * 4
    assert "each of the 4 classes holds the same file name(s) (img.png)" in layout.notes[0]
    assert "left out 8 picture(s) that look like masks of the others, as 0_json/label.png" in layout.notes


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["{}.jpg", "{}.png"], "10 picture(s) are there in two files, as 0.jpg and 0.png"),
        (["Image_{}L.jpg", "Image_{}L_1stHO.png", "Image_{}L_2ndHO.png"], "as Image_0L and Image_0L_1stHO"),
        (["0001TP_{}.png", "0001TP_{}_L.png"], "as 0001TP_0 and 0001TP_0_L"),
        (["{}_colors.png", "{}_depth.png"], "as 0_depth and 0_colors"),
        (["image_{}.png", "{}.png"], None),
        (["{}_a.png"], None),
    ],
)
def test_pictures_that_are_there_in_two_files_are_said(names, words):
    layout = arrange([f"{folder}/{name.format(i)}" for folder in "ab" for name in names for i in range(5)], "set")
    assert None not in layout.places
    assert any(words in note for note in layout.notes) if words else not layout.notes, layout.notes


@pytest.mark.parametrize("around", ["", "train/"])
def test_one_folder_below_the_pictures_of_a_class_is_said(around):
    paths = [f"{around}{folder}/{i}.png" for folder in ("cat", "dog") for i in range(4)]
    assert arrange(paths, "set").notes == () if not around else True
    layout = arrange([*paths, *(f"{around}cat/thumbnails/t{i}.png" for i in range(4))], "set")
    assert any("pictures in cat/thumbnails count as those beside them" in note for note in layout.notes)
    assert None not in layout.places


@pytest.mark.parametrize("names", [("photo", "sketch"), ("raw", "cooked"), ("new", "used")])
def test_a_class_with_a_neutral_name_alone_in_the_test_set_is_a_class(names):
    paths = [f"train/{name}/{i}.png" for name in names for i in range(4)] + [f"test/{names[0]}/{i}.png" for i in "abc"]
    layout = arrange(paths, "set")
    assert layout.has_split and [place.label for place in layout.places[8:]] == [names[0]] * 3 and not layout.notes


def test_a_folder_that_holds_the_classes_again_is_not_taken_for_a_class(tmp_path):
    for folder in ("cat", "dog", "augmented/cat", "augmented/dog"):
        fill(tmp_path / "set" / folder, 2)
    with pytest.raises(ValueError, match="the folder augmented holds folders named like those beside it .cat and dog"):
        load_images(tmp_path / "set")


@pytest.mark.parametrize("archive", [None, "zip", "tar"])
def test_folders_without_files_are_said(archive, tmp_path):
    for folder in ("train/cat", "train/dog", "test/cat"):
        fill(tmp_path / "set" / folder, 2)
    for name in ("train/cow", "test/dog"):
        (tmp_path / "set" / name).mkdir()
    path = tmp_path / "set"
    if archive:
        path = Path(shutil.make_archive(str(path), archive, path))
    assert loaded(path)[1] == [f"{path}: 2 folder(s) are empty, as test/dog"]


@pytest.mark.parametrize("archive", [None, "zip", "tar"])
def test_an_empty_test_folder_is_said(archive, tmp_path):
    for folder in ("train/cat", "train/dog"):
        fill(tmp_path / "set" / folder, 10)
    (tmp_path / "set/test").mkdir()
    path = tmp_path / "set"
    if archive:
        path = Path(shutil.make_archive(str(path), archive, path))
    result, notes = loaded(path)
    assert result == (("cat", "dog"), 18, 2)
    assert f"{path}: no readable picture lies in test, so every tenth picture of a class is used to test" in notes


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("left", ["broken", "a text", "nothing", "no pictures of a class"])
def test_a_test_folder_without_pictures_is_replaced_with_a_word(left, stream, tmp_path):
    for folder in ("train/a", "train/b"):
        fill(tmp_path / "set" / folder, 5)
    (tmp_path / "set/test/a").mkdir(parents=True)
    if left == "broken":
        (tmp_path / "set/test/a/x.png").write_bytes(b"nothing")
    elif left == "a text":
        (tmp_path / "set/test/a/x.txt").write_bytes(b"nothing")
    elif left == "no pictures of a class":
        (tmp_path / "set/test/a").rmdir()
    result, notes = loaded(tmp_path / "set", size=8, stream=stream, workers=0)
    assert result == (("a", "b"), 8, 2)
    words = "no readable picture lies in test, so every tenth picture of a class is used to test"
    assert sum(words in note for note in notes) == 1, notes


def test_several_archives_are_to_be_unpacked(tmp_path):
    for name in ("n1.tar", "n2.tar"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match="It holds 2 archives, as n1.tar: unpack each, or give the path of one"):
        load_images(tmp_path)


@pytest.mark.parametrize("folders", [("a/abbey", "a/airport", "b/bar"), ("Aves/2761", "Aves/3", "Fungi/7")])
def test_folders_below_a_class_are_said(folders, tmp_path):
    for folder in folders:
        fill(tmp_path / "set" / folder, 2)
    _, notes = loaded(tmp_path / "set")
    assert notes == [
        f"{tmp_path / 'set'}: the first folder is taken for the class: the folders below, as {folders[0]}, play no part"
    ]


OTHER_LANGUAGES = [
    ("treino", "teste"),
    ("Entrenamiento", "Prueba"),
    ("Conjunto de treino", "Conjunto de validação"),
    ("apprentissage", "test"),
    ("Entraînement", "Essai"),
    ("trening", "walidacja"),
    ("Trainingsdaten", "Testdaten"),
    ("eğitim", "doğrulama"),
    ("обучение", "тест"),
    ("訓練集", "測試集"),
    ("训练数据", "验证数据"),
    ("学習", "テスト"),
    ("훈련", "시험"),
    ("प्रशिक्षण", "परीक्षण"),
    ("تدريب", "اختبار"),
]


@pytest.mark.parametrize("train, test", OTHER_LANGUAGES)
@pytest.mark.parametrize("below", ["", "/a"])
def test_splits_in_other_languages_are_not_taken_for_classes(train, test, below, tmp_path):
    fill(tmp_path / "set" / f"{train}{below}", 3)
    fill(tmp_path / "set" / f"{test}{below}", 2)
    with pytest.raises(ValueError, match="look like the splits or parts of a set.*: name them train and test"):
        load_images(tmp_path / "set")


def test_words_for_splits_among_classes_are_classes(tmp_path):
    for folder in ("prueba", "gato", "perro"):
        fill(tmp_path / "set" / folder, 2)
    assert loaded(tmp_path / "set") == ((("gato", "perro", "prueba"), 3, 3), [])
    (tmp_path / "set" / "prueba").rename(tmp_path / "set" / "test")
    result, notes = loaded(tmp_path / "set")
    assert result[0] == ("gato", "perro", "test")
    assert "test counts as a class, though it is named like a split" in notes[0]


@pytest.mark.parametrize("address", ["https://x.org/a.zip", "s3://bucket/set", Path("https://x.org/a.zip"), "hf://d/x"])
def test_an_address_is_named_as_one(address):
    with pytest.raises(ValueError, match="is an address, not a path: download what is there first"):
        load_images(address)


# --- pictures that are there again ------------------------------------------------------------------------------------


def test_pictures_that_are_there_again_in_another_class_are_said(tmp_path):
    fill(tmp_path / "set" / "cat", 6), fill(tmp_path / "set" / "dog", 6)
    shutil.copytree(tmp_path / "set" / "cat", tmp_path / "set" / "cat (1)")
    _, notes = loaded(tmp_path / "set")
    assert any("5 training picture(s) are there again in another class" in n and "cat and cat (1)" in n for n in notes)


def test_test_pictures_that_are_training_pictures_are_said(tmp_path):
    for name in "ab":
        fill(tmp_path / "set" / "train" / name, 4)
        (tmp_path / "set" / "test" / name).mkdir(parents=True)
        (tmp_path / "set" / "test" / name / "x.png").write_bytes(
            (tmp_path / "set" / "train" / name / "001.png").read_bytes()
        )
    _, notes = loaded(tmp_path / "set")
    assert any("all 2 test pictures are in the training set as well, pixel by pixel" in note for note in notes), notes
    fill(tmp_path / "set" / "test" / "a", 3)
    assert any("2 of 5 test pictures are in" in note for note in loaded(tmp_path / "set")[1])
    (tmp_path / "set" / "test" / "a" / "x.png").unlink()
    (tmp_path / "set" / "test" / "b" / "x.png").write_bytes(png())
    assert loaded(tmp_path / "set")[1] == []


def test_a_class_that_has_the_name_of_a_split_and_folders_of_its_own_is_named(tmp_path):
    for folder in ("images_background/Greek", "images_evaluation/Latin", "images_evaluation/Tifinagh"):
        fill(tmp_path / "set" / folder, 2)
    _, notes = loaded(tmp_path / "set")
    assert any("the first folder is taken for the class, even images_evaluation" in note for note in notes)


def test_folders_of_systems_are_no_classes(tmp_path):
    for folder in (
        "a",
        "b",
        "$RECYCLE.BIN/x",
        "System Volume Information",
        "a/@eaDir/0.png",
        "LOST+FOUND",
        "__macosx/a",
    ):
        fill(tmp_path / "set" / folder, 3)
    assert loaded(tmp_path / "set")[0] == (("a", "b"), 4, 2)


# --- names of classes -------------------------------------------------------------------------------------------------

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(
    ("train", "test", "classes", "words"),
    [
        ([COMPOSED, "b"], [DECOMPOSED, "b"], (COMPOSED, "b"), None),
        ([COMPOSED, DECOMPOSED, "b"], [], (COMPOSED, "b"), None),
        (["Cat", "dog"], ["cat", "dog"], ("Cat", "dog"), "the training set has one and the test set the other: joined"),
        (["big cat", "dog"], ["Big_Cat"], ("big cat", "dog"), "Big_Cat and big cat differ only in case, spaces"),
        (["cat", "cat ", "dog"], [], ("cat", "cat ", "dog"), "are kept apart"),
        (["Cat", "cat", "dog"], ["cat"], ("Cat", "cat", "dog"), "are kept apart"),
        (["Cat", "dog"], ["cat", "CAT"], ("Cat", "dog", "cat", "CAT"), "are kept apart"),
        (["Cat", "cat"], [], ("Cat", "cat"), "are kept apart"),
        (["-2", "2"], ["-2"], ("-2", "2"), None),
        (
            ["0", "1", "10"],
            ["00", "01", "10"],
            ("0", "1", "10"),
            "01 and 1 differ only in case, spaces, hyphens or zeros",
        ),
        (["1", "01"], [], ("1", "01"), "are kept apart"),
    ],
)
def test_one_class_has_one_name_in_both_splits(train, test, classes, words, tmp_path):
    for part, names in (("train", train), ("test", test)):
        for name in names:
            fill(tmp_path / "set" / part / name, 3)
        if names:
            rows = [name for name in names for _ in range(3)]
            table(tmp_path / "rows" / f"{part}.parquet", image=cells(len(rows)), label=rows)
    for place in ("set", "rows"):
        (found, *_), notes = loaded(tmp_path / place)
        assert found == tuple(sorted(classes))
        assert any(words in note for note in notes) if words else not notes


def test_the_line_about_the_data_tells_the_classes(tmp_path, capsys):
    for name in ("glioma", "meningioma"):
        fill(tmp_path / "set" / name, 3)
    load_images(tmp_path / "set")
    assert capsys.readouterr().out.startswith("data: set, 4 + 2 images in 2 classes (glioma, meningioma), from ")
    for i in range(7):
        fill(tmp_path / "seven" / f"class {i}", 2)
    load_images(tmp_path / "seven")
    assert "in 7 classes (class 0, class 1, class 2, class 3, class 4, …)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "folders",
    [
        *(["fold1", "fold2"], ["train_a", "train_b"], ["test", "val"], ["tr", "te"], ["Trainingsdaten", "Testdaten"]),
        *(["imagesTr", "imagesTs"], ["xtrain", "xvalid"], ["trainA", "trainB", "testA", "testB"]),
        *(["HAM_images_part_1", "HAM_images_part_2"], ["images_001", "images_002"], ["part_a", "part_b"]),
        *(["cat", "dog", "cat_test", "dog_test"], ["sad", "val_sad"], ["box_train", "box_test", "query"]),
    ],
)
def test_folders_that_look_like_splits_are_no_classes(folders, tmp_path):
    for folder in folders:
        fill(tmp_path / "set" / folder, 3)
    with pytest.raises(ValueError, match="look like the splits"):
        load_images(tmp_path / "set")


@pytest.mark.parametrize(
    ("name", "word"),
    [("train", "train"), ("TRAIN", "train"), ("Training_Set", "training"), ("imagesTr", None), ("test tube", None),
     ("train2017", "train"), ("validation", "validation"), ("train_test", None), ("trainee", None),
     ("Test-Images", "test")],
)  # fmt: skip
def test_words_of_splits(name, word):
    assert split_word(name) == word


def test_test_classes_that_training_does_not_have_are_kept():
    layout = arrange(["train/b/1.png", "train/c/1.png", "val/a/1.png", "val/b/1.png"], "set")
    assert [place.label for place in layout.places] == ["b", "c", "a", "b"] and layout.has_split


WITHOUT_A_CLASS = {  # test folders without a class of the training set; training and test pictures, a word of a note
    "unknown": ({"train/cat": 12, "train/dog": 12, "test/unknown": 8}, (22, 2), "test folders unknown have no class"),
    "a number": ({"train/cat": 12, "train/dog": 12, "test/0": 8}, (22, 2), "test folders 0 have no class"),
    "other classes": ({"train/a": 10, "train/b": 10, "test/c": 3, "val/d": 3}, (18, 2), "test folders c have no class"),
    "the next split": ({"train/a": 5, "train/b": 5, "test/all": 8, "val/a": 2}, (10, 2), "as test/all/000.png"),
    "in the training set": ({"train/a": 5, "train/b": 5, "train/unsup": 4, "test/a": 2}, (10, 2), "train/unsup/0"),
    "beside classes, to test": ({"a": 10, "b": 10, "unlabeled_test": 4}, (18, 2), "as unlabeled_test/000.png"),
    "beside splits, to test": ({"train/a": 5, "train/b": 5, "test/a": 2, "test_unlabeled": 4}, (10, 2), "left out 4"),
    "beside classes": ({"a": 10, "b": 10, "Unlabelled images": 4}, (18, 2), "as Unlabelled images/000.png"),
}


@pytest.mark.parametrize("name", WITHOUT_A_CLASS)
def test_folders_without_a_class_are_left_out_and_named(name, tmp_path):
    folders, counts, words = WITHOUT_A_CLASS[name]
    for folder, number in folders.items():
        fill(tmp_path / "set" / folder, number)
    (classes, *found), notes = loaded(tmp_path / "set")
    assert (len(classes), *found) == (2, *counts)
    assert any(words in note for note in notes), notes
    if name == "in the training set":
        assert loaded(tmp_path / "set", unlabelled=True)[0] == (("a", "b"), 14, 2)
    if name.endswith("to test"):
        assert loaded(tmp_path / "set", unlabelled=True)[0] == (("a", "b"), *counts)  # nobody should train on those


NESTED = {  # a split folder among the classes of a split; a word of the refusal
    "doubled": (["train/a", "train/b", "train/train/a", "test/a", "test/b"], "train in the training set holds folders"),
    "in the test set": (["train/a", "train/b", "test/a", "test/b", "test/test/a"], "test in the test set holds"),
    "pictures alone": (["train/a", "train/b", "train/val", "test/a"], "val in the training set is named like a split"),
    "the classes": (["train/a", "train/b", "train/old/a", "train/old/b", "test/a"], "old in the training set holds"),
}


@pytest.mark.parametrize("name", NESTED)
def test_a_split_or_the_classes_again_inside_a_split_are_no_class(name, tmp_path):
    folders, words = NESTED[name]
    for folder in folders:
        fill(tmp_path / "set" / folder, 3)
    with pytest.raises(ValueError, match=words):
        load_images(tmp_path / "set")


@pytest.mark.parametrize("test", ["test/cat", "test"])
def test_a_class_that_is_named_like_a_split_in_both_splits_or_without_labelled_tests_is_said(test, tmp_path):
    for folder in ("train/cat", "train/train", test, *(["test/train"] if test == "test/cat" else [])):
        fill(tmp_path / "set" / folder, 10)
    (classes, *_), notes = loaded(tmp_path / "set")
    assert classes == ("cat", "train") and any("train counts as a class, though it is named" in note for note in notes)


# --- links, pipes, endings --------------------------------------------------------------------------------------------


def test_links_are_followed_but_not_in_circles(tmp_path):
    fill(tmp_path / "elsewhere", 6), fill(tmp_path / "set/dog", 6)
    (tmp_path / "set/cat").symlink_to(tmp_path / "elsewhere")
    for name, place in (("loop", tmp_path / "set"), ("around", tmp_path), ("all", tmp_path.anchor)):
        (tmp_path / "set/dog" / name).symlink_to(place)
    (tmp_path / "set/dog/gone.png").symlink_to(tmp_path / "nowhere")
    result, notes = loaded(tmp_path / "set")
    assert result == (("cat", "dog"), 10, 2)
    assert any("3 link(s) that lead back" in n for n in notes) and any(
        "1 link(s) that lead nowhere" in n for n in notes
    )
    before = load_images(tmp_path / "set").fingerprint
    (tmp_path / "elsewhere/000.png").write_bytes(png())
    assert load_images(tmp_path / "set").fingerprint != before  # the cache sees changes behind links


def test_folders_that_all_link_to_each_other_are_refused_soon(tmp_path):
    names = [str(i) for i in range(12)]  # 12! paths
    for name in names:
        fill(tmp_path / "set" / name, 1)
        for other in names:
            if other != name:
                (tmp_path / "set" / name / f"to {other}").symlink_to(tmp_path / "set" / other)
    start = time.monotonic()
    with pytest.raises(ValueError, match="holds links that lead to the folder .* over 100 times"):
        load_images(tmp_path / "set")
    assert time.monotonic() - start < 20


def test_hard_links_inside_an_archive_are_followed(tmp_path):
    path = tmp_path / "set.tar"
    with tarfile.open(path, "w") as archive:
        for i in range(8):
            info = tarfile.TarInfo(f"s/all/{i}.png")
            info.size = len(data := png())
            archive.addfile(info, io.BytesIO(data))
        for i in range(8):
            info = tarfile.TarInfo(f"s/{'train' if i < 6 else 'test'}/{'ab'[i % 2]}/{i}.png")
            info.type, info.linkname = (
                (tarfile.LNKTYPE, f"s/all/{i}.png") if i else (tarfile.SYMTYPE, "../../all/0.png")
            )
            archive.addfile(info)
    result, notes = loaded(path)
    assert result == (("a", "b"), 6, 2) and any("left out 8 picture(s) beside the folders in use" in n for n in notes)


def test_pipes_are_not_opened(tmp_path):
    fill(tmp_path / "set/a", 4), fill(tmp_path / "set/b", 4)
    os.mkfifo(tmp_path / "set/a/pipe.png")
    result, notes = loaded(tmp_path / "set")
    assert result == (("a", "b"), 6, 2) and any("1 pipe(s) or device(s)" in note for note in notes)
    with pytest.raises(ValueError, match="neither a folder nor a regular file"):
        load_images(tmp_path / "set/a/pipe.png")


def test_files_without_an_ending_are_read_and_classes_that_cannot_be_read_are_named(tmp_path):
    fill(tmp_path / "set/dog", 10), fill(tmp_path / "set/eel", 5)
    for file in sorted((tmp_path / "set/eel").iterdir()):
        file.rename(file.with_suffix(""))
    (tmp_path / "set/cat").mkdir()
    for i in range(40):
        (tmp_path / f"set/cat/{i}.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    result, notes = loaded(tmp_path / "set")
    assert result == (("dog", "eel"), 13, 2) and any("40 with .heic in cat" in note for note in notes)


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    fill(tmp_path / "set/a", 4), fill(tmp_path / "set/b", 4)
    listdir = os.listdir

    def denied(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", denied)
    result, notes = loaded(tmp_path / "set")
    assert result[0] == ("a",) and any("the folder b cannot be opened (Permission denied)" in note for note in notes)


def test_names_that_are_not_utf8_are_read(tmp_path):
    folder = os.fsencode(tmp_path / "set") + b"/caf\xe9"
    os.makedirs(folder), fill(tmp_path / "set/b", 4)
    for i in range(4):
        with open(folder + b"/\xff%d.png" % i, "wb") as file:
            file.write(png())
    assert loaded(tmp_path / "set")[0] == (("b", r"caf\xe9"), 6, 2)
    assert loaded(os.fsdecode(folder))[0][1:] == (3, 1)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({f"{i}.png": b"version https://git-lfs.github.com/spec/v1\nsize 1\n" for i in range(3)}, "git lfs pull"),
        ({"pictures.zip": b"PK"}, "It holds the archive pictures.zip: give the path of that"),
        ({"1.png": b""}, "the file is empty"),
        ({"a.csv": b"1", "b.csv": b"2"}, "Its files: 2 with .csv"),
        ({}, "It is empty"),
    ],
)
def test_where_there_are_no_pictures_it_says_what_was_found(files, words, tmp_path):
    (tmp_path / "set").mkdir()
    for name, data in files.items():
        (tmp_path / "set" / name).write_bytes(data)
    with pytest.raises(ValueError, match="holds 0 readable pictures.*Accepted") as told:
        load_images(tmp_path / "set")
    assert words in str(told.value)


def test_tiny_imagenet_is_read_with_its_text_of_labels(tmp_path):
    root = tiny_imagenet(tmp_path / "tiny-imagenet-200")
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        images = load_images(root, size=8)
    assert images.classes == ("n01", "n02") and (len(images.train), len(images.test)) == (8, 8)
    for split in (images.train, images.test):
        assert ((split.images[:, 0, 0, 0] > 100).long() == split.labels).all()
    assert any("classes of 8 picture(s) are those of val/val_annotations.txt" in note for note in images.notes)
    assert any("left out 5 " in note for note in images.notes)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (("bloodmnist.npz",), "NumPy arrays"),
        (("train_32x32.mat",), "MATLAB arrays"),
        (("camelyon.h5",), "HDF5 arrays"),
        (("data-00000-of-00002.arrow",), "Arrow tables"),
        (("cifar-10-batches-bin/data_batch_1.bin",), "binary batches"),
        (("train.tfrecord-00000-of-00010",), "TensorFlow records"),
        (("all.rar",), "archives of another kind"),
    ],
)
def test_sets_in_other_forms_are_named_with_what_to_do(files, words, tmp_path):
    for name in files:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"\x80\x02 no picture")
    for path in (tmp_path / "set", tmp_path / "set" / files[0]):
        with pytest.raises(ValueError, match=words) as told:
            load_images(path)
        assert "write each picture to a file of its own, train/<class>/<number>.png" in str(told.value)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
PAGE = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"


@pytest.mark.parametrize(("content", "words"), [(POINTER, "a git-lfs pointer"), (PAGE, "a web page")])
@pytest.mark.parametrize(
    "names",
    [
        ["train-00000-of-00001.parquet"],
        ["000000.tar", "000001.tar"],
        ["photos.zip"],
        ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"],
        [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"],
        ["train", "test", "meta"],
    ],
)
def test_a_set_that_git_lfs_has_not_brought_is_named(names, content, words, tmp_path):
    for name in names:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"is {words}") as told:
        load_images(tmp_path)
    assert any(name in str(told.value) for name in names)
    if "idx" not in names[0]:
        with pytest.raises(ValueError, match=f"{names[0]} is {words}"):
            load_images(tmp_path / names[0])


def test_one_shard_that_git_lfs_has_not_brought_is_named(tmp_path):
    fill(tmp_path / "pictures", 4)
    cells = [{"bytes": file.read_bytes()} for file in sorted((tmp_path / "pictures").iterdir())]
    (tmp_path / "set").mkdir()
    parquet.write_table(pyarrow.table({"image": cells}), tmp_path / "set/train-00000-of-00002.parquet")
    (tmp_path / "set/train-00001-of-00002.parquet").write_bytes(POINTER)
    with pytest.raises(ValueError, match="train-00001-of-00002.parquet is a git-lfs pointer.*1 of 2"):
        load_images(tmp_path / "set")


def test_labels_in_files_and_archives_beside_pictures_are_not_dropped_in_silence(tmp_path):
    fill(tmp_path / "flat", 4)
    (tmp_path / "flat/labels.csv").write_text("000.png,cat")
    assert any("labels in files, as labels.csv, are not read" in note for note in loaded(tmp_path / "flat")[1])
    fill(tmp_path / "set/cat", 3), fill(tmp_path / "set/dog", 3)
    packed(tmp_path / "set/eel.zip")
    assert any("left out 1 archive(s): eel.zip" in note for note in loaded(tmp_path / "set")[1])


CELEBA = "4\nSmiling Young\n000.png  1 -1\n001.png  1  1\n"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("list_attr_celeba.txt", CELEBA, True),
        ("identity_CelebA.txt", "000.png 2880", True),
        ("val.txt", "photos/000.png;3", True),
        ("000.label", "3", True),
        ("by_stem.txt", "000 cat\n001 dog", True),
        ("label_first.txt", "cat photos/000.png\ndog photos/001.png", True),
        ("quoted.txt", '"000.png","cat"', True),
        ("numbers.txt", "0 cat\n1 dog", False),
        ("names.txt", "000.png\n001.png", False),
        ("about.txt", "These are pictures.", False),
    ],
)
def test_labels_in_a_text_of_any_name_are_said(name, content, told, tmp_path):
    fill(tmp_path / "set/photos", 4)
    (tmp_path / "set" / name).write_text(content)
    words = f"labels in files, as {name}, are not read"
    assert any(words in note for note in loaded(tmp_path / "set")[1]) == told


def test_a_text_for_each_picture_is_said_to_hold_labels(tmp_path):
    """As YOLO has them: a line a box, the number of its class first."""
    fill(tmp_path / "set/images", 4)
    (tmp_path / "set/boxes").mkdir()
    for number in range(3):
        (tmp_path / f"set/boxes/{number:03}.txt").write_text("0 0.5 0.5 0.1 0.2")
    assert any("labels in files, as boxes/000.txt, are not read" in note for note in loaded(tmp_path / "set")[1])


@pytest.mark.parametrize(
    ("names", "noted"),
    [
        (("cat.{}.png", "dog.{}.png"), True),
        (("Abyssinian cat {}.png", "beagle{}.png"), True),
        (("train_{}.png", "val_{}.png"), False),
        (("img_{}.png", "img_1{}.png"), False),
        (("{}.png", "cat_{}.png"), False),
    ],
)
@pytest.mark.parametrize("split", ["", "train/"])
def test_names_of_files_that_may_be_classes_are_noted(names, noted, split, tmp_path):
    for number in range(8):
        file = tmp_path / "set" / f"{split}{names[number % 2].format(number)}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png())
    _, notes = loaded(tmp_path / "set")
    assert any("with numbers: where these are classes" in note for note in notes) == noted


@pytest.mark.parametrize("targets", ["maps", "Target", "gt_map"])
def test_maps_and_targets_beside_images_are_no_classes(targets, tmp_path):
    for folder in ("images", targets):
        fill(tmp_path / "set" / folder, 3)
    result, notes = loaded(tmp_path / "set")
    assert result == (("images",), 2, 1) and any("look like masks of the others" in note for note in notes)


@pytest.mark.parametrize(("train", "test"), [("DUTS-TR", "DUTS-TE"), ("tr_images", "te_images"), ("tr", "va")])
def test_short_words_for_splits_are_not_taken_for_classes(train, test, tmp_path):
    for folder in (train, test):
        fill(tmp_path / "set" / folder, 3)
    with pytest.raises(ValueError, match="look like the splits or parts of a set.*: name them train and test"):
        load_images(tmp_path / "set")


def test_pictures_for_tests_alone_are_said(tmp_path):
    for part in ("a", "b"):
        fill(tmp_path / "set/test" / part, 3)
        fill(tmp_path / "other/photos" / part, 3)
    result, notes = loaded(tmp_path / "set")
    assert result == (("a", "b"), 4, 2)
    assert any("all pictures are from test, which is for tests by its name" in note for note in notes)
    assert not any("for tests" in note for note in loaded(tmp_path / "other")[1])


@pytest.mark.parametrize("name", ["a.csv", "a.wav", "a.unknown", "a"])
def test_a_file_that_is_no_set_is_refused_for_what_it_is(name, tmp_path):
    (tmp_path / name).write_text("image,label\n" * 100)
    with pytest.raises(ValueError, match=f"/{name} is neither a folder nor an archive. Accepted: "):
        load_images(tmp_path / name)


def test_arrays_and_films_given_by_path_are_refused_for_what_they_are(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((3, 8, 8), np.uint8))
    (tmp_path / "b.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1000))
    for name, kind in (("a.npz", "NumPy arrays"), ("b.mp4", "films")):
        with pytest.raises(ValueError, match=f"cannot be read. It holds {kind}, as {name}, which are not read: write"):
            load_images(tmp_path / name)


@pytest.mark.parametrize(
    ("row", "classes"),
    [
        ("{}\t{box}\t35\t90\tcat", None),
        ("{}\t{kind}\t35\t90", ("cat", "dog")),
        ("{}\t{bit}", ("0", "1")),
        ("{}\t{box}", None),
        ("{}\tn0{box}\t35\t90", ("n031", "n032", "n033", "n034")),
    ],
)
def test_a_text_of_boxes_tells_no_classes(row, classes, tmp_path):
    folder = fill(tmp_path / "set", 4)
    lines = [row.format(f"00{i}.png", box=31 + i, kind=("cat", "dog")[i % 2], bit=i % 2) for i in range(4)]
    (folder / "my_annotations.txt").write_text("\n".join(["filename\txmin\tymin", *lines]))
    result, notes = loaded(folder)
    assert result[0] == (classes or ("set",))
    assert any("my_annotations.txt tells no classes" in note for note in notes) == (classes is None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("0.jxl", "left out 1 other file(s): 0.jxl (not a picture in a format"),
        ("cow.dvc", "left out 1 file(s): cow.dvc (a pointer of DVC: dvc pull brings the files"),
        ("0000.label", "left out 1 other file(s): 0000.label"),
        *((name, None) for name in ("cat.dvc", "README", "LICENSE", "load.sh", "classes.names", "notes.md")),
    ],
)
def test_files_at_the_top_that_may_be_pictures_are_said(name, words, tmp_path):
    for folder in ("cat", "dog"):
        fill(tmp_path / "set" / folder, 3)
    (tmp_path / "set" / name).write_bytes(b"nothing that is known")
    _, notes = loaded(tmp_path / "set")
    assert any(words in note for note in notes) if words else not notes, notes


def test_links_in_a_zip_are_said(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for i in range(8):
            archive.writestr(f"{('cat', 'dog')[i % 2]}/{i}.png", png())
        for name in ("cow", "cat/8.png"):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o120777 << 16
            archive.writestr(info, "../elsewhere")
    result, notes = loaded(tmp_path / "set.zip")
    assert result == (("cat", "dog"), 6, 2)
    assert any("left out 2 symbolic link(s), which lead nowhere in a zip: unpack it" in note for note in notes)


def test_formats_that_pillow_knows_and_that_are_not_read_are_named(tmp_path):
    fill(tmp_path / "set/a", 4), fill(tmp_path / "set/b", 4)
    for name in ("a/1.dds", "b/2.icns"):
        (tmp_path / "set" / name).write_bytes(b"x")
    _, notes = loaded(tmp_path / "set")
    assert "left out 2 picture(s): a/1.dds, b/2.icns (a format that is not read: convert it to PNG;" in notes[0]
    with pytest.raises(ValueError, match="holds 0 readable.*Left out 1 picture.s.: 1.dds .a format that is not read"):
        (tmp_path / "bare").mkdir(), (tmp_path / "set/a/1.dds").rename(tmp_path / "bare/1.dds")
        load_images(tmp_path / "bare")


@pytest.mark.parametrize("kind", ["", "gz"])
def test_an_empty_tar_is_said_to_hold_no_file(kind, tmp_path):
    tarfile.open(tmp_path / "set.tar", f"w:{kind}").close()
    with pytest.raises(ValueError, match="it holds no file: it is empty, or damaged"):
        load_images(tmp_path / "set.tar")


def test_a_picture_that_cannot_be_opened_is_left_out_and_named(tmp_path, monkeypatch):
    fill(tmp_path / "set/a", 4), fill(tmp_path / "set/b", 4)

    def denied(path, most, read=walk.read_bytes):
        if str(path).endswith("b/001.png"):
            raise PermissionError(13, "Permission denied", path)
        return read(path, most)

    monkeypatch.setattr(walk, "read_bytes", denied)
    result, notes = loaded(tmp_path / "set")
    assert result == (("a", "b"), 5, 2) and any("b/001.png (it cannot be opened: Permission denied" in n for n in notes)


def test_a_single_picture_and_an_empty_path_are_refused(tmp_path):
    (tmp_path / "1.png").write_bytes(png())
    with pytest.raises(ValueError, match="is a single picture: give the folder"):
        load_images(tmp_path / "1.png")
    for empty in ("", " "):
        with pytest.raises(ValueError, match="is empty"):
            load_images(empty)
    with pytest.raises(ValueError, match="no home folder of the user ~nosuchuser"):
        load_images("~nosuchuser/x")


def test_a_name_keeps_its_dots(tmp_path):
    fill(tmp_path / "v1.5/a", 3), fill(tmp_path / "v1.5/b", 3)
    assert load_images(tmp_path / "v1.5").name == "v1.5"
    with zipfile.ZipFile(tmp_path / "v1.5.zip", "w") as archive:
        for file in (tmp_path / "v1.5").rglob("*.png"):
            archive.write(file, file.relative_to(tmp_path / "v1.5"))
    assert load_images(tmp_path / "v1.5.zip").name == "v1.5"


def test_stray_files_do_not_decide(tmp_path):
    fill(tmp_path / "set/a", 4), fill(tmp_path / "set/b", 4)
    rows = {"image": [png() for _ in range(30)], "label": ["x"] * 30}
    parquet.write_table(pyarrow.table(rows), tmp_path / "set/stray.parquet")
    (tmp_path / "set/a/test_batch.png").write_bytes(png())
    result, notes = loaded(tmp_path / "set")
    assert result == (("a", "b"), 7, 2) and any("left out 1 parquet file(s)" in note for note in notes)


# --- pixels -----------------------------------------------------------------------------------------------------------


def deep_files() -> dict[str, Image.Image]:
    ramp = np.linspace(0, 1, 1024).reshape(32, 32)
    return {
        "fractions.tif": Image.fromarray(ramp.astype(np.float32)),
        "integers.tif": Image.fromarray((65535 * ramp).astype(np.int32)),
        "twelve.tif": Image.fromarray((4095 * ramp).astype(np.uint16)),
        "twelve.png": Image.fromarray((4095 * ramp).astype(np.uint16)),
    }


@pytest.mark.parametrize("name", deep_files())
def test_deep_pictures_in_a_folder_are_those_of_an_upload(name, tmp_path):
    (tmp_path / "set").mkdir()
    for i in range(3):
        deep_files()[name].save(tmp_path / "set" / f"{i}{name}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = load_images(tmp_path / "set").train.images[0]
    assert image.min() == 0 and image.max() == 255
    assert (image == read_picture((tmp_path / "set" / f"0{name}").read_bytes())).all()


def wide_png(value: int, channels: int) -> bytes:
    """A picture of 8 x 8 pixels with 16 bits a channel: gray and alpha, colour, or colour and alpha."""
    colour = {2: 4, 3: 2, 4: 6}[channels]
    pixels = np.full((8, 8, channels), value, dtype=">u2")
    pixels[..., 3 if channels == 4 else channels :] = 65535
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def wide_tiff(value: int) -> bytes:
    """A picture of 8 x 8 pixels in colour with 16 bits a channel."""
    fields = ((256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 3, 122), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 128))
    fields += ((277, 3, 1, 3), (278, 3, 1, 8), (279, 4, 1, 384))
    table = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *field) for field in fields) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8) + table + struct.pack("<HHH", 16, 16, 16) + struct.pack("<H", value) * 192


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", [2, 3, 4, "tif"])
def test_colours_of_16_bits_that_hold_12_are_said_to_be_nearly_black(kind, stream, tmp_path):
    (tmp_path / "set").mkdir()
    for i, value in enumerate((4000, 4095, 65535)):
        content, suffix = (wide_tiff(value), "tif") if kind == "tif" else (wide_png(value, kind), "png")
        (tmp_path / "set" / f"{i}.{suffix}").write_bytes(content)
    _, notes = loaded(tmp_path / "set", size=8, stream=stream, workers=0)
    assert len(notes) == 1 and "2 picture(s) in colour of 16 bits a channel are nearly black" in notes[0], notes


def test_deep_pictures_of_one_set_are_scaled_alike(tmp_path):
    (tmp_path / "set").mkdir()
    for i, top in enumerate((300, 4000, 4000)):
        Image.fromarray(np.full((32, 32), top, np.uint16)).save(tmp_path / "set" / f"{i}.png")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        images = load_images(tmp_path / "set")
    values = sorted({*images.train.images.unique().tolist(), *images.test.images.unique().tolist()})
    assert values == [round(300 / 4095 * 255), round(4000 / 4095 * 255)]
    assert any("hold values from 300 to 4000: 0 became black and 4095 white" in str(w.message) for w in caught)


def temperatures(folder: Path, number: int) -> list[np.ndarray]:
    """Pictures of floats from 250 to 312, as ``0.tif`` and so on; returns their values."""
    folder.mkdir(parents=True, exist_ok=True)
    values = [np.linspace(250 + i, 300 + i, 64, dtype=np.float32).reshape(8, 8) for i in range(number)]
    for i, picture in enumerate(values):
        Image.fromarray(picture).save(folder / f"{i}.tif")
    return values


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_floats_that_are_not_finite_are_left_out_in_memory_and_replaced_in_a_stream(bad, tmp_path):
    values = temperatures(tmp_path / "set", 12)
    for i, share in ((3, np.s_[:1, :4]), (4, np.s_[:])):
        values[i][share] = bad
        Image.fromarray(values[i]).save(tmp_path / "set" / f"{i}.tif")
    (_, train, test), notes = loaded(tmp_path / "set", size=8)
    assert train + test == 10 and "left out 2 unreadable picture(s): 3.tif, 4.tif (The picture holds values" in notes[0]
    assert any("hold values from 250 to 311: 0 became black and 1023 white" in note for note in notes)
    images = load_images(tmp_path / "set", 8, stream=True, workers=0)
    with pytest.warns(Note, match=r"4.tif is left out \(The picture holds values that are not finite: replace them\)"):
        assert min(picture.min() for picture in images.train.images) == round(250 / 1023 * 255)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("odd", "shade"), [(-9999, "white"), (-3.4e38, "white"), (1e5, "black"), (3.4e38, "black")])
def test_a_value_of_no_data_that_leaves_the_others_no_room_is_said(odd, shade, stream, tmp_path):
    for i, values in enumerate(temperatures(tmp_path / "set", 12)):
        values[0, :3] = odd
        Image.fromarray(values).save(tmp_path / "set" / f"{i}.tif")
    _, notes = loaded(tmp_path / "set", size=8, stream=stream, workers=0)
    words = f"12 picture(s) of more than 8 bits are nearly {shade}, because the set holds values"
    assert [words in note for note in notes[:2]] == [False, True], notes


@pytest.mark.parametrize("sign", [1, -1])
def test_floats_on_a_plain_ground_are_neither_nearly_black_nor_nearly_white(sign, tmp_path):
    for i, values in enumerate(temperatures(tmp_path / "set", 12)):
        values[:], values[3:5] = sign, -sign
        Image.fromarray(values).save(tmp_path / "set" / f"{i}.tif")
    assert not any("nearly" in note for note in loaded(tmp_path / "set", size=8)[1])


def test_fractions_beside_deep_pictures_are_said_to_be_black(tmp_path):
    for folder, values in (("a", np.float32(0.9)), ("b", np.uint16(60_000))):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((32, 32), values)).save(tmp_path / "set" / folder / f"{i}.tif")
    with pytest.warns(Note, match="3 picture.s. of more than 8 bits are nearly black, because the set holds"):
        load_images(tmp_path / "set")


def test_small_files_are_read_into_small_buffers(tmp_path):
    fill(tmp_path / "set", 4)
    tracemalloc.start()
    load_images(tmp_path / "set")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_too_little_memory_is_no_damage(tmp_path, monkeypatch):
    fill(tmp_path / "set", 4)

    def full(*_):
        raise MemoryError

    monkeypatch.setattr(walk, "read_bytes", full)
    with pytest.raises(ValueError, match="there is not enough memory to read .*set"):
        load_images(tmp_path / "set")


def deep_pictures(folder: Path, number: int, side: int = 32) -> Path:
    """Grey pictures of 16 bits; two classes."""
    values = np.random.default_rng(0)
    for i in range(number):
        (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        pixels = values.integers(0, 4000, (side, side), dtype=np.uint16)
        Image.fromarray(pixels).save(folder / "ab"[i % 2] / f"{i:03}.png")
    return folder


def test_deep_pictures_are_not_held_in_memory_until_their_scale_is_known():
    rows = Rows(2, Wanted((4, 4)))
    rows.put(1, Picture(None, np.arange(16, dtype=np.float32).reshape(4, 4)))
    assert rows.deep == {1: (0, 7.5, 15)}


def test_deep_pictures_are_read_alike_from_a_zip_from_parquet_and_as_a_stream(tmp_path):
    folder = deep_pictures(tmp_path / "set", 12)
    files = sorted(folder.rglob("*.png"))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in files:
            archive.write(file, file.relative_to(folder).as_posix())
    table = {"image": [{"bytes": file.read_bytes()} for file in files], "label": [file.parent.name for file in files]}
    parquet.write_table(pyarrow.table(table), tmp_path / "set.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sets = [load_images(tmp_path / name) for name in ("set", "set.zip", "set.parquet")]
        sets.append(load_images(folder, stream=True, workers=0))
    sums = [sorted(int(image.sum()) for split in (one.train, one.test) for image in split.images) for one in sets]
    assert all(one == sums[0] for one in sums) and sums[0][0] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_pages_and_frames_behind_the_first_are_counted(stream, tmp_path):
    fill(tmp_path / "set", 4)
    pages = [Image.new("L", (32, 32), 50 * i) for i in range(1, 5)]
    pages[0].save(tmp_path / "set" / "stack.tif", save_all=True, append_images=pages[1:])
    for name in ("film.gif", "film.webp", "film.png"):
        pages[0].save(tmp_path / "set" / name, save_all=True, append_images=pages[1:3])
    Image.new("RGB", (32, 32)).save(tmp_path / "set" / "one.tif")
    with pytest.warns(Note, match="4 picture.s. have several pages or frames: the first of up to 4 is taken"):
        load_images(tmp_path / "set", stream=stream, workers=0)


@pytest.mark.parametrize("end", [".crdownload", ".part", "~", ".bak", ".PARTIAL"])
def test_backups_and_unfinished_downloads_are_left_out_and_named(end, tmp_path):
    fill(tmp_path / "set" / "cat", 4)
    fill(tmp_path / "set" / "dog", 4)
    shutil.copy(next((tmp_path / "set" / "cat").iterdir()), tmp_path / "set" / "cat" / f"9.png{end}")
    with pytest.warns(Note, match=f"left out 1 file.s.: cat/9.png{end} .a backup or an unfinished download"):
        images = load_images(tmp_path / "set")
    assert len(images.train) + len(images.test) == 8


def test_names_in_a_zip_that_may_be_garbled_are_named(tmp_path):
    fill(tmp_path / "set", 4)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for i, file in enumerate(sorted((tmp_path / "set").iterdir())):
            archive.write(file, f"{('käse', 'brot')[i % 2]}/{i}.png")
    data = (tmp_path / "set.zip").read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_images(tmp_path / "set.zip").classes == ("brot", "käse")
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # without the mark of UTF-8
        data = re.sub(re.escape(magic) + b".{%d}" % (at - 4) + b"\0\x08", lambda m: m[0][:-1] + b"\0", data, flags=re.S)
    (tmp_path / "set.zip").write_bytes(data)
    with pytest.warns(Note, match="2 name.s. may be garbled, as k.*: unpack it, or pack it with names in UTF-8"):
        load_images(tmp_path / "set.zip")


def test_transparent_pixels_are_white_in_a_folder_too(tmp_path):
    (tmp_path / "set").mkdir()
    for i in range(3):
        Image.new("RGBA", (32, 32), (200, 10, 20, 0)).save(tmp_path / "set" / f"{i}.png")
    assert load_images(tmp_path / "set").train.images.unique().tolist() == [255]


def test_sizes_have_caches_of_their_own(tmp_path):
    fill(tmp_path / "set", 4)
    for size in (16, 32):
        load_images(tmp_path / "set", size=size)
    assert len(list(Path(os.environ["MP3_CACHE"]).glob("images-*.safetensors"))) == 2


def test_a_newer_reader_decodes_again(tmp_path, monkeypatch):
    from mp3lib.data.readers import formats
    from mp3lib.data.sources import from_paths

    fill(tmp_path / "set", 4)
    load_images(tmp_path / "set")
    reads = []
    monkeypatch.setattr(formats, "read", lambda *args, read=formats.read: reads.append(1) or read(*args))
    load_images(tmp_path / "set")
    monkeypatch.setattr(from_paths, "READER", from_paths.READER + 1)
    load_images(tmp_path / "set")
    assert len(reads) == 1


# --- archives ---------------------------------------------------------------------------------------------------------


def packed(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(6):
            archive.writestr(f"a/{i}.png", png())
    return path.read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [({8: 1}, "is encrypted .a/0.png.: unpack it with its password"), ({10: 9}, "method 9, a/0.png; 9 is Deflate64")],
)
def test_zips_that_python_cannot_read_get_a_sentence(change, words, tmp_path):
    data = bytearray(packed(tmp_path / "x.zip"))
    entry = data.find(b"PK\1\2")
    for offset, value in change.items():
        data[entry + offset] = value
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(ValueError, match=words):
        load_images(tmp_path / "x.zip")


def test_a_directory_that_hides_members_is_no_smaller_set(tmp_path):
    """The directory of a zip has no checksum: a comment that is too long hides the entries after it."""
    data = bytearray(packed(tmp_path / "x.zip"))
    second = data.find(b"PK\1\2", data.find(b"PK\1\2") + 4)
    third = data.find(b"PK\1\2", second + 4)
    data[second + 32] = third - second  # the length of its comment
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(ValueError, match="its directory is damaged: it lists 5 of 6 members"):
        load_images(tmp_path / "x.zip")


@pytest.mark.parametrize("name", [b".bc/0.png", b"abc/0.pn/"])
def test_a_damaged_name_hides_no_picture(name, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for i in range(6):
            archive.writestr(f"abc/{i}.png", png())
    data = (tmp_path / "x.zip").read_bytes()
    at = data.rfind(b"abc/0.png")  # in the directory
    (tmp_path / "x.zip").write_bytes(data[:at] + name + data[at + 9 :])
    with pytest.raises(ValueError, match="cannot be read to its end .File name in directory"):
        load_images(tmp_path / "x.zip")


def test_whole_zips_of_any_make_are_read(tmp_path, monkeypatch):
    packed(tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip", "a") as archive:
        archive.comment = b"made by hand"
    whole = (tmp_path / "x.zip").read_bytes()
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)  # more members than this make it a zip64
    zip64 = packed(tmp_path / "y.zip")
    assert b"PK\6\6" in zip64
    for data in (whole, b"a program that unpacks itself" + zip64, zip64 + b"\0\0 more", zip64):
        (tmp_path / "x.zip").write_bytes(data)
        assert loaded(tmp_path / "x.zip")[0] == (("a",), 5, 1)


def test_a_zip_of_a_later_version_is_refused_in_a_sentence(tmp_path):
    data = bytearray(packed(tmp_path / "x.zip"))
    data[data.find(b"PK\1\2") + 6] = 200
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(ValueError, match="cannot be read to its end .zip file version 20.0"):
        load_images(tmp_path / "x.zip")


def test_bombs_are_refused_before_they_go_off(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", bytes(10**8))
    with pytest.raises(ValueError, match="would unpack to 100,000,000"):
        load_images(tmp_path / "x.zip")
    with tarfile.open(tmp_path / "x.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("a/1.png")
        info.size = 10**8
        archive.addfile(info, io.BytesIO(bytes(10**8)))
    with pytest.raises(ValueError, match="would unpack to 100,000,000"):
        load_images(tmp_path / "x.tgz")


def of_headers(kind: bytes, claimed: int) -> bytes:
    info = tarfile.TarInfo("a/1.png")
    info.size, info.type = claimed, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def sparse_map() -> bytes:
    """A header of a sparse file, whose map comes with the content and claims to be long."""
    lines = (b" GNU.sparse.major=1\n", b" GNU.sparse.minor=0\n", b" GNU.sparse.name=a.png\n")
    said = b"".join(str(len(line) + 2).encode() + line for line in lines)
    head = of_headers(tarfile.XHDTYPE, len(said)) + said.ljust(512, b"\0")
    return head + of_headers(tarfile.REGTYPE, 1 << 29) + b"10000000\n" + b"1\n" * 1_000_000


LARGE_HEADERS = {
    "attributes": lambda: of_headers(tarfile.XHDTYPE, 1 << 30) + bytes(20_000_000),
    "global attributes": lambda: of_headers(tarfile.XGLTYPE, 1 << 30) + bytes(20_000_000),
    "a long name": lambda: of_headers(tarfile.GNUTYPE_LONGNAME, 1 << 30) + bytes(20_000_000),
    "a long link": lambda: of_headers(tarfile.GNUTYPE_LONGLINK, 1 << 30) + bytes(20_000_000),
    "after a member": lambda: of_headers(tarfile.REGTYPE, 0) + of_headers(tarfile.XHDTYPE, 1 << 30) + bytes(20_000_000),
    "names without end": lambda: (of_headers(tarfile.GNUTYPE_LONGNAME, 10) + bytes(512)) * 5_000,
    "the map of a sparse file": sparse_map,
}


@pytest.mark.parametrize("name", LARGE_HEADERS)
@pytest.mark.parametrize("opener", [open, gzip.open, bz2.open, lzma.open])
def test_what_a_header_claims_takes_no_memory(opener, name, tmp_path):
    with opener(tmp_path / "x.tar", "wb") as file:
        file.write(LARGE_HEADERS[name]())
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="cannot be read to its end .(a header claims to have|a damaged header)"):
            load_images(tmp_path / "x.tar")
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


def test_headers_without_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, "HEADERS", 100_000)
    with bz2.open(tmp_path / "x.tar.bz2", "wb") as file:
        file.write(of_headers(tarfile.REGTYPE, 0) * 1_000)
    with pytest.raises(ValueError, match="its headers have more than 10"):
        load_images(tmp_path / "x.tar.bz2")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_holds_more_than_it_claims_takes_no_memory(method, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as archive:
        archive.writestr("a/1.png", bytes(60_000_000))
        archive.writestr("a/2", bytes(60_000_000))  # without an ending, its beginning is looked at
    data = bytearray((tmp_path / "x.zip").read_bytes())
    for at in (data.find(b"PK\1\2"), data.rfind(b"PK\1\2")):
        data[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="cannot be read to its end .(Bad CRC-32 for file 'a/|a/1.png is damaged)"):
            load_images(tmp_path / "x.zip")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_zips_of_every_compression_are_read_alike_and_their_checksums_compared(tmp_path):
    pictures, found = {f"{'ab'[i % 2]}/{i}.bmp": b"" for i in range(6)}, set()
    for name in pictures:
        file = io.BytesIO()
        noise(16).save(file, "BMP")
        pictures[name] = file.getvalue()
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as archive:
            for name, content in pictures.items():
                archive.writestr(name, content)
        found.add(load_images(tmp_path / "x.zip", size=16).fingerprint)
        data = bytearray((tmp_path / "x.zip").read_bytes())
        data[data.find(b"PK\1\2") + 16] ^= 1  # the checksum of the first one
        (tmp_path / "x.zip").write_bytes(data)
        with pytest.raises(ValueError, match="cannot be read to its end"):
            load_images(tmp_path / "x.zip", size=16)
    assert len(found) == 1


def test_a_directory_that_is_large_for_its_zip_is_not_read(tmp_path):
    with open(tmp_path / "x.zip", "wb") as file:
        file.truncate(1 << 30)  # without content, so that it takes no place on the disk
        file.seek(0, 2)
        file.write(b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 1 << 30, 0, 0))
    with pytest.raises(ValueError, match="claims to have a directory of 1,073,741,824 bytes"):
        load_images(tmp_path / "x.zip")


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path):
    fill(tmp_path / "set/a", 4), fill(tmp_path / "set/b", 4)
    packed(tmp_path / "set/z.zip")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "set", "set")
    assert loaded(tmp_path / "x.tar")[0] == (("a", "b"), 6, 2)


def test_members_that_overlap_are_refused(tmp_path):
    data = packed(tmp_path / "x.zip")
    second = data.find(b"PK\1\2", data.find(b"PK\1\2") + 4)
    overlapping = bytearray(data)
    overlapping[second + 42 : second + 46] = (0).to_bytes(4, "little")  # it begins where the first one does
    (tmp_path / "x.zip").write_bytes(overlapping)
    with pytest.raises(ValueError, match="overlap"):
        load_images(tmp_path / "x.zip")


def test_a_tar_whose_middle_is_damaged_or_whose_end_is_missing_is_no_smaller_set(tmp_path):
    fill(tmp_path / "set/a", 4), fill(tmp_path / "set/b", 4)
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tmp_path / "set", "set")
    with tarfile.open(tmp_path / "x.tar") as archive:
        middle = archive.getmember("set/b/001.png").offset
    whole = (tmp_path / "x.tar").read_bytes()
    damaged = bytearray(whole)
    damaged[middle] ^= 1
    for data in (bytes(damaged), whole[:middle] + b"x" * 512):
        (tmp_path / "x.tar").write_bytes(data)
        with pytest.raises(ValueError, match="cannot be read to its end .there is damage after set/b/000.png"):
            load_images(tmp_path / "x.tar")


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_a_damaged_archive_is_never_read_with_other_pixels(kind, tmp_path):
    path = tmp_path / f"set.tar.{kind}"
    with tarfile.open(path, f"w:{kind}") as archive:
        for i in range(8):
            info = tarfile.TarInfo(f"{'ab'[i % 2]}/{i}.bmp")
            file = io.BytesIO()
            noise(16).save(file, "BMP")
            info.size = len(file.getvalue())
            archive.addfile(info, io.BytesIO(file.getvalue()))
    whole, right = path.read_bytes(), load_images(path).fingerprint
    for _ in range(20):
        damaged = bytearray(whole)
        damaged[int(RNG.integers(20, len(whole)))] ^= 1 << int(RNG.integers(8))
        path.write_bytes(damaged)
        try:
            assert load_images(path).fingerprint == right  # a flipped bit may lie where nothing is
        except ValueError as error:
            assert "cannot be read to its end" in str(error)


# --- parquet and pickles ----------------------------------------------------------------------------------------------


def table(path: Path, **columns) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(columns), path)


def cells(number: int) -> list[dict]:
    return [{"bytes": png(), "path": None} for _ in range(number)]


def test_the_split_of_parquet_is_looked_for_in_the_whole_path(tmp_path):
    table(tmp_path / "set/default/train/0000.parquet", image=cells(30), label=[i % 3 for i in range(30)])
    table(tmp_path / "set/default/test/0000.parquet", image=cells(9), label=[i % 3 for i in range(9)])
    (tmp_path / "set/default/train/._0000.parquet").write_bytes(b"of a Mac")
    assert loaded(tmp_path / "set")[0] == (("0", "1", "2"), 30, 9)


def test_rows_without_picture_or_label_are_left_out_and_named(tmp_path):
    images, labels = cells(10), [i % 2 for i in range(10)]
    images[2], labels[5] = None, None
    table(tmp_path / "set/x.parquet", image=images, label=labels)
    result, notes = loaded(tmp_path / "set")
    assert result == (("0", "1"), 6, 2)
    assert any("x.parquet row 2 (no picture)" in note for note in notes)
    assert "set: left out 1 picture(s) of the file without a label" in [note.rpartition("/")[2] for note in notes]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["dog", "cat"] * 5, ("cat", "dog")),
        (None, ("set",)),
        ([-1] * 10, ("set",)),
        (pyarrow.nulls(10), ("set",)),
        (["a", " "] * 5, ("a",)),
        (["a", "-1"] * 5, ("a",)),
        (["-1", "0", "1"] * 3 + ["0"], ("0", "1")),
        (["a\nb", "c"] * 5, ("a\\nb", "c")),
        ([0, 10**9] * 5, ("0", "1000000000")),
        ([3, 7] * 5, ("3", "7")),
    ],
)
def test_labels_of_any_kind(labels, classes, tmp_path):
    table(tmp_path / "set/x.parquet", image=[png() for _ in range(10)], **({} if labels is None else {"label": labels}))
    assert loaded(tmp_path / "set")[0][0] == classes


@pytest.mark.parametrize(
    ("columns", "classes", "words"),
    [
        *(({name: ["a", "b"]}, ("a", "b"), None) for name in ("category", "Class", "target", "y", "fine_label", "cls")),
        ({"label": ["a", "b"], "category": ["x", "y"]}, ("a", "b"), "of the column label, not of category"),
        ({"coarse_label": [0, 0], "fine_label": [3, 4]}, ("3", "4"), "column fine_label, not of coarse_label"),
        ({"coarse_label": [0, 1]}, ("0", "1"), None),
        ({"class": ["a", "b"], "category": ["x", "y"]}, ("set",), "category and class could all be labels, so none"),
        ({"breed": ["a", "b"]}, ("set",), r"no label column found among \['breed'\]: all pictures count as one class"),
        (
            {"label": [[1, 2], [3]]},
            ("set",),
            "the column label holds list<.*int64>, and a label is one whole number or",
        ),
        ({"label": [b"a", b"b"]}, ("set",), "the column label holds binary, and a label is one whole number or text"),
        ({"label": [1.0, 2.0]}, ("1", "2"), None),
        ({"target": [0.25, 1.5]}, ("set",), "the labels are fractions, as 0.25, and no classes"),
        ({"label": [0, 1], "id": [5, 6]}, ("0", "1"), None),
        ({"label": [None, None]}, ("set",), "no row has a label: all pictures count as one class"),
        ({"label": [0, 1], "mask": cells(2)}, ("0", "1"), "the pictures are those of the column image, not of mask"),
        ({"label": [0, 1], "img": cells(2)}, ("0", "1"), "the pictures are those of the column img, not of image"),
        ({}, ("set",), None),
    ],
)
def test_the_column_is_found_or_missed_with_a_word(columns, classes, words, tmp_path):
    table(tmp_path / "set/x.parquet", image=cells(10), **{name: two * 5 for name, two in columns.items()})
    result, notes = loaded(tmp_path / "set")
    assert result[0] == classes
    assert any(re.search(words, note) for note in notes) if words else not notes


def test_the_column_of_pictures_may_have_any_name_if_it_is_the_only_one(tmp_path):
    table(tmp_path / "set/x.parquet", photo=cells(6), label=[0, 1] * 3, text=["x"] * 6)
    assert loaded(tmp_path / "set")[0] == (("0", "1"), 4, 2)
    table(tmp_path / "two/x.parquet", photo=cells(6), mask=cells(6))
    with pytest.raises(ValueError, match="must have a column img or image; it has .'photo', 'mask'."):
        load_images(tmp_path / "two")


def test_large_cells_are_read_a_few_at_a_time_and_bombs_not_at_all(tmp_path):
    noisy = png(Image.fromarray(RNG.integers(0, 256, (1200, 1200, 3), dtype=np.uint8)))  # 4 MB
    table(tmp_path / "set/x.parquet", image=[noisy] * 4, label=[0, 1] * 2)
    assert loaded(tmp_path / "set")[0] == (("0", "1"), 2, 2)
    made = pyarrow.table({"image": [bytes(50_000_000), bytes(50_000_000)]})
    parquet.write_table(made, tmp_path / "bomb.parquet", compression="zstd", use_dictionary=False)
    with pytest.raises(ValueError, match="would unpack to 100,0"):
        load_images(tmp_path / "bomb.parquet")


def test_an_unlabelled_test_split_is_left_out(tmp_path):
    table(tmp_path / "set/train.parquet", image=cells(10), label=[0, 1] * 5)
    table(tmp_path / "set/test.parquet", image=cells(4), label=[-1] * 4)
    result, notes = loaded(tmp_path / "set")
    assert result == (("0", "1"), 8, 2) and any("4 picture(s) of test without a label" in note for note in notes)


@pytest.mark.parametrize("labels", [[-1] * 30, [None] * 30, None])
@pytest.mark.parametrize("name", ["train", "unlabeled", "x"])
def test_nobody_trains_on_test_rows_where_the_training_split_has_no_labels(name, labels, tmp_path):
    columns = {} if labels is None else {"label": pyarrow.array(labels, "int64")}
    table(tmp_path / f"set/{name}.parquet", image=cells(30), **columns)
    table(tmp_path / "set/test.parquet", image=cells(20), label=[0, 1] * 10)
    result, notes = loaded(tmp_path / "set", unlabelled=True)
    assert result == (("0", "1"), 30, 20)
    assert any("no training picture has a label" in note for note in notes)
    with pytest.raises(ValueError, match="no training picture has a label, so the set is for pretraining alone"):
        load_images(tmp_path / "set")
    packed = pack_images(tmp_path / "set", 32)
    with pytest.raises(ValueError, match="no training picture has a label"):
        load_images(packed)
    assert len(load_images(packed, unlabelled=True).train) == 30


@pytest.mark.posix
def test_parquet_files_are_opened_one_at_a_time(tmp_path):
    """A set may have more shards than the process may have files open."""
    import resource

    open_now, limits = len(os.listdir("/dev/fd")), resource.getrlimit(resource.RLIMIT_NOFILE)
    for number in range(60):
        table(tmp_path / f"set/train-{number:05d}-of-00060.parquet", image=cells(2), label=[0, 1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 40, limits[1]))
    try:
        images = load_images(tmp_path / "set", 8)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(images.train) + len(images.test) == 120 and len(os.listdir("/dev/fd")) <= open_now + 1


def test_a_parquet_file_behind_a_link_is_read_by_its_content(tmp_path):
    table(tmp_path / "blobs/abc", image=cells(6), label=[0, 1] * 3)
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub/train.parquet").symlink_to(tmp_path / "blobs/abc")
    for path in ("hub/train.parquet", "hub", "blobs/abc"):
        assert loaded(tmp_path / path)[0][1:] == (4, 2), path
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(ValueError, match="broken.parquet cannot be read as parquet"):
        load_images(tmp_path / "broken.parquet")


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_batches_pickled_again_are_read(protocol, tmp_path):
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    sets = {name: RNG.integers(0, 256, (4, 3072), dtype=np.uint8) for name in names}
    (tmp_path / "set").mkdir()
    for name, pixels in sets.items():
        batch = {"data": pixels, "labels": [np.int64(i) for i in range(4)]}
        (tmp_path / "set" / name).write_bytes(pickle.dumps(batch, protocol=protocol))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = load_images(tmp_path / "set")
    assert len(images.train) == 20 and (images.test.images.reshape(4, -1).numpy() == sets["test_batch"]).all()


class Forged:
    """A dtype whose state claims that its bytes are pointers to objects."""

    def __reduce__(self):
        return np.dtype, ("V8", False, True), (3, "|", None, None, None, 8, 1, 63)


class Pointers:
    def __reduce__(self):
        rebuild = np.zeros(1).__reduce__()[0]
        return rebuild, (np.ndarray, (0,), b"b"), (1, (1,), Forged(), False, b"\x41" * 8)


@pytest.mark.parametrize("what", [Forged(), Pointers(), np.array([object], dtype=object), np.array(["text"])])
def test_a_pickle_cannot_make_pointers(what, tmp_path):
    (tmp_path / "set").mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        (tmp_path / "set" / name).write_bytes(pickle.dumps({"data": what, "labels": [0]}, protocol=2))
    with pytest.raises(ValueError, match="is not a batch of CIFAR-10"):
        load_images(tmp_path / "set")


@pytest.mark.parametrize(
    ("opcodes", "words"),
    [
        (b"Nr\xff\xff\xff\x0f", "LONG_BINPUT 268435455 in a file of"),
        (b"Np99999999\n", "PUT 99999999 in a file of"),
        (b"\x96\0\0\0\x80\0\0\0\0", "BYTEARRAY8 is longer than the file"),
        (b")" + b"\x85" * 25_001, "more than 25,000 tuples"),
        (b"\xff", "byte 3 is not an opcode"),
    ],
)
def test_a_pickle_cannot_take_memory_that_its_bytes_do_not_need(opcodes, words):
    with pytest.raises(ValueError, match=words):
        read_batch(b"\x80\x02}" + opcodes + b".", "data_batch_1")


@pytest.mark.parametrize("text", ["[" * 100_000, f"[{2**70}, 1]", "[true]", "{}"])
def test_odd_labels_of_the_npm_package_are_refused(text):
    with pytest.raises(ValueError, match="train_lables.json is not"):
        whole_numbers(text.encode(), "train_lables.json")


def test_what_does_not_fit_into_memory_is_refused_with_an_estimate():
    with pytest.raises(ValueError, match=r"12,000 pictures of 4000 x 4000 pixels take about 74\d.* GB"):
        load_images("scenes", size=4000)


# --- what a hostile reader found --------------------------------------------------------------------------------------


def test_the_word_nearest_to_the_rows_names_their_split(tmp_path):
    for folder in ("training_corpus", "dev-kit"):
        table(tmp_path / folder / "set/train.parquet", image=cells(8), label=[0, 1] * 4)
        table(tmp_path / folder / "set/test.parquet", image=cells(4), label=[0, 1] * 2)
        assert loaded(tmp_path / folder)[0] == (("0", "1"), 8, 4)
    table(tmp_path / "plain/mnist.parquet", image=cells(8), label=[0, 1] * 4)
    table(tmp_path / "plain/mnist_test.parquet", image=cells(4), label=[0, 1] * 2)
    assert loaded(tmp_path / "plain")[0] == (("0", "1"), 8, 4)


def test_parquet_takes_the_first_test_split_with_labels_and_refuses_tests_alone(tmp_path):
    table(tmp_path / "set/train.parquet", image=cells(20), label=[0, 1] * 10)
    table(tmp_path / "set/validation.parquet", image=cells(4), label=[0, 1] * 2)
    table(tmp_path / "set/test.parquet", image=cells(4), label=[-1] * 4)
    assert loaded(tmp_path / "set")[0] == (("0", "1"), 20, 4)
    (tmp_path / "set/train.parquet").unlink()
    table(tmp_path / "set/test.parquet", image=cells(4), label=[0, 1] * 2)
    with pytest.raises(ValueError, match="holds the splits test and validation, but none for training"):
        load_images(tmp_path / "set")


def test_a_parquet_file_whose_name_says_no_split_is_not_trained_on(tmp_path):
    table(tmp_path / "set/train.parquet", image=cells(20), label=[0, 1] * 10)
    table(tmp_path / "set/heldout.parquet", image=cells(6), label=[0, 1] * 3)
    with pytest.raises(ValueError, match="has train.parquet for training, and beside it heldout.parquet, whose name"):
        load_images(tmp_path / "set")
    table(tmp_path / "set/test.parquet", image=cells(4), label=[0, 1] * 2)
    result, notes = loaded(tmp_path / "set")
    assert result == (("0", "1"), 20, 4) and "left out 6 picture(s) of other splits" in notes[0]


@pytest.mark.parametrize("content", [[], [b"nothing"] * 4])
def test_a_parquet_file_for_tests_without_pictures_is_replaced_with_a_word(content, tmp_path):
    table(tmp_path / "set/train.parquet", image=cells(20), label=[0, 1] * 10)
    table(tmp_path / "set/test.parquet", image=pyarrow.array(content, "binary"), label=[0] * len(content))
    result, notes = loaded(tmp_path / "set")
    assert result == (("0", "1"), 18, 2)
    assert any("no labelled test pictures are left, so every tenth picture of a class" in note for note in notes)
    assert any("1 file(s) hold no rows, as test.parquet" in note for note in notes) == (not content)


def test_test_classes_of_parquet_without_training_pictures_are_named(tmp_path):
    table(tmp_path / "set/train.parquet", image=cells(8), label=[0, 1] * 4)
    table(tmp_path / "set/test.parquet", image=cells(4), label=["a", "b", "1", "0"])
    result, notes = loaded(tmp_path / "set")
    assert result == (("0", "1", "a", "b"), 8, 4)
    assert "no training picture has the class a and b of the test pictures" in notes[0]


def test_rows_for_tests_alone_are_said_and_archives_of_parquet_refused(tmp_path):
    table(tmp_path / "set/test-00000-of-00001.parquet", image=cells(12), label=[0, 1] * 6)
    result, notes = loaded(tmp_path / "set")
    assert result == (("0", "1"), 10, 2)
    assert any("all pictures are from test, which is for tests by its name" in note for note in notes)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "set/test-00000-of-00001.parquet", "set/train.parquet")
    with pytest.raises(ValueError, match="parquet files, as set/train.parquet, which are not read inside an archive"):
        load_images(tmp_path / "set.zip")


def test_classes_of_one_row_each_that_are_in_the_test_set_only_are_named(tmp_path):
    table(tmp_path / "set/x.parquet", image=cells(3), label=["a", "b", "c"])
    result, notes = loaded(tmp_path / "set")
    assert result == (("a", "b", "c"), 2, 1)
    assert any("no training picture has the class c of the test pictures" in note for note in notes)


def test_the_labels_of_a_test_split_that_training_lacks_count_as_none(tmp_path):
    table(tmp_path / "set/train.parquet", image=cells(20), label=[0, 1] * 10)
    table(tmp_path / "set/test.parquet", image=cells(4), label=["?"] * 4)
    result, notes = loaded(tmp_path / "set")
    assert result == (("0", "1"), 18, 2)
    assert notes[0].endswith("the labels of test (?) are none of the training set")
    table(tmp_path / "set/validation.parquet", image=cells(6), label=["01", "00"] * 3)
    assert loaded(tmp_path / "set")[0][1:] == (20, 6)


@pytest.mark.parametrize(
    ("names", "classes", "words"),
    [
        (["cat", "dog"], ("cat", "dog"), None),
        (["a\nb", "\ud800"], ("a\\nb", "\\ud800"), None),
        (["cat", "cat"], ("0", "1"), "are not used: some are equal"),
        ("cat", ("0", "1"), "are not used: they are not a list of texts"),
        ([["cat"], None], ("0", "1"), "are not used: they are not a list of texts"),
    ],
)
def test_odd_names_in_the_description_of_the_labels_are_not_used(names, classes, words, tmp_path, capsys):
    about = json.dumps({"info": {"features": {"label": {"names": names}}}}).encode()
    made = pyarrow.table({"image": cells(10), "label": [0, 1] * 5}).replace_schema_metadata({b"huggingface": about})
    (tmp_path / "set").mkdir()
    parquet.write_table(made, tmp_path / "set/x.parquet")
    (found, *_), notes = loaded(tmp_path / "set")
    assert found == classes and (words is None) == (notes == [])
    assert words is None or words in notes[0]
    assert capsys.readouterr().out.count("\n") == 1


def test_files_of_several_folders_are_joined_with_a_word(tmp_path):
    table(tmp_path / "set/a/train.parquet", image=cells(8), label=[0, 1] * 4)
    table(tmp_path / "set/b/test.parquet", image=cells(4), label=[0, 1] * 2)
    result, notes = loaded(tmp_path / "set")
    assert result == (("0", "1"), 8, 4) and "the files of a and b count as one set" in notes[0]
    (
        (tmp_path / "set/a").rename(tmp_path / "set/partial-train"),
        (tmp_path / "set/b").rename(tmp_path / "set/partial-test"),
    )
    assert loaded(tmp_path / "set") == (result, [])


def test_a_column_of_splits_and_missing_files_of_a_set_are_named(tmp_path):
    for number in (0, 2):
        file = tmp_path / f"set/train-0000{number}-of-00003.parquet"
        table(file, image=cells(8), label=[0, 1] * 4, Split=["train", "test"] * 4)
    result, notes = loaded(tmp_path / "set")
    assert result == (("0", "1"), 14, 2)
    assert any("only 2 of the 3 files of train are here" in note for note in notes)
    assert any("the column Split plays no part" in note for note in notes)


@pytest.mark.parametrize("name", ["{}/{}-00000-of-00001.parquet", "{}/{}/0000.parquet"])
def test_several_sets_of_parquet_side_by_side_are_refused(name, tmp_path):
    for version in ("plain", "cropped"):
        for part in ("train", "test"):
            table(tmp_path / "set" / name.format(version, part), image=cells(4), label=[0, 1] * 2)
    with pytest.raises(ValueError, match="cropped and plain each hold parquet files for training and testing"):
        load_images(tmp_path / "set")
    assert loaded(tmp_path / "set" / "plain")[0] == (("0", "1"), 4, 4)


def test_each_parquet_file_names_its_own_labels(tmp_path):
    for part, names in (("train", ["cat", "dog"]), ("test", ["dog", "cat"])):
        columns = {"image": [png(Image.new("RGB", (32, 32), (i, 0, 0))) for i in range(4)], "label": [0, 1] * 2}
        feature = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        made = pyarrow.table(columns).replace_schema_metadata({"huggingface": json.dumps(feature)})
        (tmp_path / "set").mkdir(exist_ok=True)
        parquet.write_table(made, tmp_path / "set" / f"{part}.parquet")
    images = load_images(tmp_path / "set")
    for split, first in ((images.train, "cat"), (images.test, "dog")):
        for image, label in zip(split.images, split.labels, strict=True):
            other = {"cat": "dog", "dog": "cat"}[first]
            assert images.classes[label] == (first if image[0, 0, 0] % 2 == 0 else other)


def test_a_parquet_file_without_labels_beside_labelled_ones_is_left_out(tmp_path):
    table(tmp_path / "set/train.parquet", image=cells(10), label=[0, 1] * 5)
    table(tmp_path / "set/test.parquet", image=cells(4))
    result, notes = loaded(tmp_path / "set")
    assert result == (("0", "1"), 8, 2) and any("left out 4 picture(s) of test without" in note for note in notes)


def test_ten_classes_are_not_cifar10(tmp_path):
    table(tmp_path / "mnist/train.parquet", image=cells(20), label=[*range(10)] * 2)
    assert loaded(tmp_path / "mnist")[0][0] == tuple("0123456789")


def test_folders_that_are_joined_and_classes_without_training_pictures_are_named(tmp_path):
    for folder in ("train1/cat", "train2/cat", "train1/dog", "test1/cat", "test1/eel"):
        fill(tmp_path / "set" / folder, 3)
    _, notes = loaded(tmp_path / "set")
    assert any("the folders train1 and train2 were joined" in note for note in notes)
    assert any("no training picture has the class eel" in note for note in notes)


@pytest.mark.parametrize("names", ["train\\{}\\{}.png", "./train/{}/{}.png", "/train/{}/{}.png"])
def test_names_in_archives_are_made_plain(names, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for i in range(8):
            archive.writestr(zipfile.ZipInfo(names.format("ab"[i % 2], i)), png())
        archive.writestr(zipfile.ZipInfo("../test/a/9.png"), png())
        for _ in range(2):
            archive.writestr(zipfile.ZipInfo("train/a/0.png"), png())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = load_images(tmp_path / "x.zip")
    assert images.classes == ("a", "b") and len(images.train) + len(images.test) == 8
    assert any("lead out of the archive" in note for note in images.notes)
    assert any("2 older version(s)" in note for note in images.notes)


def test_names_with_backslashes_on_disk_are_folders(tmp_path):
    for folder in ("train\\a", "train\\b", "test\\a"):
        for i in range(3):
            (tmp_path / "set").mkdir(exist_ok=True)
            (tmp_path / "set" / f"{folder}\\{i}.png").write_bytes(png())
    assert loaded(tmp_path / "set")[0] == (("a", "b"), 6, 3)
    (tmp_path / "set" / "a\\..\\x.png").write_bytes(png())
    assert any("left out 1 member(s) whose names lead out" in note for note in loaded(tmp_path / "set")[1])


def test_a_tar_behind_the_end_of_a_tar_is_not_dropped(tmp_path):
    for name in ("a", "b"):
        fill(tmp_path / name / name, 3)
        with tarfile.open(tmp_path / f"{name}.tar", "w") as archive:
            archive.add(tmp_path / name / name, name)
    (tmp_path / "both.tar").write_bytes((tmp_path / "a.tar").read_bytes() + (tmp_path / "b.tar").read_bytes())
    (tmp_path / "both.tgz").write_bytes(gzip.compress((tmp_path / "both.tar").read_bytes()))
    for file in ("both.tar", "both.tgz"):
        with pytest.raises(ValueError, match="another archive follows behind its end: unpack it"):
            load_images(tmp_path / file)
    (tmp_path / "a.tar").write_bytes((tmp_path / "a.tar").read_bytes() + bytes(5_000_000))
    assert loaded(tmp_path / "a.tar")[0][1:] == (2, 1)


def test_hidden_folders_are_named_and_names_cannot_forge_lines(tmp_path, capsys):
    for folder in ("cat", "dog", ".net", "x\ndata: CIFAR-10, lossless"):
        fill(tmp_path / "set" / folder, 3)
    _, notes = loaded(tmp_path / "set")
    assert any("1 hidden folder(s), as .net" in note for note in notes)
    assert capsys.readouterr().out.count("\n") == 1
    deep = tmp_path / "deep" / "/".join("a" * 150)
    deep.mkdir(parents=True)
    with pytest.raises(ValueError, match="more than 100 folders inside each other"):
        load_images(tmp_path / "deep")
