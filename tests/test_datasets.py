"""Images that are objects: Hugging Face's data sets, other map-style ones, tensors and arrays on disk."""

from __future__ import annotations

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from mp3lib import MP3, ViT, load_images
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


def hugging() -> datasets.Dataset:
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    return datasets.Dataset.from_dict({"img": PICTURES, "label": [0, 1] * 10}, features=features)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("make", [Pairs, hugging])
def test_data_sets_give_their_pictures_labels_and_classes(make, stream):
    images = load_images(make(), 8, stream=stream, workers=0)
    assert isinstance(images.train.images, Stream) == stream and images.classes == ("cat", "dog")
    test = [18, 19]  # every tenth of a class
    train = [i for i in range(20) if i not in test]
    for split, chosen in ((images.train, train), (images.test, test)):
        assert np.array_equal(torch.cat([*split.images.split(7)]).numpy(), PIXELS[chosen])
        assert split.labels.tolist() == [i % 2 for i in chosen]
    both = load_images({"train": make(), "test": make()}, 8, stream=stream, workers=0)
    assert (len(both.train), len(both.test)) == (20, 20)


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


def test_what_is_no_data_set_of_pictures_is_refused_in_a_sentence():
    for bad, words in (
        (torch.utils.data.TensorDataset(torch.zeros(4, 3, 8, 8)), "the first element of the TensorDataset"),
        ({"a": 1}, "must be named train and test"),
        (np.zeros((4, 8, 8, 3), np.uint8), "permute"),
        (datasets.Dataset.from_dict({"x": [1, 2]}), "must have a column of pictures"),
    ):
        with pytest.raises(ValueError, match=words):
            load_images(bad, 8)
