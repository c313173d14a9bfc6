"""The functions of notebook 08 equal those of the library, and its numbers are those of results/."""

import json
import math
from itertools import permutations
from pathlib import Path

import pytest
import torch
from notebook_code import cells, definitions, exercises
from samples import seeded

from mp3lib.evaluate import assign, sinkhorn

nb = definitions("08")
PROSE = " ".join(" ".join(cell.source.split()) for cell in cells("08") if cell.cell_type == "markdown")
RESULTS = Path(__file__).resolve().parents[1] / "results"


def test_the_numbers_in_the_prose_are_those_of_results():
    scores = json.loads((RESULTS / "evaluations" / "puzzler-4x4.json").read_text())["positions"]
    all_seen, half, quarter = scores["0.0"], scores["0.5"], scores["0.75"]
    for sentence in (
        f"the network places {all_seen['jigsaw']:.1%} of the patches right",
        f"It solves {all_seen['whole']:.1%} of the pictures without a mistake",
        f"{all_seen['accuracy']:.1%} of the patches are right when each decides for itself",
        f"With the Hungarian method it is {all_seen['jigsaw']:.1%}",
        f"still solves {half['whole']:.1%} of the pictures. "
        f"When three quarters are hidden, it solves {quarter['whole']:.1%}",
        f"16! = {math.factorial(16):,} arrangements",
    ):
        assert sentence.replace("%", " %") in PROSE


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6])
def test_the_best_of_all_arrangements_is_the_hungarian_assignment(n):
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


def test_sinkhorn_is_not_the_average_over_all_arrangements():
    """The example of the notebook: 2/3 by scaling, 4/5 by averaging."""
    table = torch.tensor([[4.0, 1], [1, 1]], dtype=torch.float64)
    weights = {places: table[0, places[0]] * table[1, places[1]] for places in permutations(range(2))}
    average = sum(w for places, w in weights.items() if places[0] == 0) / sum(weights.values())
    assert average == pytest.approx(4 / 5) and "the first arrangement is 4/5" in PROSE
    assert nb["sinkhorn_loop"](table, 50)[0, 0] == pytest.approx(2 / 3) and "The 4 becomes 2/3" in PROSE


def test_the_surest_patches_come_first():
    logits = torch.randn(6, 12, 12, generator=seeded(3))
    nb["soft"] = sinkhorn(logits, iterations=30)
    placed = assign(logits)
    order = nb["surest_first"](placed)
    assert torch.equal(order.sort(dim=1).values, torch.arange(12).expand(6, 12))
    soft = nb["soft"].gather(2, placed[:, :, None])[:, :, 0].gather(1, order)
    assert (soft.diff(dim=1) <= 0).all()


# ---- the solutions of the exercises


@pytest.fixture(scope="module")
def solved():
    space = {"torch": torch}
    for exercise in exercises("08"):
        exec(exercise.solution, space)
    return space


def test_the_solutions_of_the_exercises_are_right(solved):
    assert solved["count_empty"](torch.tensor([[0, 0, 2], [2, 1, 0], [1, 1, 1]])).tolist() == [1, 0, 2]
    assert solved["greedy"](torch.tensor([[6.0, 5, 1], [9, 2, 1], [4, 4, 4]])).tolist() == [1, 0, 2]
    trap = torch.tensor([[9.0, 8, 0], [8, 0, 1], [0, 1, 0]])
    best = max(permutations(range(3)), key=lambda places: sum(trap[i, place] for i, place in enumerate(places)))
    greedy = solved["greedy"](trap).tolist()
    assert sorted(greedy) == [0, 1, 2] and sum(trap[i, x] for i, x in enumerate(greedy)) == 11
    assert sum(trap[i, x] for i, x in enumerate(best)) == 16
    here, right = torch.arange(12), solved["neighbours_right"]
    assert right(here, 3, 4) == 1 and right(here.flip(0), 3, 4) == 0
    shifted = (here // 4) * 4 + (here % 4 + 1) % 4  # one column to the right, cyclically
    assert math.isclose(right(shifted, 3, 4), (3 * 2 + 2 * 4) / (3 * 3 + 2 * 4))
