"""What notebook 09 builds by hand is what ``mp3lib.data.cues`` has; the numbers in its text are the measured ones."""

import json
import re
from pathlib import Path

import pytest
import torch
from notebook_code import definitions, prose
from samples import noise

from mp3lib.data import cues, to_float

RESULTS = Path(__file__).resolve().parents[1] / "results"

nb = definitions("09")
SIZES = [((32, 32), (8, 8)), ((16, 32), (8, 4)), ((24, 8), (4, 8)), ((32, 32), (4, 4))]


@pytest.mark.parametrize(("image_size", "patch_size"), SIZES)
@pytest.mark.parametrize(("name", "cue"), [("gap_loop", cues.gap), ("gap", cues.gap), ("hole", cues.hole)])
def test_gap_and_hole(name, cue, image_size, patch_size):
    images = to_float(noise(2, *image_size))
    for width in range((min(patch_size) - 1) // 2 + 1):
        before = images.clone()
        assert torch.equal(nb[name](images, patch_size, width), cue(images, patch_size, width))
        assert torch.equal(images, before)


@pytest.mark.parametrize("image_size", [(32, 32), (8, 24)])
def test_grey(image_size):
    images = to_float(noise(4, *image_size))
    torch.testing.assert_close(nb["grey"](images), cues.grey(images), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("image_size", "patch_size"), SIZES)
@pytest.mark.parametrize("contrast", [0.4, 0.7])
def test_flat(image_size, patch_size, contrast):
    images = to_float(noise(2, *image_size))
    images[0] *= 0.001  # nearly even patches
    before = images.clone()
    ours = nb["flat"](images, patch_size, contrast)
    torch.testing.assert_close(ours, cues.flat(images, patch_size, contrast), atol=1e-5, rtol=0)
    assert torch.equal(images, before)


@pytest.mark.parametrize("settings", [{}, {"quality": 20}, {"quality": 95, "shift": 4}, {"shift": 3}])
def test_jpeg(settings):
    images = noise(3, 16, 24)
    assert torch.equal(nb["jpeg"](images, **settings), cues.jpeg(images, **settings))


@pytest.mark.parametrize("strength", [0.0, 0.05, 1.0])
def test_watermark(strength):
    images = to_float(noise(2, 8, 24))
    assert torch.equal(nb["watermark"](images, strength), cues.watermark(images, strength))


@pytest.mark.parametrize("patch_size", [(8, 8), (4, 4), (8, 4)])
def test_levels_begin_with_nothing_and_change_something_after_that(patch_size):
    images = noise(4)
    for cue, levels in nb["levels_of"](patch_size).items():
        assert len(levels) == 4 and all(len(label) < 20 for label, _ in levels)
        made = [change(images) for _, change in levels]
        assert torch.equal(made[0], images), cue
        for changed in made[1:]:
            assert changed.shape == images.shape and changed.dtype == torch.uint8
            assert not torch.equal(changed, images), cue


PROSE = prose("09")


def minus(value: str) -> str:
    """A number as the prose writes it, with a minus sign of its own."""
    return value.replace("-", "−")


def test_the_numbers_of_both_networks_are_the_measured_ones():
    told = {name: json.loads((RESULTS / "cues" / f"{name}-4x4.json").read_text()) for name in ("puzzler", "pupil")}
    share = {name: {cue: 100 * by["0.0"] for cue, by in of["cues"].items()} for name, of in told.items()}
    plain, gap, hole = (f"{share['puzzler'][cue]:.1f} %" for cue in ("as they are", "gap-1", "hole-1"))
    lost = {name: minus(f"{of['gap-1'] - of['hole-1']:.0f} points") for name, of in share.items()}
    assert (
        f"On {told['puzzler']['images']:,} test pictures of CIFAR-10, the puzzler places {plain} of the patches right. "
        f"Without the borders it places {gap}, and chance is 6.2 %. With the placebo it still places {hole}. "
        f"The difference is {lost['puzzler']}."
    ) in PROSE
    plain, gap, hole = (f"{share['pupil'][cue]:.1f} %" for cue in ("as they are", "gap-1", "hole-1"))
    pupil = f"The pupil places {plain}, without the borders {gap}, and with the placebo {hole}: {lost['pupil']}."
    assert pupil in PROSE


def line_of(table: str, begin: str) -> list[str]:
    """The cells of the line of a stored table that begins with these words."""
    text = (RESULTS / "shown" / table).read_text(encoding="utf-8")
    [line] = [line for line in text.splitlines() if line.startswith(f"| {begin}")]
    return [cell.strip(" *") for cell in line.strip("| ").split("|")]


def interval(cell: str) -> tuple[float, float, float]:
    """A difference with its interval, such as "-6.0 (-6.2 to -5.9)"."""
    return tuple(map(float, re.fullmatch(r"([+-][\d.]+) \(([+-][\d.]+) to ([+-][\d.]+)\)", cell).groups()))


def signed(numbers: tuple[float, float, float], words: str = "") -> str:
    """A difference with its interval as the prose writes them: "−6.0 points (−6.2 to −5.9)"."""
    difference, low, high = numbers
    return minus(f"{difference:+.1f} points{words}") + minus(f" ({low:+.1f} to {high:+.1f})")


def test_the_written_verdicts_are_those_of_the_tables():
    """Every difference is without the cue minus its control, as in the tables, and is said with its sign."""
    borders = interval(line_of("cues_taken_away.md", "borders (gap 1")[2])
    sentence = f"**Borders help to predict positions:** {signed(borders, ' without them')}"
    assert borders[2] < 0 and sentence.replace("(", "(95 % interval ", 1) in PROSE
    middle = interval(line_of("cues_taken_away.md", "middle (hole 1")[2])
    assert 0 < middle[1]
    assert f"**The placebo is not neutral:** {signed(middle)} against untouched pictures." in PROSE
    colour = interval(line_of("cues_taken_away.md", "colour")[2])
    assert colour[2] < 0 and f"**Colour helps as well:** {signed(colour, ' without it')}" in PROSE
    light = interval(line_of("cues_taken_away.md", "brightness, contrast |")[2])
    assert light[1] < 0 < light[2]
    assert f"do not matter here:** {signed(light)}. The interval contains 0." in PROSE
    plain = interval(line_of("cues_taken_away.md", "brightness and contrast kept")[2])
    probes = [
        float(line_of("cues_taken_away.md", name)[5].split()[0])
        for name in ("brightness and contrast kept", "nothing (control)")
    ]
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    [probe] = re.findall(r"^\| brightness and contrast kept.*?\|.*?\| \*\*(.*?)\*\* \|", page, re.MULTILINE)
    probe = interval(probe)
    assert probe[0] == pytest.approx(probes[0] - probes[1], abs=0.05) and probe[1] > 0 and plain[1] > 0
    assert f"{signed(plain)}, and {signed(probe, ' for its linear probe')}." in PROSE
    _, positions, linear, knn = line_of("borders_and_middles.md", "28 of 64 pixels")
    assert interval(positions) == borders, "both tables show the same comparison"
    linear, knn = interval(linear), interval(knn)
    assert linear[1] < 0 < linear[2]
    assert f"By the linear probe, the difference does not count: {signed(linear)}." in PROSE
    assert knn[2] < 0 and f"By the k-NN probe, it counts: {signed(knn)}." in PROSE


def test_the_numbers_of_cues_brought_along_are_the_measured_ones():
    told = json.loads((RESULTS / "shown" / "cues_brought_along.json").read_text())
    placed = {name: f"{sum(values) / len(values):.1f} %" for name, values in told["accuracies"].items()}
    mark, jpeg = "mark: tested ", "JPEG: tested "
    clean = placed[mark + "without the cue"]
    assert f"places {placed[mark + 'with the cue']} of the patches, and {clean} on clean" in PROSE
    in_place, moved = placed[jpeg + "with the cue"], placed[jpeg + "moved by 4 pixels"]
    assert f"places {in_place} when the blocks are in place, {moved} when they are moved by 4 pixels" in PROSE
    assert f"and {placed[jpeg + 'without the cue']} on clean pictures" in PROSE
    blocks = interval(told["gains"]["JPEG"])
    assert 0 < blocks[1] and f"The place of the blocks is worth {signed(blocks)}. This difference counts" in PROSE
    padding = interval(told["gains"]["padding"])
    assert 0 < padding[1] and f"So the border is a cue, worth {signed(padding)}." in PROSE
    border, none = placed["padding: tested with the cue"], placed["padding: tested without the cue"]
    assert f"The padded network places {border} with its mirrored border and {none} without it." in PROSE
    [unpadded], [padded] = (
        told["accuracies"][name] for name in ("neither padded nor zoomed", "padding: tested with the cue")
    )
    assert f"Its control is *neither padded nor zoomed*, {unpadded:.1f} %: **padding costs" in PROSE
    assert f"**padding costs {unpadded - padded:.1f} points.**" in PROSE


def test_alarms_that_need_no_context_are_silent_for_border_matching():
    """The puzzler of CIFAR-10 places far more with all patches as context than with one, so alarm 2 stays silent."""
    scores = json.loads((RESULTS / "evaluations" / "puzzler-4x4.json").read_text())
    alone = scores["patch_only"]["accuracy"]
    assert f"One clean patch alone reaches {100 * alone:.1f} % (notebook 05), far less than the puzzler" in PROSE
    assert alone < 0.3 and scores["positions"]["0.0"]["accuracy"] > 0.9
    assert "matching borders needs context, so the alarm is silent" in PROSE
    assert "An alarm that stays silent proves nothing." in PROSE
