"""The functions and figures of notebook 00: their properties, and every control over its whole range."""

import inspect
import json
import re
from pathlib import Path

import nbformat
import pytest
import torch
from notebook_code import NOTEBOOKS, cells, definitions

from mp3lib import MP3, ViT, load_shipped, plots
from mp3lib.evaluate import assign
from mp3lib.model import pupil_of
from mp3lib.widgets import png

EVALUATIONS = Path(__file__).parents[1] / "results" / "evaluations"
PROBES = EVALUATIONS.parent / "probes"
COUNT = 24  # images that the sliders offer


def notebook_for(network):
    """The notebook's functions and the values that its cells compute, for this network and random images."""
    nb = definitions("00")
    rows, cols = network.vit.grid
    n, draw = rows * cols, torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (COUNT, 3, *network.vit.image_size), generator=draw, dtype=torch.uint8)
    logits = network.predict(nb["to_float"](pictures), torch.arange(n)).logits
    answers = assign(logits)
    sure = logits.softmax(dim=2).gather(2, answers[:, :, None])[:, :, 0]
    measured = json.loads((EVALUATIONS / "puzzler-4x4.json").read_text())
    scores = {float(ratio): score for ratio, score in measured["positions"].items()}
    nb.update(
        network_name="puzzler-4x4",
        network=network,
        rows=rows,
        cols=cols,
        n=n,
        pictures=pictures,
        answers=answers,
        sure=sure,
    )
    nb.update(none=torch.zeros(n, dtype=torch.bool))
    nb.update(order=torch.randperm(n, generator=draw), measured=measured, scores=scores)
    return nb


@pytest.fixture(scope="module")
def shipped():
    return notebook_for(load_shipped("puzzler-4x4"))


def untrained(image_size, patch_size, context="updated"):
    torch.manual_seed(1)
    settings = dict(dim=16, depth=2, heads=2, dim_head=8, mlp_dim=16)
    return MP3(ViT(num_classes=2, image_size=image_size, patch_size=patch_size, **settings), 0.75, context).eval()


@pytest.fixture(scope="module", params=["square", "wide", "tall", "fine"])
def any_grid(request):
    sizes = {"square": (32, 8), "wide": ((16, 32), (8, 8)), "tall": ((24, 16), (4, 8)), "fine": (32, 4)}
    return notebook_for(untrained(*sizes[request.param], "frozen" if request.param == "wide" else "updated"))


# --- shuffle, predict, assign -----------------------------------------------------------------------------------------


def test_shuffle_equals_the_library(any_grid):
    nb, picture = any_grid, any_grid["pictures"][0]
    for seed in range(5):
        order = torch.randperm(nb["n"], generator=torch.Generator().manual_seed(seed))
        shuffled = nb["shuffle"](picture, order)
        library = plots.reassemble(picture, nb["network"].vit.patch_size, order)
        assert shuffled.dtype == torch.uint8 and torch.equal(shuffled.permute(1, 2, 0), torch.from_numpy(library))


def test_a_shuffle_can_be_undone_and_keeps_all_pixels(any_grid):
    nb, picture = any_grid, any_grid["pictures"][1]
    before = picture.clone()
    order = nb["order"]
    assert torch.equal(nb["shuffle"](picture, torch.arange(nb["n"])), picture)
    assert torch.equal(nb["shuffle"](nb["shuffle"](picture, order), order.argsort()), picture)
    other = order.flip(0)
    twice = nb["shuffle"](nb["shuffle"](picture, order), other)
    assert torch.equal(twice, nb["shuffle"](picture, order[other]))
    assert torch.equal(twice.flatten(1).sort().values, picture.flatten(1).sort().values)
    assert torch.equal(picture, before)


def test_predictions_equal_the_library_for_any_context(any_grid):
    nb, picture = any_grid, any_grid["pictures"][2]
    for seen in (None, torch.tensor([0]), nb["order"][: nb["n"] // 2], torch.arange(nb["n"])):
        probabilities = nb["ask"](picture, seen)
        assert probabilities.shape == (nb["n"], nb["n"])
        torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(nb["n"]), atol=1e-5, rtol=0)
        context = torch.arange(nb["n"]) if seen is None else seen
        library = nb["network"].predict(nb["to_float"](picture[None]), context).logits[0]
        torch.testing.assert_close(probabilities, library.softmax(dim=-1), atol=1e-6, rtol=0)
        assert torch.equal(nb["put_together"](probabilities), assign(library[None])[0])


def test_shuffling_the_input_only_reorders_the_predictions(any_grid, shipped):
    for nb in (any_grid, shipped):
        shuffled = nb["shuffle"](nb["pictures"][3], nb["order"])
        in_order = nb["ask"](nb["pictures"][3])
        torch.testing.assert_close(nb["ask"](shuffled), in_order[nb["order"]], atol=1e-4, rtol=0)


def test_the_assignment_is_right_with_probabilities_of_zero_and_with_ties():
    nb = definitions("00")
    for n in (1, 4, 16):
        order = torch.randperm(n, generator=torch.Generator().manual_seed(n))
        assert torch.equal(nb["put_together"](torch.eye(n)[order]), order)  # probabilities of 0 and 1
        assert sorted(nb["put_together"](torch.full((n, n), 1 / n)).tolist()) == list(range(n))
    conflict = torch.tensor([[0.6, 0.4, 0.0], [0.9, 0.0, 0.1], [0.0, 0.0, 1.0]])  # patches 0 and 1 both predict 0
    assert nb["put_together"](conflict).tolist() == [1, 0, 2]


# --- placing patches one by one ---------------------------------------------------------------------------------------


def test_each_step_places_one_more_patch_in_order_of_confidence(any_grid):
    nb, n = any_grid, any_grid["n"]
    for number in range(4):
        boards = [nb["place_first"](number, count) for count in range(n + 1)]
        assert (boards[0] == -1).all()
        assert torch.equal(boards[n], nb["answers"][number].argsort())
        confidences = []
        for before, after in zip(boards[:-1], boards[1:], strict=True):
            [place] = (before != after).nonzero()[:, 0].tolist()
            patch = int(after[place])
            assert before[place] == -1 and nb["answers"][number][patch] == place
            confidences.append(float(nb["sure"][number][patch]))
        assert confidences == sorted(confidences, reverse=True)


def test_wrong_places_leaves_out_right_and_empty_positions(any_grid):
    wrong_places, n = any_grid["wrong_places"], any_grid["n"]
    right = torch.arange(n)
    swapped = right.clone()
    swapped[[1, 2]], swapped[3] = right[[2, 1]], -1
    assert wrong_places(swapped).nonzero()[:, 0].tolist() == [1, 2]
    assert not wrong_places(right).any() and not wrong_places(torch.full((n,), -1)).any()


# --- figures ----------------------------------------------------------------------------------------------------------


def slider_ranges(nb):
    """For each figure with sliders: the name of each slider -> (low, high, value, step), read from the notebook."""
    [path] = NOTEBOOKS.glob("00*.ipynb")
    found = {}
    for cell in nbformat.read(path, as_version=4).cells:
        bound = re.match(r"live\(\s*(\w+),", cell.source)
        if cell.cell_type == "code" and bound:
            sliders = {name: nb["slider"]("", *values) for name, values in slider_arguments(cell.source, nb)}
            found[bound[1]] = {name: (s.min, s.max, s.value, s.step) for name, s in sliders.items()}
    return found


def slider_arguments(source, nb):
    """Name and arguments, without the label, of each slider in the source of a cell."""
    for name, arguments in re.findall(r"^ *(\w+)=slider\((.*)\),$", source, re.MULTILINE):
        listed = re.sub(r'^"[^"]*", |, every_step=True$', "", arguments)
        low, high, value, *step = eval(f"[{listed.replace('step=', '')}]", {"n": nb["n"]})
        yield name, (low, high, value, *step)


def test_all_sliders_are_found_with_their_figures(shipped):
    ranges = slider_ranges(shipped)
    assert set(ranges) == {"draw_steps"}
    for name, controls in ranges.items():
        assert list(inspect.signature(shipped[name]).parameters) == list(controls)
        assert controls["number"][:2] == (0, COUNT - 1)
    assert ranges["draw_steps"]["count"][:2] == (0, shipped["n"])


def test_figures_are_drawn_over_the_whole_range_of_each_control(shipped):
    """Each control takes all its values while the others keep theirs; also all combinations of ends."""
    name = "draw_steps"
    controls = slider_ranges(shipped)[name]
    start = {control: value for control, (_, _, value, _) in controls.items()}
    moves = [start | {control: v} for control, (low, high, _, step) in controls.items()
             for v in range(low, high + 1, step)]  # fmt: skip
    (a, (a0, a1, *_)), (b, (b0, b1, *_)) = controls.items()
    moves += [{a: x, b: y} for x in (a0, a1) for y in (b0, b1)]
    seen = {png(shipped[name](**values), small=False) for values in moves}
    assert len(seen) > 30  # the figure follows its controls
    first = shipped[name](**moves[0])
    assert isinstance(first, plots.Picture) and png(first) == png(shipped[name](**moves[0]))


def test_figures_are_drawn_for_any_grid(any_grid):
    nb, n = any_grid, any_grid["n"]
    for count in (0, 1, n // 2, n - 1, n):
        right = count - nb["wrong_places"](nb["place_first"](5, count)).sum()
        assert nb["draw_steps"](5, count).alt == f"Picture 5: {count} of {n} patches placed, {right} right"
    for percent in (0, 50, 95):
        above, below = nb["look"](5, percent)
        hidden = int(percent / 100 * n)
        assert above[1] == f"{hidden} of {n} hidden" and above[3].sum() == hidden
        assert below[1] == f"{n - below[2].sum()} of {n} right"
    shuffled = nb["shuffle"](nb["pictures"][0], nb["order"])
    figure = nb["draw_probabilities"](shuffled, nb["ask"](shuffled), nb["order"])
    small_maps = figure.axes[1].images[0].get_array()
    assert small_maps.shape == (nb["rows"] ** 2, nb["cols"] ** 2) and len(png(figure)) > 1000


def test_the_ring_marks_the_true_position(any_grid):
    """For perfect predictions, every ring lies on the only dark cell of its heat map."""
    nb = any_grid
    figure = nb["draw_probabilities"](nb["pictures"][0], torch.eye(nb["n"])[nb["order"]], nb["order"])
    dark = torch.from_numpy(figure.axes[1].images[0].get_array().data).nonzero()  # (n, 2): row, column
    rings = torch.as_tensor(figure.axes[1].collections[0].get_offsets().data)  # x, y
    assert sorted(dark.tolist()) == sorted(rings.flip(1).long().tolist())


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_the_notebook_shows_the_measured_numbers():
    """The title of the bar chart and the sentences have the numbers of results/."""
    told = json.loads((EVALUATIONS / "puzzler-4x4.json").read_text())
    scores = told["positions"]
    everything, few = scores["0.0"], scores["0.75"]
    alts = [
        output.metadata["image/png"]["alt"]
        for cell in cells("00")
        for output in cell.get("outputs", [])
        if "image/png" in output.get("metadata", {})
    ]
    said = f"{everything['jigsaw']:.1%} of the patches are placed right, and {everything['whole']:.1%} of the pictures"
    assert f"{said} as a whole" in alts, "make notebooks"
    prose = " ".join(" ".join(cell.source for cell in cells("00") if cell.cell_type == "markdown").split())
    assert f"puts {100 * everything['jigsaw']:.1f} % of the patches in the right place" in prose
    assert f"It solves {100 * everything['whole']:.1f} % of the pictures" in prose
    assert (
        f"still places {100 * few['jigsaw']:.1f} % of the patches of CIFAR-10 right. Chance is {100 / 16:.1f} %."
        in prose
    )
    assert f"With 4 of 16 patches as context, {few['jigsaw']:.0%} are placed right" in alts, "make notebooks"


def test_the_picture_with_hidden_patches_gives_nearly_the_average_result():
    [cell] = [cell for cell in cells("00") if cell.get("id") == "mask-strip"]
    alt = cell.outputs[0].metadata["image/png"]["alt"]
    positions = json.loads((EVALUATIONS / "puzzler-4x4.json").read_text())["positions"]
    for right, ratio in zip(re.findall(r"(\d+) of 16 right", alt), ("0.0", "0.75"), strict=True):
        assert int(right) / 16 == pytest.approx(positions[ratio]["jigsaw"], abs=0.05)


def test_the_puzzler_and_the_pupil_are_compared_with_their_measured_numbers():
    names = {"puzzler": "puzzler-4x4", "pupil": pupil_of("cifar10")}
    found = {
        name: json.loads((EVALUATIONS / f"{model}.json").read_text())["positions"] for name, model in names.items()
    }
    whole = {name: positions["0.0"]["whole"] for name, positions in found.items()}
    hidden = {name: 100 * positions["0.75"]["jigsaw"] for name, positions in found.items()}
    linear = {
        name: json.loads((PROBES / f"{model}.json").read_text())["weights"]["linear"] for name, model in names.items()
    }
    prose = " ".join(" ".join(cell.source for cell in cells("00") if cell.cell_type == "markdown").split())
    assert (
        f"With all patches seen, the puzzler solves {100 * whole['puzzler']:.1f} % of CIFAR-10's pictures, "
        f"and the pupil {100 * whole['pupil']:.1f} %. (With three quarters hidden, the pupil is ahead: it places "
        f"{hidden['pupil']:.1f} % of the patches, and the puzzler {hidden['puzzler']:.1f} %.)"
    ) in prose
    assert (
        f"A linear probe names {100 * linear['pupil']:.1f} % of the test pictures right with the pupil's features, "
        f"and {100 * linear['puzzler']:.1f} % with the puzzler's."
    ) in prose
