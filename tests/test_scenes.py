"""The data set `scenes`: the same bytes everywhere, balanced classes, and learnable classes and positions."""

import hashlib

import numpy as np
import pytest

from mp3lib.data.scenes import CLASSES, make_scenes


@pytest.fixture(scope="module")
def small():
    return make_scenes(train=1000, test=300)


def test_same_seed_same_bytes_on_any_machine(small):
    (images, labels), _ = small
    (again, labels_again), _ = make_scenes(train=1000, test=0)
    assert np.array_equal(images, again) and np.array_equal(labels, labels_again)
    assert hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()[:16] == "6b4a02bfce13ec0c"
    (other, _), _ = make_scenes(train=1000, test=0, seed=1)
    assert not np.array_equal(images, other)


def test_shapes_dtypes_and_balanced_classes(small):
    (images, labels), (test_images, test_labels) = small
    assert images.shape == (1000, 3, 32, 32) and images.dtype == np.uint8 and labels.dtype == np.int64
    assert np.array_equal(np.bincount(labels), np.full(10, 100)) and np.array_equal(
        np.bincount(test_labels), np.full(10, 30)
    )
    assert len(CLASSES) == 10 and test_images.shape == (300, 3, 32, 32)


def test_no_image_occurs_twice(small):
    all_bytes = [image.tobytes() for images, _ in small for image in images]
    assert len(set(all_bytes)) == len(all_bytes)


def test_classes_can_be_learned_but_not_by_comparing_pixels_alone(small):
    """The class of the nearest training image, by squared pixel differences, is right more often than chance."""
    (images, labels), (test_images, test_labels) = small
    train, test = (x.reshape(len(x), -1).astype(np.float32) for x in (images, test_images))
    distance = (train**2).sum(1) - 2 * test @ train.T
    accuracy = (labels[distance.argmin(1)] == test_labels).mean()
    assert 0.3 < accuracy < 0.9


def test_the_mean_colour_of_a_patch_reveals_part_of_its_row_but_not_its_column(small):
    """Rows of patches differ in their mean colour (sky, horizon, ground); columns do not."""

    def accuracy(axis):
        means = []
        for images, _ in small:
            patches = images.reshape(-1, 3, 4, 8, 4, 8).astype(np.float32).mean(axis=(3, 5))  # (n, 3, rows, columns)
            patches = np.moveaxis(patches, axis, 1)
            means.append(patches.transpose(1, 0, 3, 2).reshape(4, -1, 3))  # (position, samples, colour)
        centres = means[0].mean(axis=1)
        found = ((means[1][:, :, None] - centres) ** 2).sum(-1).argmin(-1)
        return (found == np.arange(4)[:, None]).mean()

    assert 0.33 < accuracy(axis=2) < 0.8
    assert accuracy(axis=3) < 0.33


def test_the_light_comes_from_the_side_of_the_sun(small):
    """The brighter side of the sky tends to be the brighter side of the ground."""
    (images, _), _ = small
    grey = images.astype(np.float32).mean(axis=1)
    sky = grey[:, :12, 16:].mean(axis=(1, 2)) - grey[:, :12, :16].mean(axis=(1, 2))
    ground = grey[:, 28:, 16:].mean(axis=(1, 2)) - grey[:, 28:, :16].mean(axis=(1, 2))
    assert np.corrcoef(sky, ground)[0, 1] > 0.2
