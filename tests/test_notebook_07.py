"""The functions of notebook 07 equal those of the library, and its figures work over the range of every control."""

import math
import os
import subprocess
import sys
from itertools import permutations

import pytest
import torch
from notebook_code import NOTEBOOKS, definitions

from mp3lib import MP3, ViT
from mp3lib.evaluate import assign, sinkhorn
from mp3lib.model import attention_rollout

nb = definitions("07")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("depth, b, h, n, k", [(1, 1, 1, 2, 1), (4, 3, 2, 16, 4), (3, 2, 5, 12, 12), (6, 1, 2, 9, 3)])
def test_the_rollout_is_the_librarys(depth, b, h, n, k):
    attn = torch.randn(depth, b, h, n, k, generator=seeded(n)).softmax(dim=-1)
    context = torch.rand(b, n, generator=seeded(k)).argsort(dim=1)[:, :k]
    ours = nb["attention_rollout_loop"](attn, context)
    torch.testing.assert_close(ours, attention_rollout(attn, context), atol=1e-6, rtol=0)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6])
def test_the_best_of_all_permutations_is_the_hungarian_assignment(n):
    for seed in range(8):
        scores = torch.randn(1, n, n, generator=seeded(seed)).log_softmax(dim=2)
        assert list(nb["assign_loop"](scores[0].tolist())) == assign(scores)[0].tolist()


@pytest.mark.parametrize("temperature", [0.2, 1.0, 5.0])
@pytest.mark.parametrize("n, rounds", [(2, 1), (5, 3), (16, 40)])
def test_sinkhorn_is_the_librarys(n, rounds, temperature):
    logits = 3 * torch.randn(4, n, n, generator=seeded(n))
    ours = nb["sinkhorn"](logits, temperature, rounds)
    theirs = sinkhorn(logits, temperature=temperature, iterations=rounds, tolerance=0)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    naive = nb["sinkhorn_loop"]((logits[0].double() / temperature).exp(), rounds).float()
    torch.testing.assert_close(ours[0], naive, atol=1e-6, rtol=1e-5)


def test_rank_correlation_equals_values_computed_by_hand():
    nb["n"] = 4
    effect = torch.rand(3, 4, 4, generator=seeded(0))
    assert nb["rank_correlation"](effect, effect.exp()) == pytest.approx(1)
    assert nb["rank_correlation"](effect, -effect) == pytest.approx(-1)
    one, two = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    one[0, :, :], two[0, :, :] = torch.tensor([1.0, 2, 3, 4]), torch.tensor([1.0, 3, 2, 4])
    # without the diagonal, rows 0 and 3 have two swapped ranks: 1 - 6 * 2 / (3 * 8) = 0.5; rows 1 and 2 have none
    assert nb["rank_correlation"](one, two) == pytest.approx((0.5 + 1 + 1 + 0.5) / 4)


@pytest.mark.parametrize("rows, cols", [(4, 4), (4, 6), (2, 3)])
def test_errors_are_counted_by_distance_and_at_the_mirrored_position(rows, cols):
    n = rows * cols
    where = torch.cartesian_prod(torch.arange(rows), torch.arange(cols))
    king = (where[:, None] - where).abs().amax(dim=2)
    places = [divmod(i, cols) for i in range(n)]
    mirror = torch.tensor([r * cols + cols - 1 - c for r, c in places])
    upside_down = torch.tensor([(rows - 1 - r) * cols + c for r, c in places])
    nb.update(truth=torch.arange(n), king=king, mirror=mirror, upside_down=upside_down, n=n, cols=cols)
    by_formula = where @ torch.tensor([cols, -1]) + cols - 1, where @ torch.tensor([-cols, 1]) + n - cols
    assert torch.equal(by_formula[0], mirror) and torch.equal(by_formula[1], upside_down)
    given = torch.randint(n, (50, n), generator=seeded(1))
    shares = nb["errors"](given)
    wrong = [(b, i) for b in range(50) for i in range(n) if given[b, i] != i]
    for steps in range(1, max(rows, cols)):
        count = sum(
            max(abs(places[i][0] - places[given[b, i]][0]), abs(places[i][1] - places[given[b, i]][1])) == steps
            for b, i in wrong
        )
        assert shares[steps - 1] == pytest.approx(count / len(wrong))
    assert shares[-2] == pytest.approx(sum(int(given[b, i]) == mirror[i] for b, i in wrong) / len(wrong))
    assert shares[:-2].sum() == pytest.approx(1)


@pytest.mark.parametrize("rows, cols", [(4, 4), (4, 6), (2, 3), (1, 2)])
def test_errors_of_patches_at_an_edge_are_counted_at_the_opposite_edge_and_next_to_it(rows, cols):
    n = rows * cols
    where = torch.cartesian_prod(torch.arange(rows), torch.arange(cols))
    nb.update(where=where)
    given = torch.randint(n, (50, n), generator=seeded(1))
    pairs = [(divmod(i, cols), divmod(int(given[b, i]), cols)) for b in range(50) for i in range(n)]
    for axis, size in ((1, cols), (0, rows)):
        line = [(x[axis], y[axis]) for x, y in pairs if x[1 - axis] == y[1 - axis] and x[axis] != y[axis]]
        steps = [abs(x - y) for x, y in line if x in (0, size - 1)]
        if steps:
            shares = [steps.count(size - 1) / len(steps), steps.count(size - 2) / len(steps)]
            assert nb["from_edge"](given, axis) == pytest.approx(shares)


def test_tenths_are_ten_groups_of_equal_size_in_order():
    values = torch.rand(3, 200, generator=seeded(2))
    groups = nb["tenths"](values)
    for row, group in zip(values, groups, strict=True):
        assert group.bincount().tolist() == [20] * 10
        assert all(row[group == g].max() <= row[group == g + 1].min() for g in range(9))


def test_the_effect_of_removing_a_patch_is_the_change_of_the_predictions():
    torch.manual_seed(0)
    mp3 = MP3(
        ViT(num_classes=2, image_size=(8, 16), patch_size=4, dim=16, depth=2, heads=2, mlp_dim=16), 0.5, "updated"
    )
    nb.update(n=8, everything=torch.arange(8))
    pictures = torch.rand(2, 3, 8, 16) * 2 - 1
    effect = nb["moved"](mp3.eval(), pictures)
    before = mp3.predict(pictures, torch.arange(8)).logits.softmax(-1)
    after = mp3.predict(pictures, torch.tensor([0, 1, 2, 4, 5, 6, 7])).logits.softmax(-1)
    torch.testing.assert_close(effect[:, :, 3], (after - before).abs().sum(-1) / 2)
    assert effect.shape == (2, 8, 8) and 0 < effect.max() <= 1


def test_solve_assigns_each_position_once_in_order_of_confidence():
    logits = torch.randn(6, 12, 12, generator=seeded(3))
    places, order = nb["solve"](logits)
    assert torch.equal(places.sort(dim=1).values, torch.arange(12).expand(6, 12))
    assert torch.equal(order.sort(dim=1).values, torch.arange(12).expand(6, 12))
    soft = sinkhorn(logits, iterations=30).gather(2, places[:, :, None])[:, :, 0].gather(1, order)
    assert (soft.diff(dim=1) <= 0).all()
    assert torch.equal(nb["solve"](logits, "each for itself")[0], logits.argmax(-1))


# ---- the solutions of the exercises, as printed in the notebook


def solutions() -> dict:
    import re

    import nbformat

    [path] = NOTEBOOKS.glob("07*.ipynb")
    namespace = {"torch": torch}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown" and "<summary>Solution" in cell.source:
            for code in re.findall(r"```python\n(.*?)```", cell.source, re.DOTALL):
                exec(code, namespace)
    return namespace


def test_the_solutions_of_the_exercises_are_right():
    solved = solutions()
    assert solved["count_empty"](torch.tensor([[0, 0, 2], [2, 1, 0], [1, 1, 1]])).tolist() == [1, 0, 2]
    assert solved["greedy"](torch.tensor([[6.0, 5, 1], [9, 2, 1], [4, 4, 4]])).tolist() == [1, 0, 2]
    trap = torch.tensor([[9.0, 8, 0], [8, 0, 1], [0, 1, 0]])
    best = max(permutations(range(3)), key=lambda places: sum(trap[i, place] for i, place in enumerate(places)))
    greedy = solved["greedy"](trap).tolist()
    assert sorted(greedy) == [0, 1, 2] and sum(trap[i, x] for i, x in enumerate(greedy)) == 11
    assert sum(trap[i, x] for i, x in enumerate(best)) == 16
    here = torch.arange(12)
    right = solved["neighbours_right"]
    assert right(here, 3, 4) == 1
    assert right(here.flip(0), 3, 4) == 0
    shifted = (here // 4) * 4 + (here % 4 + 1) % 4  # one column to the right, cyclically
    assert math.isclose(right(shifted, 3, 4), (3 * 2 + 2 * 4) / (3 * 3 + 2 * 4))


# ---- every figure over the whole range of its controls, in a separate process with the data of the notebook

EVERY_VALUE = """
import datetime, io, itertools, os, sys
os.chdir(sys.argv[1])
import nbformat
from PIL import Image
from mp3lib import widgets
figures = []
keep = widgets.live
widgets.live = lambda *args, **controls: figures.append(keep(*args, **controls)) or figures[-1]
space = {}
for cell in nbformat.read(sys.argv[2], as_version=4).cells:
    if cell.cell_type == "code":
        exec(compile(cell.source, cell.id, "exec"), space)
assert len(figures) == 5, len(figures)
for live in figures:
    for name, control in live.controls.items():
        if isinstance(control, widgets.PatchPicker):
            values = range(len(control.buttons))
        elif isinstance(control, widgets.Upload):
            continue
        else:
            values = [x[1] if isinstance(x, tuple) else x for x in control.options] if hasattr(
                control, "options") else range(control.min, control.max + 1)
        before = control.value
        for value in values:
            control.value = value
            assert live.last_error is None, (name, value, live.last_error)
        control.value = before
    for ends in itertools.product(*([c.min, c.max] for c in live.controls.values() if hasattr(c, "max"))):
        for control, value in zip([c for c in live.controls.values() if hasattr(c, "max")], ends):
            control.value = value
        assert live.last_error is None
[photo] = [c for live in figures for c in live.controls.values() if isinstance(c, widgets.Upload)]
[live] = [live for live in figures if photo in live.controls.values()]
def choose(name, content):
    photo.set_trait("value", ({"name": name, "type": "", "size": len(content), "content": memoryview(content),
                               "last_modified": datetime.datetime.now()},))
shown = bytes(live.picture.value)
choose("none.txt", b"no picture at all")
assert "no picture in a format" in live.message.value and "Traceback" not in live.message.value
assert bytes(live.picture.value) == shown and isinstance(live.last_error, ValueError)
file = io.BytesIO()
Image.effect_noise((640, 480), 90).save(file, "JPEG")
choose("noise.jpg", file.getvalue())
assert live.last_error is None and live.message.value == "" and bytes(live.picture.value) != shown
"""


@pytest.mark.slow
def test_every_figure_is_drawn_at_every_value_of_every_control():
    [path] = NOTEBOOKS.glob("07*.ipynb")
    env = os.environ | {"MP3_BUDGET": "smoke", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-c", EVERY_VALUE, str(NOTEBOOKS), str(path)], env=env, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr[-3000:]
