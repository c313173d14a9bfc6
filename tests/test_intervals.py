"""The statistical rule of the course: intervals of differences, beside SciPy's own tests and by simulation."""

import numpy as np
import pytest
import scipy.stats

from mp3lib.evaluate import Interval, paired_interval, pooled_deviation, pooled_interval


def test_a_paired_interval_is_that_of_the_paired_t_test():
    draw = np.random.default_rng(0)
    first, second = draw.normal(size=(2, 7))
    expected = scipy.stats.ttest_rel(first, second).confidence_interval(0.9)
    assert paired_interval(first, second, level=0.9)[1:] == pytest.approx(tuple(expected))
    three = paired_interval([0.6, 0.7, 0.8], [0.5, 0.5, 0.5])
    half = 4.3027 * 0.1 / 3**0.5  # 2.48 standard deviations
    assert three == pytest.approx((0.2, 0.2 - half, 0.2 + half), abs=1e-5) and not three.counts
    assert paired_interval([1.0, 2.0], [0.5, 1.5]) == (0.5, 0.5, 0.5)  # no spread


def test_a_pooled_interval_with_its_own_groups_is_that_of_the_two_sample_t_test():
    draw = np.random.default_rng(1)
    first, second = draw.normal(size=4), draw.normal(size=6) + 2
    expected = scipy.stats.ttest_ind(first, second).confidence_interval(0.95)
    found = pooled_interval(first, second, [first, second])
    assert found[1:] == pytest.approx(tuple(expected)) and found.difference == pytest.approx(
        first.mean() - second.mean()
    )


def test_the_pooled_deviation_leaves_out_groups_of_one():
    assert pooled_deviation([[1.0, 3.0], [7.0], [0.0, 0.0, 3.0]]) == (pytest.approx((8 / 3) ** 0.5), 3)


def test_a_difference_counts_on_either_side_of_0():
    assert Interval(2.0, 1.0, 3.0).counts and Interval(-2.0, -3.0, -1.0).counts
    assert not Interval(1.0, -1.0, 3.0).counts and not Interval(1.0, 0.0, 2.0).counts


def test_without_a_difference_5_of_100_intervals_count():
    draw = np.random.default_rng(2)
    pairs = draw.normal(size=(4000, 2, 3))
    assert np.mean([paired_interval(*pair).counts for pair in pairs]) == pytest.approx(0.05, abs=0.01)
    groups = draw.normal(size=(4000, 3, 3))
    alone = draw.normal(size=(4000, 2, 1))
    counted = [pooled_interval(*pair, [*others]).counts for pair, others in zip(alone, groups, strict=True)]
    assert np.mean(counted) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_interval([1.0], [2.0]), "2 or more, make pairs"),
        (lambda: paired_interval([1.0, 2.0], [2.0, 3.0, 4.0]), r"shapes \(2,\), \(3,\)"),
        (lambda: paired_interval([1.0, float("nan")], [2.0, 3.0]), "finite number; these are .*nan"),
        (lambda: paired_interval([1.0, 2.0], [2.0, 3.0], level=95), "such as 0.95, got 95"),
        (lambda: pooled_deviation([[1.0], [2.0]]), "train a variant with two seeds"),
        (lambda: pooled_interval([], [1.0], [[1.0, 2.0]]), "they have 0 and 1"),
        (lambda: pooled_interval([float("inf")], [1.0], [[1.0, 2.0]]), "finite number"),
    ],
)
def test_what_has_no_interval_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
