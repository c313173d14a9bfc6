"""The pictures that head the README, and the tool that makes them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops
from scripts import ROOT, load_script

from mp3lib import MP3, ViT
from mp3lib.evaluate import paired_interval
from mp3lib.plots import reassemble
from mp3lib.plots.theme import contrast
from studies.tables import top1

tool = load_script("tools/overview.py")


def solved(image_size, patch_size, count=3):
    """Random pictures, shuffled, and the answer of an untrained network."""
    torch.manual_seed(0)
    settings = dict(dim=16, depth=1, heads=2, dim_head=8, mlp_dim=16)
    mp3 = MP3(ViT(num_classes=2, image_size=image_size, patch_size=patch_size, **settings), 0.75, "updated").eval()
    images = torch.randint(0, 256, (count, 3, *mp3.vit.image_size), dtype=torch.uint8)
    order = torch.randperm(mp3.vit.num_patches).numpy()
    return mp3, images, order, *tool.solve(mp3, images, order)


@pytest.mark.parametrize("ticks", [1, 5, 16])
def test_arrangements_lead_from_shuffled_patches_to_the_answer_the_surest_first(ticks):
    placed, sure = np.random.default_rng(0).permutation(16), np.random.default_rng(1).random(16)
    states = tool.arrangements(placed, sure, ticks)
    assert len(states) == ticks + 1 and (states[0] == np.arange(16)).all()
    assert (states[-1][placed] == np.arange(16)).all()
    for state in states:
        assert sorted(state) == list(range(16)), "no piece is lost"
    if ticks == 16:
        for tick, piece in enumerate(np.argsort(-sure)):
            assert all(state[placed[piece]] == piece for state in states[tick + 1 :]), "laid is laid"


@pytest.mark.parametrize("image_size, patch_size", [(32, 8), ((16, 32), (8, 8)), (32, 4)])
def test_film_begins_with_shuffled_patches_and_ends_with_the_marked_answer(image_size, patch_size):
    mp3, images, order, placed, sure = solved(image_size, patch_size)
    size = mp3.vit.patch_size
    shuffled = np.stack([reassemble(image, size, order) for image in images])
    stage = tool.Stage(shuffled, size)
    frames = tool.film(stage, placed, sure, order)
    times = [ms for _, ms in frames]
    assert len({image.size for image, _ in frames}) == 1
    assert times[0] >= 2000 and times[-1] >= 4000 and min(times) >= 50, "time to read, and no flicker"
    first, unmarked, last = (np.asarray(frames[i][0]) for i in (0, -2, -1))
    h, w = stage.size
    for b in range(len(images)):
        for place in range(len(order)):
            y, x = stage.spot(b, place)
            piece = int(np.flatnonzero(placed[b] == place)[0])
            assert (first[y : y + h, x : x + w] == stage.pieces[b, place]).all()
            assert (unmarked[y : y + h, x : x + w] == stage.pieces[b, piece]).all()
            framed = (last[y : y + 2, x : x + w] == (0xD5, 0x5E, 0x00)).all()
            assert framed == (order[piece] != place)


def test_a_dark_page_has_the_same_film_on_dark_paper():
    """Paper and words have the colours that dark.css gives to figures; the pieces keep theirs."""
    mp3, images, order, placed, sure = solved(32, 8)
    shuffled = np.stack([reassemble(image, mp3.vit.patch_size, order) for image in images])
    films = [tool.film(tool.Stage(shuffled, (8, 8), dark), placed, sure, order) for dark in (False, True)]
    assert [ms for _, ms in films[0]] == [ms for _, ms in films[1]]
    light, dark = (np.asarray(frames[-1][0]).astype(int) for frames in films)
    assert light[0, 0].min() > 220 and dark[0, 0].max() < 40
    assert contrast(tool.on_dark(tool.INK), tool.on_dark(tool.PAPER)) >= 7
    stage = tool.Stage(shuffled, (8, 8))
    (y, x), (h, w) = stage.spot(0, 5), stage.size
    assert (light[y : y + h, x : x + w] == dark[y : y + h, x : x + w]).all()
    stored = [Image.open(ROOT / "assets" / f"overview{name}.webp") for name in ("", "-dark")]
    assert stored[0].n_frames == stored[1].n_frames and stored[0].size == stored[1].size
    assert stored[0].convert("L").getpixel((0, 0)) > 220 and stored[1].convert("L").getpixel((0, 0)) < 40


def test_nothing_jumps_while_pieces_fly():
    """From frame to frame, only a small part of the surface changes: no flashing."""
    mp3, images, order, placed, sure = solved(32, 8)
    shuffled = np.stack([reassemble(image, mp3.vit.patch_size, order) for image in images])
    frames = [image for image, _ in tool.film(tool.Stage(shuffled, mp3.vit.patch_size), placed, sure, order)]
    for before, after in zip(frames[1:-2], frames[2:-1], strict=True):
        changed = np.asarray(ImageChops.difference(before, after)).any(axis=2).mean()
        assert changed < 0.25


def test_answer_does_not_depend_on_the_shuffle():
    mp3, images, order, placed, sure = solved((16, 32), (8, 8))
    other = np.roll(order, 3)
    again, sure_again = tool.solve(mp3, images, other)
    assert (again == np.roll(placed, 3, axis=1)).all()
    np.testing.assert_allclose(sure_again, np.roll(sure, 3, axis=1), atol=1e-5)


def test_still_shows_every_picture_three_times():
    mp3, images, order, placed, _ = solved((16, 32), (8, 8))
    fig = tool.still(images, mp3.vit.patch_size, order, placed)
    assert len(fig.axes) == 9
    right = (order[placed.argsort(axis=1)] == np.arange(len(order))).sum(axis=1)
    titles = [ax.get_title() or ax.get_title("left") for ax in fig.axes[6:]]
    assert titles == [f"{r} of {len(order)}" for r in right]


@pytest.mark.parametrize("name", ["overview.webp", "overview-dark.webp"])
def test_stored_animation_is_small_calm_and_ends(name):
    assert (ROOT / "assets" / "overview.png").stat().st_size < 300_000
    path = ROOT / "assets" / name
    assert path.stat().st_size < 400_000
    with Image.open(path) as film:
        assert film.n_frames > 50 and film.size[0] <= 900
        assert film.info["loop"] == tool.PLAYS, "it stops, and the answer stays"
        times = []
        for i in range(film.n_frames):
            film.seek(i)
            film.load()
            times.append(film.info["duration"])
    assert times[0] >= 2000 and times[-1] >= 4000 and min(times) >= 50 and 10_000 < sum(times) < 40_000


def test_the_chart_of_few_labels_shows_the_stored_results():
    figure = tool.few_labels()
    seeds = json.loads((ROOT / "results" / "shown" / "few_labels.json").read_text())
    for line, start in zip(figure.axes[0].lines, ("mp3", "scratch"), strict=False):
        expected = [100 * np.mean(by[f"{start}-{n}-pos"]) for n, by in seeds.items()]
        np.testing.assert_allclose(line.get_ydata(), expected)
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == [f"{int(n):,}" for n in seeds]
    assert (ROOT / "assets" / "few_labels.png").stat().st_size < 100_000


def test_the_readme_says_what_was_measured():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    results = ROOT / "results"
    everything = json.loads((results / "evaluations" / "puzzler-4x4.json").read_text())["positions"]["0.0"]
    placed, whole = f"{100 * everything['jigsaw']:.1f} %", f"{100 * everything['whole']:.1f} %"
    assert f"it puts {placed} of the patches in the right place, and solves {whole} of the images" in text
    seeds = json.loads((results / "shown" / "few_labels.json").read_text())["1000"]
    mp3, scratch = (f"{100 * np.mean(seeds[f'{start}-1000-pos']):.1f} %" for start in ("mp3", "scratch"))
    assert (
        f"With 1,000 labels, the pretrained network reaches {mp3}, and the same network from scratch {scratch}" in text
    )


def test_the_page_on_use_says_what_the_recipe_is_worth():
    text = (ROOT / "docs" / "USE.md").read_text(encoding="utf-8")
    stored = json.loads((ROOT / "results" / "shown" / "what_is_hidden.json").read_text())
    of = {(model["variant"], model["epochs"]): model for model in stored["models"]}
    names = {"0.75": "best", "0.75-normed": "best, with `--patch-norm`", "reference": "reference"}
    for variant, name in names.items():
        model = of[variant, 5]
        features = [model[measure] for measure in ("knn", "linear", "top1_1000", "top1_5000")]
        shares = [model["position"]["0.75"], model["position"]["0.0"], *features]
        assert f"| {name} | {' | '.join(f'{100 * share:.1f} %' for share in shares)} |" in text

    best, reference = of["0.75", 5], of["reference", 5]
    measures = ("knn", "linear", "top1_1000", "top1_5000")
    better = {measure for measure in measures if best[measure] - reference[measure] > 0.001}
    assert better == {"knn", "linear"}, "say so"

    of |= {(name, 20): stored[name] for name in ("scratch", "scratch-normed")}

    def pair(recipe: str, measure: str, unit: str = "") -> str:
        """What the network with a LayerNorm on pixels reaches against the one without, after 20 epochs."""
        two = (of[name, 20] for name in (f"{recipe}-normed", recipe))
        found = [100 * (m["position"]["0.0"] if measure == "placed" else m[measure]) for m in two]
        return f"{found[0]:.1f}{unit} against {found[1]:.1f} %"

    few = {name: [pair(name, f"top1_{n}", " %") for n in (1000, 5000)] for name in ("0.75", "drawn", "scratch")}
    told = " ".join(text.split())
    assert f"places fewer patches ({pair('0.75', 'placed')} with everything seen), and its linear" in told
    assert f"probe is as good ({pair('0.75', 'linear')}). But fine-tuned on 1,000 labels it reaches " in told
    assert "it reaches {}, and on 5,000 labels {}. With ratios".format(*few["0.75"]) in told
    assert (
        "between .1 and .75 it is {}, and {}. From scratch it is {}, and {}: ".format(*few["drawn"], *few["scratch"])
        in told
    )
    with_norm, without = (
        [100 * top1(ROOT / "results", f"hidden-labels/{name}-20-1000-pos").by_seed[seed] for seed in (0, 1, 2)]
        for name in ("0.75-normed", "0.75")
    )
    found = paired_interval(with_norm, without)
    assert (
        f"{found.difference:+.1f} points ({found.low:+.1f} to {found.high:+.1f} over three seeds), does not count"
        in told
    )
