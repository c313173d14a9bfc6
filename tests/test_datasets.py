"""Images that are objects: Hugging Face's data sets, other map-style ones, tensors and arrays on disk."""

from __future__ import annotations

import io
import warnings
from functools import partial
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from mp3lib import MP3, ViT, load_images
from mp3lib.data.notes import Note
from mp3lib.data.streaming import Stream
from mp3lib.train import pretrain

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 8), dtype=np.uint8)
PICTURES = [Image.fromarray(pixels.transpose(1, 2, 0)) for pixels in PIXELS]


class Pairs(torch.utils.data.Dataset):
    targets, classes = [0, 1] * 10, ["cat", "dog"]

    def __len__(self):
        return 20

    def __getitem__(self, index):
        return PICTURES[index], self.targets[index]


def hugging(column: str = "img") -> datasets.Dataset:
    features = datasets.Features({column: datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    return datasets.Dataset.from_dict({column: PICTURES, "label": [0, 1] * 10}, features=features)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("make", [Pairs, hugging, partial(hugging, "image"), partial(hugging, "photo")])
def test_data_sets_give_their_pictures_labels_and_classes(make, stream, capsys):
    images = load_images(make(), 8, stream=stream, workers=0)
    where = "streamed by the process itself (0.0 MB if they were in memory)" if stream else "in memory (0.0 MB)"
    assert capsys.readouterr().out == f"data: {images.name}, 18 + 2 images in 2 classes (cat, dog), {where}\n"
    assert isinstance(images.train.images, Stream) == stream and images.classes == ("cat", "dog")
    test = [18, 19]  # every tenth of a class
    train = [i for i in range(20) if i not in test]
    for split, chosen in ((images.train, train), (images.test, test)):
        assert np.array_equal(torch.cat([*split.images.split(7)]).numpy(), PIXELS[chosen])
        assert split.labels.tolist() == [i % 2 for i in chosen]
    both = load_images({"train": make(), "test": make()}, 8, stream=stream, workers=0)
    assert (len(both.train), len(both.test)) == (20, 20)


def loaded(*args, **options):
    """The images, whose notes are texts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        images = load_images(*args, **options)
    told = [str(warning.message) for warning in caught if warning.category is Note]
    assert told == [f"{images.name}: {note}" for note in images.notes]
    return images


def with_labels(labels: list, kind: str = "int64") -> datasets.Dataset:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value(kind)})
    return datasets.Dataset.from_dict({"image": PICTURES, "label": labels}, features=features)


def test_labels_of_every_kind_are_taken_or_a_note_says_what_was_not():
    texts = loaded(with_labels(["moss", "bark"] * 10, "string"), 8)
    assert texts.classes == ("bark", "moss") and texts.train.labels[:4].tolist() == [1, 0, 1, 0] and not texts.notes
    assert loaded(torch.utils.data.Subset(Pairs(), [1, 0, 3, 5]), 8).train.labels.tolist() == [1, 0, 1]
    gaps = with_labels([0, 1, None, -1] * 5)
    usual, every = loaded(gaps, 8), loaded(gaps, 8, unlabelled=True)
    assert (len(usual.train) + len(usual.test), len(every.train)) == (10, len(usual.train) + 10)
    assert "left out 10 picture(s) of the file without a label" in usual.notes[0]
    assert (
        every.train.labels[-10:].tolist() == [-1] * 10 and "without labels are there for pretraining" in every.notes[0]
    )
    bare = loaded({"train": Pairs(), "test": with_labels([-1] * 20)}, 8)
    assert len(bare.train) + len(bare.test) == 20 and "every tenth picture of a class is used to test" in bare.notes[1]
    assert "it has no labels" in loaded(gaps.remove_columns("label"), 8).notes[0]
    with pytest.raises(ValueError, match="labels of a data set must be whole numbers or texts, got \\[1\\]"):
        load_images(named([[1]] * 20), 8)


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.str_, np.array, torch.tensor])
def test_labels_may_be_single_values_of_numpy_and_pytorch(kind):
    images = loaded(named([kind(i % 2) for i in range(20)]), 8)
    assert images.classes == ("0", "1") and images.train.labels[:4].tolist() == [0, 1, 0, 1]


def test_the_labels_are_those_that_a_target_transform_makes():
    data = named([i % 3 for i in range(20)], ["a", "b", "c"])
    data.target_transform = lambda label: int(label == 2)
    for given in (data, torch.utils.data.Subset(data, range(20))):
        images = loaded(given, 8)
        assert images.classes == ("0", "1") and images.test.labels.tolist() == [0, 1]
        assert images.train.labels[:6].tolist() == [0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("columns", "classes", "note"),
    [
        (
            {"category": ["x", "y"], "target": [0, 1]},
            ("images",),
            "the columns category and target could all be labels",
        ),
        ({"Label": ["x", "y"]}, ("x", "y"), None),
        ({"labels": [[0, 1], [1]]}, ("images",), "the column labels holds list<item: int64>, and a label is one"),
        ({"label": [0, 1], "category": ["x", "y"]}, ("0", "1"), "of the column label, not of category"),
        ({"breed": ["x", "y"], "n": [0, 1]}, ("images",), "no label column found"),
    ],
)
def test_the_label_column_is_chosen_as_in_parquet_files(columns, classes, note):
    made = {name: two * 10 for name, two in columns.items()}
    data = datasets.Dataset.from_dict({"image": PICTURES} | made).cast_column("image", datasets.Image())
    images = loaded(data, 8)
    assert images.classes == classes and len(images.notes) == (note is not None)
    assert note is None or note in images.notes[0]


def part(number: int, **columns) -> datasets.Dataset:
    made = datasets.Dataset.from_dict({"image": PICTURES[:number]} | columns)
    return made.cast_column("image", datasets.Image())


@pytest.mark.parametrize("stream", [False, True])
def test_all_parts_of_a_dict_count_as_files_of_these_names_do(stream):
    parts = {"train": (20, [0, 1] * 10), "validation": (6, [0, 1] * 3), "test": (4, [0, 1] * 2)}
    given = datasets.DatasetDict({name: part(n, label=labels) for name, (n, labels) in parts.items()})
    given["unsupervised"] = part(9, label=[-1] * 9)
    usual, every = (loaded(given, 8, stream=stream, workers=0, unlabelled=which) for which in (False, True))
    assert (len(usual.train), len(usual.test)) == (20, 4) and (len(every.train), len(every.test)) == (29, 4)
    assert "left out 15 picture(s) of other splits than test and train" in usual.notes
    assert "left out 6 picture(s) of other splits than test and train" in every.notes
    given["test"] = part(4, label=[-1] * 4)
    assert (len((bare := loaded(given, 8, stream=stream, workers=0)).train), len(bare.test)) == (20, 6)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["heldout", "ood", "tests", "public"])
def test_a_part_of_a_dict_whose_name_says_no_split_is_not_trained_on(name, stream):
    words = f"has train for training, and beside it {name}, whose name says no split, so it may be for tests: name it"
    for made in (dict, datasets.DatasetDict):
        parts = made({"train": hugging(), name: hugging()})
        with pytest.raises(ValueError, match=words):
            load_images(parts, 8, stream=stream, workers=0)
    bare = part(9, label=[-1] * 9)
    given = {"train": part(20, label=[0, 1] * 10), "test": part(4, label=[0, 1] * 2), name: bare}
    for unlabelled in (False, True):
        images = loaded(given, 8, stream=stream, workers=0, unlabelled=unlabelled)
        assert (len(images.train), len(images.test)) == (20, 4)
        assert images.notes[0] == "left out 9 picture(s) of other splits than test and train"


DEEP = np.random.default_rng(1).integers(0, 1000, (20, 8, 8), dtype=np.uint16)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("form", ["Pillow", "bytes"])
def test_grey_of_more_than_8_bits_has_the_values_of_the_range(form, stream, tmp_path):
    """The same as in a folder; without a range such pictures are refused, because each may be of another one."""
    (tmp_path / "grey").mkdir()
    for number, values in enumerate(DEEP):
        Image.fromarray(values).save(tmp_path / "grey" / f"{number:02}.png")
    expected = load_images(tmp_path, 8, value_range=(0, 1000))

    class Grey(Pairs):
        targets, classes = [0] * 20, ["grey"]

        def __getitem__(self, index):
            path = tmp_path / "grey" / f"{index:02}.png"
            return path.read_bytes() if form == "bytes" else Image.open(path)

    images = loaded(Grey(), 8, value_range=(0, 1000), stream=stream, workers=0)
    both = [torch.cat([*one.train.images.split(5), *one.test.images.split(5)]) for one in (images, expected)]
    assert images.value_range == expected.value_range == (0, 1000) and images.notes == ()
    assert sorted(map(torch.Tensor.tolist, both[0])) == sorted(map(torch.Tensor.tolist, both[1]))
    with pytest.raises(ValueError, match="no picture is among the first 20 .* more than 8 bits: .*value_range="):
        load_images(Grey(), 8, stream=stream)
    with pytest.warns(Note, match="value_range, 0 to 9 .* is not used"):
        assert load_images(Pairs(), 8, stream=stream, value_range=(0, 9)).value_range is None


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_odd_in_the_files_of_a_data_set_is_told(stream):
    def written(form: str, **options) -> bytes:
        file = io.BytesIO()
        PICTURES[0].save(file, form, **options)
        return file.getvalue()

    class Files(Pairs):
        def __getitem__(self, index):
            return written("GIF", save_all=True, append_images=PICTURES[1:3]) if index == 3 else written("JPEG")

    notes = loaded(Files(), 8, stream=stream, workers=0).notes
    assert "of the first 20: 1 picture(s) have several pages or frames: the first of 3 is taken" in notes
    assert any("went through JPEG at this size" in note for note in notes)


def test_masks_before_the_pictures_are_not_taken_for_them():
    features = datasets.Features({"mask": datasets.Image(), "photo": datasets.Image()})
    masks = [Image.new("RGB", (8, 8))] * 20
    images = load_images(datasets.Dataset.from_dict({"mask": masks, "photo": PICTURES}, features=features), 8)
    assert images.train.images.float().mean() > 100


@pytest.mark.parametrize("given", ["cat" * 10, {i: 0 for i in range(20)}, {*range(20)}])
def test_labels_without_an_order_are_refused(given):
    class Odd(Pairs):
        targets = given

    with pytest.raises(ValueError, match="must be a list, one for each picture"):
        load_images(Odd(), 8)


def test_pictures_that_are_missing_at_the_beginning_of_a_stream_are_replaced():
    data = datasets.Dataset.from_dict({"image": [None, None, *PICTURES[2:]], "label": [0, 1] * 10})
    images = load_images(data.cast_column("image", datasets.Image()), 8, stream=True, workers=0)
    with pytest.warns(Note, match="picture 0 is left out"):
        assert np.array_equal(next(images.train.images.split(4))[0].numpy(), PIXELS[2])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_picture_is_left_out_of_memory_and_no_class_leaves_the_test(workers):
    data = datasets.Dataset.from_dict({"image": [*PICTURES[:9], None], "label": [0, 1] * 5})
    data = data.cast_column("image", datasets.Image())
    images = loaded(data, 8, workers=workers)
    assert "left out 1 unreadable picture(s): row 9 (no picture)" in images.notes
    assert (len(images.train), sorted(images.test.labels.tolist())) == (7, [0, 1])
    both = loaded({"train": data, "test": data}, 8, workers=workers)
    assert "left out 2 unreadable picture(s): train row 9 (no picture), test row 9 (no picture)" in both.notes
    assert (len(both.train), len(both.test)) == (9, 9)


def test_a_label_goes_with_its_picture_where_one_is_broken():
    class Broken(Pairs):
        def __getitem__(self, index):
            return (b"\xff\xd8\xff broken" if index == 4 else PICTURES[index]), self.targets[index]

    with pytest.warns(Note, match="left out 1 unreadable .*row 4"):
        images = load_images(Broken(), 8, workers=0)
    assert len(images.train) + len(images.test) == 19
    for found, label in zip(images.train.images.numpy(), images.train.labels.tolist(), strict=True):
        [number] = [i for i in range(20) if np.array_equal(PIXELS[i], found)]
        assert label == number % 2


def test_tensors_and_arrays_on_disk_are_not_copied(tmp_path):
    np.save(tmp_path / "x.npy", PIXELS)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    images = load_images(mapped)
    assert (len(images.train), len(images.test)) == (18, 2)
    assert images.train.images.data_ptr() == mapped.ctypes.data
    assert torch.equal(load_images(torch.from_numpy(PIXELS)).test.images, torch.from_numpy(PIXELS[18:]))
    assert load_images(PIXELS, 16).train.images.shape == (18, 3, 16, 16)


def test_pretraining_takes_them_all(tmp_path):
    np.save(tmp_path / "x.npy", PIXELS)
    for images in (Pairs(), hugging(), np.load(tmp_path / "x.npy", mmap_mode="r"), torch.from_numpy(PIXELS)):
        torch.manual_seed(0)
        mp3 = MP3(ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=1, heads=1, mlp_dim=16), 0.5)
        lines = pretrain(mp3, images, epochs=1, batch_size=10, precision="float32", progress=False)
        assert lines[0]["step"] == 2


def test_pretraining_says_what_to_give_instead_of_what_holds_the_images(tmp_path):
    images = load_images(PIXELS)
    mp3 = MP3(ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=1, heads=1, mlp_dim=16), 0.5)
    for given, words in (
        (images, "give its images, .train.images"),
        (images.train, "give its images, .images"),
        (tmp_path, "load_images reads what is at a path"),
        (torch.utils.data.DataLoader(images.train.images), "give its data set, images.dataset"),
    ):
        with pytest.raises(ValueError, match=f"images must be a torch tensor or NumPy array.*: {words}"):
            pretrain(mp3, given)


def test_the_only_column_whose_type_names_classes_holds_the_labels():
    images = loaded(hugging().rename_column("label", "breed"), 8)
    assert images.classes == ("cat", "dog") and "the labels are those of the column breed" in images.notes[0]


def test_a_transform_of_hugging_face_is_not_used_and_a_note_says_so():
    changed = hugging().with_transform(lambda rows: {"pixel_values": [0 for _ in rows["img"]]})
    images = loaded(changed, 8)
    assert images.classes == ("cat", "dog") and len(images.train) == 18
    assert any("own transform (set_transform, with_transform) is not used" in note for note in images.notes)
    assert changed.format["type"] == "custom"
    mp3 = MP3(ViT(num_classes=2, image_size=8, patch_size=4, dim=16, depth=1, heads=1, mlp_dim=16), 0.5)
    with pytest.warns(Note, match="own transform"):
        pretrain(mp3, changed, epochs=1, batch_size=10, precision="float32", progress=False)


def test_the_fault_of_a_data_set_is_named_with_the_element():
    class Faulty(Pairs):
        def __getitem__(self, index):
            return {"picture": PICTURES[index]}["image"]

    with pytest.raises(ValueError, match="element 0 of the Faulty cannot be read .KeyError: 'image'"):
        load_images(Faulty(), 8, workers=0)


class Elements(Pairs):
    """The pictures as something else."""

    def __init__(self, form):
        self.form = form

    def __getitem__(self, index):
        return self.form(index), self.targets[index]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (lambda i: f"pictures/{i}.png", "it is 'pictures/19.png', a text or a path: the data set must open the file"),
        (lambda i: Path(f"{i}.png"), "a text or a path: the data set must open the file, as PIL.Image.open does"),
        (lambda i: PIXELS[i].transpose(1, 2, 0), r"shape .8, 8, 3. looks like .H, W, c.: the axes must be .c, H, W."),
        (
            lambda i: torch.from_numpy(PIXELS[i]).permute(1, 2, 0),
            "the axes must be .c, H, W., as permute.2, 0, 1. gives",
        ),
        (lambda i: PIXELS[i][:2], "it has 2 channels instead of 3$"),
    ],
    ids=["text", "path", "array", "tensor", "two channels"],
)
def test_elements_that_are_no_pictures_are_refused_with_what_to_give(form, words):
    with pytest.raises(ValueError, match=f"no picture is among the first .* of the Elements: .*{words}"):
        load_images(Elements(form), 8, workers=0)


def test_a_part_of_a_data_set_is_chosen_by_numbers():
    mask = np.arange(20) % 2 == 0
    whole = load_images(torch.utils.data.Subset(Pairs(), np.flatnonzero(mask)), 8)
    assert np.array_equal(whole.train.images.numpy(), PIXELS[mask][:9])
    for odd, words in ((mask, "got bool: numpy.flatnonzero"), (mask.tolist(), "got bool"), ([0.0, 1.0], "got float64")):
        part = torch.utils.data.Subset(Pairs(), odd)
        for given in (part, torch.utils.data.Subset(part, [0, 1, 2]), {"train": part}):
            with pytest.raises(ValueError, match=f"the indices of a Subset must be whole numbers, {words}"):
                load_images(given, 8, workers=0)


def test_a_dict_of_tensors_is_refused_with_what_to_give():
    with pytest.raises(
        ValueError, match="the values of a dict must be data sets, and 'train' is .*give one uint8 tensor"
    ):
        load_images({"train": torch.from_numpy(PIXELS), "test": torch.from_numpy(PIXELS)}, 8)


def test_what_is_no_data_set_of_pictures_is_refused_in_a_sentence():
    for bad, words in (
        (
            torch.utils.data.TensorDataset(torch.zeros(4, 3, 8, 8)),
            "no picture is among .* 4 element.* of the TensorDataset",
        ),
        ({"a": 1}, "must be named train and test"),
        (np.zeros((4, 8, 8, 3), np.uint8), "permute"),
        (datasets.Dataset.from_dict({"x": [1, 2]}), "must have a column of pictures"),
        (torch.utils.data.DataLoader(Pairs()), "got <.*DataLoader.*>: give its data set, images.dataset"),
        (PICTURES, "load_images takes auto, .* a path, a map-style data set"),
        (hugging().to_iterable_dataset(), "must be a map-style data set.*leave out streaming=True"),
        ({"test": hugging()}, "must be named train and test, got \\['test'\\]: give one of them by itself"),
    ):
        with pytest.raises(ValueError, match=words):
            load_images(bad, 8)


def named(targets, classes=()):
    data = Pairs()
    data.targets, data.classes = targets, classes
    return data


def test_names_of_classes_are_one_line_and_the_same_in_both_splits():
    assert load_images(named([0, 2] * 10, ["a\nb", "b", "c"]), 8).classes == ("a\\nb", "b", "c")
    assert load_images(named([0, 1] * 10, None), 8).classes == ("0", "1")
    both = {"train": named([0, 1] * 10, ["a", "b"]), "test": named([0, 1] * 10, ["b", "a"])}
    for bad, words in (
        (both, "number their classes differently"),
        (named(5), "must be a list, one for each"),
    ):
        with pytest.raises(ValueError, match=words):
            load_images(bad, 8)


@pytest.mark.parametrize("channels", [1, 2, 5, 17])
def test_tensors_of_any_number_of_channels_are_resized_band_by_band(channels):
    pixels = np.repeat(PIXELS[:, :1], channels, axis=1)
    resized = load_images(pixels, 4).train.images
    assert resized.shape == (18, channels, 4, 4) and (resized == resized[:, :1]).all()
    assert torch.equal(resized[:, 0], load_images(PIXELS, 4).train.images[:, 0])
