"""Tables from run folders: on made-up runs of every study, and on the project's own results."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mp3lib import cli as command_line
from mp3lib.json_files import write_json
from mp3lib.plots.theme import inches_of
from mp3lib.train import read_run
from mp3lib.train.run_folder import write_metrics
from studies import more_scenes
from studies.__main__ import main
from studies.__main__ import parser as own_parser
from studies.claims import LEGEND, claims, findings, verdict, weigh_claims
from studies.layers import by_layer, chosen, stored_layers
from studies.pages import SECTIONS, SHOWN, made_files, report
from studies.plan import CUES, FINE, FURTHER, REGULARISED, SIZE_EPOCHS, SIZES, all_runs
from studies.provenance import recipe, the_runs
from studies.recipes import RisingRatio, rising_ratio
from studies.runs import RESULTS, Row, difference, finished, interval, points, row, top1, variants
from studies.scaling import fitted, measured, million_parameters, sizes
from studies.shipped_tables import by_cue, classifiers, from_scratch, positions, published
from studies.tables import costs, cues, fine, fractions, further, label_counts, probes, regularised
from studies.verdicts import cases, taken_away, verdicts

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = {"cores": "2", "cpu": "a CPU", "torch": "2.0.1+cpu", "python": "3.11.1"}
RATIOS = ("0.0", "0.25", "0.5", "0.75", "0.9")


def put(results: Path, name: str, scores: dict, seed: int = 0, **settings) -> None:
    """A finished run, ``name`` being STUDY/VARIANT."""
    folder = results / "runs" / name / f"seed-{seed}"
    settings = {"epochs": 5, "num_images": 45_000, "batch_size": 250, "lr": 1e-3, "seed": seed} | settings
    write_json(folder / "run.json", {"settings": settings, "data": "d", "fingerprint": "f", "versions": VERSIONS})
    write_metrics(
        folder / "metrics.jsonl",
        [{"epoch": 1, "step": 9, "loss": 2.0}, {"epoch": 2, "step": 18, "loss": 1.0 + seed}],
    )
    write_json(folder / "scores.json", scores)


def pretext(value: float, *images: str) -> dict:
    at_ratios = {
        ratio: {"accuracy": value + i / 100, "jigsaw": value + i / 50, "whole": value / 2}
        for i, ratio in enumerate(RATIOS)
    }
    probes = {"knn": value + 0.2, "linear": value + 0.3}
    places = dict.fromkeys(("as they are", *images), at_ratios)
    return {"positions": places, "weights": probes, "random init": {"knn": 0.11, "linear": 0.12}}


def supervised(value: float) -> dict:
    return {"test_top1": value, "validation_top1": value}


@pytest.fixture(scope="module")
def every_run(tmp_path_factory):
    """Results in which every run of the plan has finished, each with figures of its own."""
    results = tmp_path_factory.mktemp("results")
    for i, run in enumerate(all_runs().values()):
        tests = [*run.cue.tests, *["kept apart"] * run.kept_apart]
        scores = supervised(0.3 + i / 1000) if run.labels else pretext(0.3 + i / 1000, *tests)
        vit = dict(num_classes=10, image_size=run.size, patch_size=8, dim=128, depth=4, heads=2, mlp_dim=512)
        model = {"vit": vit | run.vit}
        settings = {"num_images": run.labels or 45_000, "mask_ratio": run.mask_ratio, "model": model}
        settings |= {"precision": "float32"} | run.options
        put(results, run.name.rsplit("/", 1)[0], scores, run.seed, **settings)
        if run.change is rising_ratio:
            file = results / "runs" / run.name / "run.json"
            write_json(file, json.loads(file.read_text()) | {"mean_mask_ratio": RisingRatio.mean})
    layer = {"layer": 1, "positions": "with", "kept_apart": 0.5, "knn": 0.4, "linear": 0.5}
    write_json(results / "layers" / "random.json", {"layers": [layer]})
    return results


def test_mean_and_sample_standard_deviation():
    several = Row({0: 0.1, 1: 0.2, 2: 0.6})
    assert (several.n, several.seeds, several.mean) == (3, (0, 1, 2), pytest.approx(0.3))
    assert several.spread == pytest.approx(0.07**0.5)  # (0.04 + 0.01 + 0.09) / (3 - 1)
    assert (
        several.text() == "30.0\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}26.5"
        and several.text(seeds=True) == "30.0\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}26.5 (n = 3)"
    )
    assert Row({0: 0.2501, 1: 0.2504}).text() == "25.0\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.02"
    assert Row({1: 0.25}).spread is None and Row({1: 0.25}).text() == "25.0"
    assert Row({}).text() == ""


def test_differences_pair_seeds():
    first, second = Row({0: 0.5, 1: 0.7, 2: 0.9, 3: 0.1}, ("a",)), Row({2: 0.8, 1: 0.6, 0: 0.39}, ("b",))
    ahead = difference(first, second)
    assert ahead.seeds == (0, 1, 2) and ahead.variants == ("a", "b")
    assert ahead.mean == pytest.approx(0.31 / 3) and ahead.spread < 0.01
    found = interval(first, second)
    half = 4.303 * ahead.spread / 3**0.5
    assert found == pytest.approx((ahead.mean, ahead.mean - half, ahead.mean + half), abs=1e-5) and found.counts
    assert points(found) == "+10.3 (+8.9 to +11.8)"
    assert points(interval(second, first)) == "-10.3 (-11.8 to -8.9)"


def test_the_spread_of_one_seed_is_pooled_over_others():
    one, three = Row({0: 0.5}), Row({0: 0.4, 1: 0.42, 2: 0.41})
    assert interval(one, three) is None and interval(one, Row({}), [three]) is None and points(None) == ""
    assert interval(one, three, [Row({5: 0.1})]) is None  # nothing is known of the spread
    found = interval(one, three, [three])  # s = 0.01, two degrees of freedom
    half = 4.303 * 0.01 * (1 + 1 / 3) ** 0.5
    assert found == pytest.approx((0.09, 0.09 - half, 0.09 + half), abs=1e-5)
    assert interval(three, three, [one, Row({0: 0.0, 1: 1.0})]) == (0.0, 0.0, 0.0)  # paired: others play no part


def test_only_finished_runs_count(tmp_path):
    put(tmp_path, "cost/scratch-5-pos", supervised(0.5))
    put(tmp_path, "cost/scratch-5-pos", supervised(0.6), seed=10)
    put(tmp_path, "cost/scratch-5-pos", supervised(0.7), seed=2)
    assert top1(tmp_path, "cost/scratch-5-pos") == Row({0: 0.5, 2: 0.7, 10: 0.6}, ("cost/scratch-5-pos",))
    (tmp_path / "runs/cost/scratch-5-pos/seed-2/scores.json").unlink()
    assert [run.seed for run in finished(tmp_path, "cost/scratch-5-pos")] == [0, 10]
    with pytest.raises(ValueError, match="has no nonsense, only test_top1, validation_top1"):
        row(tmp_path, "cost/scratch-5-pos", "nonsense")


def test_without_runs_there_are_no_tables_of_ours(tmp_path):
    assert [title for title, (_, made) in SECTIONS.items() if made(tmp_path)] == ["The paper's figures beside ours"]
    assert "Ours:" not in report(tmp_path) and weigh_claims(tmp_path) == []


def test_what_is_not_there_is_left_out(tmp_path):
    put(tmp_path, "cost/scratch-5-pos", supervised(0.5))
    assert costs(tmp_path).splitlines()[:3] == [
        "| all labels | epochs | top-1 (%), with position embeddings |",
        "|---|---|---|",
        "| from scratch | 5 | 50.0 |",
    ]
    assert "One seed (0), so no spread is known" in costs(tmp_path)
    put(tmp_path, "cost/scratch-15-pos", supervised(0.6), seed=0, epochs=15)
    put(tmp_path, "cost/scratch-15-pos", supervised(0.62), seed=1, epochs=15)
    table = costs(tmp_path).replace("\N{NO-BREAK SPACE}", " ")
    assert "| 50.0 | 1 |" in table and "| 61.0 ± 1.4 | 2 |" in table
    put(tmp_path, "cost/scratch-15-nopos", supervised(0.5), seed=1, epochs=15)
    table = costs(tmp_path).replace("\N{NO-BREAK SPACE}", " ")
    assert "| 50.0 (n = 1) |  |" in table and "| 61.0 ± 1.4 (n = 2) | 50.0 (n = 1) |" in table
    assert "Seeds 0, 1 (n: how many); ± is the sample standard deviation" in table


def test_every_run_stands_in_a_table(every_run, monkeypatch):
    asked = set()

    def told(results, variant):
        asked.add(variant)
        return finished(results, variant)

    for module in ("markdown", "tables", "scaling"):
        monkeypatch.setattr(f"studies.{module}.finished", told)  # by the notes below tables, too
    headings = [line[3:] for line in report(every_run).splitlines() if line.startswith("## ")]
    assert headings == [t for t in SECTIONS if "shipped" not in t]  # those are made from evaluations/
    there = {str(path.parents[1].relative_to(every_run / "runs")) for path in every_run.glob("runs/*/*/*/scores.json")}
    assert there - asked == set()


def test_a_grown_grid_is_told_with_all_its_stages(every_run):
    lines = {line.split("`")[1]: line for line in fine(every_run).splitlines() if line.startswith("| `")}
    assert "| 3 at 32 pixels | float32 | 3.8 |" in lines["plain"]  # 16 + 12 of 64 tokens
    assert "| 3 at 32 pixels | float32 | 5.4 |" in lines["plain-ratio-0.5"]
    assert "| 3 at 32 pixels | float32 | 4.9 |" in lines["plain-rising-ratio"]
    stages = "4 at 16 pixels, 2 at 24 pixels, 1 at 32 pixels"  # 4 + 3, 9 + 7, 16 + 12 tokens
    assert f"| {stages} | float32 | 4.0 |" in lines["plain-grown"]
    assert "plain-grown-16px" not in lines
    assert set(lines) == set(FINE)  # each in words


def test_ways_to_go_on_are_told_in_words(every_run):
    lines = [line for line in further(every_run).splitlines() if line.startswith("| `")]
    assert {line.split("`")[1] for line in lines} == set(variants(every_run, "further"))
    assert set(FURTHER) == set(variants(every_run, "further"))
    assert "| 0.9 |" in lines[0]  # 45,000 images twice; 8 + 2 of 16 tokens


def test_size_and_length_are_fitted_with_an_error(tmp_path):
    def odds(millions: float, epochs: int) -> float:
        return -3 + 0.4 * math.log(millions) + 1.1 * math.log(epochs)

    assert million_parameters(dict(num_classes=10, image_size=32, patch_size=4, depth=6) | SIZES["small"].vit) < 0.4
    for name, variant in SIZES.items():
        vit = dict(num_classes=10, image_size=32, patch_size=4, dim=128, depth=6, heads=2, mlp_dim=512) | variant.vit
        for epochs in SIZE_EPOCHS:
            value = 1 / (1 + math.exp(-odds(million_parameters(vit), epochs)))
            at = {ratio: {"accuracy": value} for ratio in RATIOS}
            put(tmp_path, f"size/{name}-{epochs}", {"positions": {"kept apart": at}}, model={"vit": vit}, epochs=epochs)
    points = np.array([(millions, epochs, rows[1].mean) for _, millions, epochs, rows in measured(tmp_path)])
    fit = fitted(points)
    assert fit[:3] == pytest.approx((-3, 0.4, 1.1)) and fit.error == pytest.approx(0, abs=1e-9)
    assert fit.accuracy(2, fit.epochs(2, 0.73)) == pytest.approx(0.73)
    points[4, 2] += 0.05
    assert 0.03 < fitted(points).error < 0.1
    assert "flagship" not in sizes(tmp_path).rpartition("|")[2]
    write_json(tmp_path / "evaluations/flagship-8x8.json", {"positions": {"0.25": {"accuracy": 0.43}}})
    for stage, epochs, more in (("first", 90, {}), ("flagship-8x8", 10, {"start": "runs/first"})):
        about = {"settings": {"model": {"vit": vit}, "epochs": epochs}} | more
        write_json(tmp_path / "runs" / stage / "run.json", about)
    guess = fit.accuracy(million_parameters(vit), 100)
    expected = f"100 epochs of other recipes, some on smaller pictures) the fit says {guess:.0%}."
    table = sizes(tmp_path)
    assert expected in table and "Its accuracy on test images is 43%." in table
    assert table.count("| dim 64, 1 head |") == 3 and "log-odds = -3.00 + 0.40 ln(million parameters)" in table
    shutil.rmtree(tmp_path / "runs/size/large-8")
    assert "Fit" in sizes(tmp_path)
    for folder in [*(tmp_path / "runs/size").iterdir()][:4]:
        shutil.rmtree(folder)
    assert "Fit" not in sizes(tmp_path) and "| network |" in sizes(tmp_path)


def test_regularisation_stands_beside_the_same_seeds_without(every_run):
    lines = [line for line in regularised(every_run).splitlines() if line.startswith("|")]
    assert lines[2].startswith("| nothing | ") and len(lines) == 3 + len(REGULARISED)
    assert [line.split("`")[1] for line in lines[3:]] == [*REGULARISED]
    assert "±" not in "".join(lines) and "(n" not in "".join(lines)  # one seed each
    assert regularised(every_run / "nowhere") == ""


def test_every_cue_is_told_in_words_once(every_run):
    table = cues(every_run)
    assert set(variants(every_run, "cues")) == set(CUES)
    assert [table.count(f"| `{name}`: {cue.words} | as they are |") for name, cue in CUES.items()] == [1] * len(CUES)


def test_label_fractions_and_claims(every_run):
    assert label_counts(every_run) == [500, 1000, 5000]
    table = fractions(every_run)
    assert [line.split(" |")[0] for line in table.splitlines()[2:6]] == [
        "| 500 (1%)",
        "| 1,000 (2%)",
        "| 5,000 (10%)",
        "| all",
    ]
    assert "| all, same total epochs |" in table
    tested = weigh_claims(every_run)
    assert len(tested) == 15 and all(t.ahead.n == 3 for t in tested)
    few = next(t for t in tested if t.claim.startswith("2") and t.setting.startswith("500 "))
    assert few.mp3.variants + few.scratch.variants == ("labels/mp3-500-nopos", "labels/scratch-500-pos")
    assert few.ahead.variants == few.mp3.variants + few.scratch.variants
    assert few.ahead.mean == pytest.approx(few.mp3.mean - few.scratch.mean)
    assert all(t.interval == interval(t.mp3, t.scratch) for t in tested)
    assert claims(every_run).count("| yes: MP3 |") == sum(verdict(t) == "yes: MP3" for t in tested) > 0


def test_a_claim_counts_only_seeds_that_both_sides_have(tmp_path):
    for seed, (ours, theirs) in enumerate([(0.5, 0.4), (0.54, 0.42), (None, 0.9)]):
        put(tmp_path, "labels/scratch-500-pos", supervised(theirs), seed)
        if ours:
            put(tmp_path, "labels/mp3-500-pos", supervised(ours), seed)
    put(tmp_path, "cost/scratch-15-pos", supervised(0.7))
    put(tmp_path, "cost/mp3-10-and-5-pos", supervised(0.6))
    few, all_labels = weigh_claims(tmp_path)
    assert few.mp3.seeds == few.scratch.seeds == (0, 1) and few.scratch.mean == pytest.approx(0.41)
    assert findings(tmp_path).splitlines() == [
        "| MP3 minus scratch, top-1 | 1a: both with position embeddings | seeds |",
        "|---|---|---|",
        "| 500 labels, same fine-tuning | +11.0 (-1.7 to +23.7) | 2 |",  # two seeds: t = 12.7
        "| all labels, same total epochs | -10.0 | 1 |",
        "",
        LEGEND,
    ]
    assert [verdict(few), verdict(all_labels)] == ["no", "one seed: no interval"]
    put(tmp_path, "cost/scratch-15-pos", supervised(0.7), 1)
    put(tmp_path, "cost/mp3-10-and-5-pos", supervised(0.601), 1)
    put(tmp_path, "labels/mp3-500-pos", supervised(0.0), 2)
    told = findings(tmp_path)
    assert "| all labels, same total epochs | **-9.9 (-10.6 to -9.3)** | 2 |" in told  # the opposite counts as well
    assert "| 500 labels, same fine-tuning | -22.7 (-167.5 to +122.2) | 3 |" in told
    assert [verdict(t) for t in weigh_claims(tmp_path)] == ["no", "yes: scratch"]


def test_every_comparison_of_cues_is_network_minus_control(every_run):
    """A network that is more accurate than its control has a difference above 0, in every table."""
    for name, case in cases(every_run).items():
        [line] = [line for line in verdicts(every_run).splitlines() if line.startswith(f"| {name} |")]
        for cell, (network, control) in zip(line.split(" | ")[1:3], (case.placed, case.probed), strict=True):
            assert float(cell.strip("*").split(" (")[0]) == pytest.approx(
                100 * (network.mean - control.mean), abs=0.051
            )
    [colour] = [line for line in taken_away(every_run).splitlines() if line.startswith("| colour |")]
    assert colour.split(" | ")[2] == difference_of_colour(every_run)


@pytest.mark.parametrize("name", [name for name in SHOWN if name.endswith(".md")])
def test_a_table_that_a_notebook_shows_fits_beside_its_cell(name):
    """In a window 1280 pixels wide no cell of a table breaks, so that an interval stays on one line."""
    table = [line for line in (ROOT / "results" / "shown" / name).read_text().splitlines() if line.startswith("|")]
    head, _, *lines = ([cell.strip(" *`") for cell in line[1:-1].split("|")] for line in table)
    widths = [
        max(inches_of(head[i], 9, "bold"), *(inches_of(line[i], 9, "bold") for line in lines if line[i]))
        for i in range(len(head))
    ]
    assert sum(widths) + 0.14 * len(head) < 10.5  # inches of 100 pixels, with the room between columns


def difference_of_colour(results: Path) -> str:
    """The same cell of the other table."""
    [line] = [line for line in verdicts(results).splitlines() if line.startswith("| without: colour |")]
    return line.split(" | ")[1]


def test_a_note_tells_which_seeds_were_trained_otherwise(tmp_path):
    for seed, precision in enumerate(["bf16", "float32", "float32"]):
        put(tmp_path, "cost/scratch-5-pos", supervised(0.5), seed, precision=precision)
    assert "; bf16 (seed 0) or float32 (seed 1 and 2). Settings" in costs(tmp_path)
    put(tmp_path, "cost/scratch-15-pos", supervised(0.5), 0, precision="float32", epochs=15)
    assert "Seeds 0, 1, 2 (n: how many); " in costs(tmp_path) and "; bf16 or float32. Settings" in costs(tmp_path)


def test_a_note_tells_only_of_the_seeds_that_are_shown(tmp_path):
    for seed in range(3):
        put(tmp_path, "labels/scratch-500-pos", supervised(0.4), seed, precision="bf16")
    put(tmp_path, "labels/mp3-500-pos", supervised(0.5), 1, precision="float32")
    assert "One seed (1), so no spread is known; bf16 or float32. Settings" in claims(tmp_path)


def test_every_run_is_told_with_its_settings_and_machines(tmp_path):
    assert the_runs(tmp_path) == ""
    for seed, precision in enumerate(["bf16", "float32"]):
        put(tmp_path, "a/x-10", {}, seed, precision=precision)
    put(tmp_path, "a/x-9", {}, epochs=15, precision="float32")
    run = tmp_path / "runs" / "a" / "x-9" / "seed-0" / "run.json"
    moved = VERSIONS | {"torch": "2.1.0"}
    write_json(run, json.loads(run.read_text()) | {"fingerprint": "g", "resumed": [{"step": 1, "versions": moved}]})
    lines = the_runs(tmp_path).splitlines()
    assert lines[2] == "| `a/x-9` | 0 | 15 epochs, float32, d, pixels `g` | A, B |"
    assert lines[3] == "| `a/x-10` | 0, 1 | 5 epochs, bf16 (seed 0) or float32 (seed 1) | A |"
    assert lines[5].startswith(
        "All: 45,000 training images, batches of 250, learning rate 0.001. Unless others are named: patch norm "
        "True, d, pixels `f`. A: 2"
    )
    assert lines[5].endswith(
        ". A: 2 cores (a CPU), PyTorch 2.0.1, Python 3.11.1; B: 2 cores (a CPU), PyTorch 2.1.0, Python 3.11.1."
    )


def test_runs_are_told_apart_by_shape_augmentation_and_start(tmp_path):
    for name, settings in {
        "a/x": {"crop_area": [0.6, 1.0], "model": {"vit": {"depth": 6, "patch_norm": False}}},
        "a/y": {"crop_area": [0.6, 1.0], "model": {"vit": {"depth": 6, "patch_norm": True}}},
        "a/z": {"crop_area": [1.0, 1.0], "model": {"depth": 6}, "unflipped": True, "mask_ratios": [0.2, 0.8]},
    }.items():
        put(tmp_path, name, {}, **settings)
    run = tmp_path / "runs" / "a" / "z" / "seed-0" / "run.json"
    write_json(run, json.loads(run.read_text()) | {"start": "a/x/seed-0", "change": "slow", "mean_mask_ratio": 7 / 12})
    *lines, _, about = the_runs(tmp_path).splitlines()
    assert "Unless others are named: patch norm True, depth 6, crops [0.6, 1.0], d, pixels `f`." in about
    assert [line.split(" | ")[2] for line in lines[2:]] == [
        "patch norm False",
        "",
        "from `a/x`, crops [1.0, 1.0], unflipped True, change slow, mean mask ratio 0.583, mask ratio drawn between "
        "[0.2, 0.8]",
    ]


def test_what_most_runs_have_is_said_and_what_the_others_have_too(tmp_path):
    """Also where most runs depart from a default, which old runs do not name."""
    for name, vit in {"a/x": {"patch_norm": False}, "a/y": {"patch_norm": False}, "a/z": {}}.items():
        put(tmp_path, name, {}, model={"vit": vit})
    *lines, _, about = the_runs(tmp_path).splitlines()
    assert "Unless others are named: patch norm False, d" in about
    assert [line.split(" | ")[2] for line in lines[2:]] == ["", "", "patch norm True"]


def test_a_recipe_in_short():
    settings = {"task": "pretrain", "optimizer": "muon", "precision": "bf16", "context": "updated", "mask_ratio": 0.5}
    assert recipe(settings) == "MP3, muon, bf16, context updated, mask ratio 0.5"
    drawn = settings | {"mask_ratios": [0.25, 0.75], "crop_area": [1.0, 1.0]}
    assert recipe(drawn) == "MP3, muon, bf16, no crops, context updated, mask ratio 0.25 to 0.75"


def test_pixels_stand_beside_frozen_features(tmp_path):
    put(tmp_path, "pretraining/10-epochs", pretext(0.3))
    assert "pixels |" not in probes(tmp_path)
    write_json(tmp_path / "evaluations" / "pixels.json", {"knn": 0.351, "linear": 0.402})
    assert "| raw pixels | 35.1 | 40.2 |" in probes(tmp_path) and "| 10 epochs of MP3 | 50.0 | 60.0 |" in probes(
        tmp_path
    )


def test_what_ships_is_probed_beside_a_random_network_as_large(tmp_path):
    put(tmp_path, "pretraining/10-epochs", pretext(0.3))
    figures = {"weights": {"knn": 0.5, "linear": 0.6}, "random init": {"knn": 0.2, "linear": 0.3}}
    write_json(tmp_path / "probes" / "mine.json", figures)
    told = probes(tmp_path)
    assert "| random init, as large as `mine` | 20.0 | 30.0 |\n| `mine` | 50.0 | 60.0 |" in told


def test_the_layer_is_chosen_by_the_images_kept_apart(tmp_path):
    assert by_layer(tmp_path) == "" and stored_layers(tmp_path) == {}

    def layer(number, positions, kept_apart, linear):
        return {"layer": number, "positions": positions, "kept_apart": kept_apart, "knn": 0.5, "linear": linear}

    layers = [layer(1, "with", 0.6, 0.8), layer(2, "with", 0.5, 0.9), layer(1, "without", 0.7, 0.6)]
    write_json(tmp_path / "layers" / "mine.json", {"layers": layers})
    write_json(tmp_path / "layers" / "random.json", {"layers": layers[:1]})
    write_json(tmp_path / "layers" / "hidden-drawn-normed-20-seed-1.json", {"layers": layers[1:2]})
    told = by_layer(tmp_path).splitlines()
    normed = "mask ratio drawn between .1 and .75, LayerNorm on the pixels of a patch, 20 epochs, seed 1"
    assert told[0] == "| network | position embeddings | after layer 1 | after layer 2 |"
    assert told[2:8] == [
        f"| {normed} | with |  | **50.0 / 90.0** |",
        f"| {normed} | without |  |  |",
        "| `mine` | with | 50.0 / 80.0 | 50.0 / 90.0 |",
        "| `mine` | without | **50.0 / 60.0** |  |",
        "| random weights, as large as `pupil-4x4` | with | **50.0 / 80.0** |  |",
        "| random weights, as large as `pupil-4x4` | without |  |  |",
    ]
    assert chosen(stored_layers(tmp_path)["mine"]["layers"]) == layers[2]


def test_the_layer_before_the_last_is_better_and_better_still_without_positions():
    """What results/README says above the table, of every network of MP3 on CIFAR-10."""
    names = [name for name in stored_layers(RESULTS) if name != "random" and not name.endswith("-scenes")]
    assert len(names) >= 4
    for name in names:
        linear = {(one["layer"], one["positions"]): one["linear"] for one in stored_layers(RESULTS)[name]["layers"]}
        depth = max(layer for layer, _ in linear)
        assert all(linear[depth - 1, positions] > linear[depth, positions] for positions in ("with", "without")), name
        assert linear[depth - 1, "without"] > linear[depth - 1, "with"], name


def test_variants_stand_in_order(every_run):
    assert variants(every_run, "ratio") == ["0.25", "0.5", "0.75", "0.9"]
    assert variants(every_run, "pretraining") == ["10-epochs", "20-epochs"] and variants(every_run, "nothing") == []
    assert variants(every_run, "labels")[:3] == ["mp3-500-nopos", "mp3-500-pos", "mp3-1000-nopos"]


def test_figures_name_the_images_that_were_measured(tmp_path):
    """The puzzler of scenes was trained on more scenes than load_images knows, and measured on those of the library."""
    figures = {"weights": "w/mine", "images": 60, "fingerprint": "m", "chance": 1 / 16, "positions": {}}
    figures["patch_only"] = {"accuracy": 0.4, "loss": 1.5, "epochs": 20}
    put(tmp_path, "a/b", {}, task="pretrain", optimizer="muon", precision="bf16")
    shutil.copytree(tmp_path / "runs" / "a" / "b" / "seed-0", tmp_path / "runs" / "mine")
    about = read_run(tmp_path / "runs" / "mine")
    write_json(tmp_path / "runs" / "mine" / "run.json", about | {"data": more_scenes.NAME})
    write_json(tmp_path / "evaluations" / "mine.json", figures)
    told = positions(tmp_path)
    assert "60 test images of scenes\n" in told and "more-scenes, pixels `f`. Measured on scenes, pixels `m`:" in told
    assert told.endswith("evaluate --weights w/mine --data scenes`.")


def test_every_command_of_the_page_of_results_can_be_typed():
    """Each is parsed; the weights, the data and the scripts that it names are there."""
    page = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    commands = sorted({*re.findall(r"`python ([^`]+)`", page)})
    assert len(commands) > 10
    for program, *words in map(str.split, commands):
        if program == "-m":
            parse = {"mp3lib": command_line.parser, "studies": own_parser}[words[0]]
            args = vars(parse().parse_args(words[1:]))
            if data := args.get("data"):
                assert data in ("cifar10", "scenes") or (ROOT / data).exists(), data
            assert "weights" not in args or (ROOT / args["weights"] / "run.json").exists(), words
        else:
            assert (ROOT / program).exists(), program


def test_a_classifier_is_told_with_its_best_and_worst_classes(tmp_path):
    assert classifiers(tmp_path) == ""
    by_class = {
        name: {"images": 10, "top1": share} for name, share in zip("abcdef", (1, 0.5, 0.9, 0.4, 0.8, 0.6), strict=True)
    }
    figures = {"weights": "w/mine", "images": 60, "fingerprint": "f", "top1": 0.7, "pos_emb": True, "classes": by_class}
    write_json(tmp_path / "evaluations" / "mine.json", figures)
    run = tmp_path / "runs" / "cost" / "scratch-5-pos" / "seed-0"
    put(
        tmp_path,
        "cost/scratch-5-pos",
        supervised(0.5),
        optimizer="muon",
        precision="bf16",
        task="finetune",
        augment=0.2,
    )
    write_json(tmp_path / "runs" / "mine" / "run.json", read_run(run) | {"weights": "results/runs/small"})
    pretrained = {"settings": read_run(run)["settings"] | {"task": "pretrain", "augment": 0, "epochs": 40}}
    for name in ("small", "smaller"):
        start = {"start": "results/runs/smaller"} if name == "small" else {}
        write_json(tmp_path / "runs" / name / "run.json", read_run(run) | pretrained | start)
    told = classifiers(tmp_path)
    assert "| `mine` | 70.0% | a 100.0%, c 90.0%, e 80.0% | d 40.0%, b 50.0%, f 60.0% |" in told
    stages = "`smaller` for 40 epochs, `small` for 40 epochs (MP3, muon, bf16), then `mine` for 5 epochs"
    assert (
        f"On 60 test images of d, with position embeddings. Trained: {stages} (labels, muon, bf16, augment 0.2)" in told
    )
    assert told.count("2 cores") == 1 and "evaluate --weights w/mine --data d`" in told
    assert "random" not in told  # no twin
    assert "position accuracy" not in positions(tmp_path)


def test_a_classifier_stands_beside_its_twins(tmp_path):
    def trained(name: str, top1: float | None, epochs: int = 3, lr: float = 4e-3, **about) -> None:
        settings = {"task": "finetune", "epochs": 3, "lr": lr, "precision": "bf16"}
        write_json(tmp_path / "runs" / name / "run.json", {"settings": settings, **about})
        if top1:
            log = [{"epoch": epoch, "step": epoch} for epoch in range(1, epochs + 1)]
            log[-1]["test_top1"] = top1
            write_metrics(tmp_path / "runs" / name / "metrics.jsonl", log)

    def lines() -> list[str]:
        return [line for line in from_scratch(tmp_path, "classifier-large").splitlines() if line.startswith("| `")]

    trained("pretrained", 0.1)
    trained("classifier-small", 0.5, weights="results/runs/pretrained")
    trained("classifier-large", 0.6, weights="results/runs/classifier-small")
    assert from_scratch(tmp_path, "classifier-large") == ""
    trained("scratch-small", 0.4, lr=8e-3)
    for unfinished in ({"top1": None}, {"top1": 0.55, "epochs": 2}):
        trained("scratch-large", **unfinished)
        assert lines() == [
            "| `classifier-small`, 3 epochs | 50.0% | 40.0% |",
            "| `classifier-large`, 3 epochs | 60.0% |  |",
        ]
    trained("scratch-large", 0.61)
    assert lines()[1] == "| `classifier-large`, 3 epochs | 60.0% | 61.0% |"
    told = from_scratch(tmp_path, "classifier-large")
    assert "rates 0.004 / 0.008, 0.004; precision bf16 / bf16." in told and "position embeddings" not in told
    trained("scratch-small-nopos", 0.3, lr=1e-2)
    assert lines() == [
        "| `classifier-small`, 3 epochs | 50.0% | 40.0% | 30.0% |",
        "| `classifier-large`, 3 epochs | 60.0% | 61.0% |  |",
    ]
    told = from_scratch(tmp_path, "classifier-large")
    assert "| from MP3 | from scratch | from scratch, without |" in told and "0.008, 0.004 / 0.01;" in told


def test_the_flagship_stands_beside_the_published_curve(tmp_path):
    assert published(tmp_path) == ""
    scores = {ratio: {"accuracy": 0.5} for ratio in ("0.0", "0.25", "0.5", "0.75", "0.9", "0.95")}
    write_json(tmp_path / "evaluations" / "flagship-8x8.json", {"positions": scores})
    put(tmp_path, "a/b", {})
    shutil.copytree(tmp_path / "runs" / "a" / "b" / "seed-0", tmp_path / "runs" / "flagship-8x8")
    assert "| 0.25 | 73% | 50.0% |" in published(tmp_path) and "| 0.0 |  | 50.0% |" in published(tmp_path)
    assert "The flagship saw 5 epochs" in published(tmp_path)


def store_cues(results: Path, cues: dict, patch_size: int) -> None:
    """What ``python -m studies cues mine`` writes, and the settings of that network."""
    write_json(results / "runs" / "mine" / "run.json", {"settings": {"model": {"vit": {"patch_size": patch_size}}}})
    about = {"images": 2000, "data": "cifar10", "fingerprint": "f", "chance": 1 / 16}
    write_json(results / "cues" / "mine.json", about | {"cues": cues})


def test_a_hole_that_paints_borders_is_not_called_a_placebo(tmp_path):
    accuracies = {"gap-1": {"0.0": 0.016, "0.75": 0.016}, "hole-1": {"0.0": 0.09, "0.75": 0.044}}
    store_cues(tmp_path, accuracies, patch_size=8)
    told = by_cue(tmp_path)
    assert "in the middle of every patch | 9.0%" in told and "what the borders are worth" not in told
    store_cues(tmp_path, accuracies, patch_size=4)
    told = by_cue(tmp_path)
    assert "from the middle of every patch outwards, 8 of them at its border | 9.0%" in told
    assert "A gap leaves 4 of the 16 pixels" in told and "paints 8 of their 12 pixels" in told
    assert "1.6% with `gap-1` and 9.0% with `hole-1`" in told


def test_cues_of_a_shipped_model(tmp_path):
    assert by_cue(tmp_path) == ""
    accuracies = {"as they are": {"0.0": 0.4, "0.75": 0.2}, "grey": {"0.0": 0.3, "0.75": 0.1}}
    store_cues(tmp_path, accuracies, patch_size=8)
    told = by_cue(tmp_path)
    assert "| `mine`, test images | with 0% hidden | with 75% hidden |" in told
    assert "| `grey`: colour taken away | 30.0% | 10.0% |" in told and "| *chance* | 6.2% | 6.2% |" in told


def test_the_numbers_of_the_readme():
    """They are written by hand; each must be what the results say."""
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    results = ROOT / "results"
    solved = json.loads((results / "evaluations" / "puzzler-4x4.json").read_text(encoding="utf-8"))["positions"]["0.0"]
    few, scratch, pretrained, longer = (
        f"{100 * top1(results, f'{variant}-pos').mean:.1f}"
        for variant in ("labels/mp3-1000", "labels/scratch-1000", "cost/mp3-10-and-5", "cost/scratch-15")
    )
    for said in (
        f"puts {100 * solved['jigsaw']:.1f} % of the patches in the right place",
        f"solves {100 * solved['whole']:.1f} % of the images",
        f"With 1,000 labels, the pretrained network reaches {few} %, and the same network from scratch {scratch} %",
        f"training from scratch is better: {longer} against {pretrained} %",
    ):
        assert said in text


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A copy of results/ that ``python -m studies table`` takes for its own."""
    ignored = shutil.ignore_patterns("checkpoint-*", "*.safetensors", "notebooks.jsonl")
    shutil.copytree(ROOT / "results", tmp_path / "results", ignore=ignored)
    monkeypatch.setattr("studies.runs.ROOT", tmp_path)
    return tmp_path


def test_a_changed_figure_is_found(clone, capsys):
    """In a log, in results/README.md or in results/shown: the check fails, and ``table`` mends it."""
    assert main(["table"]) == 0 and main(["table", "--check"]) == 0
    log = clone / "results" / "evaluations" / "pupil-4x4.json"
    figures = json.loads(log.read_text())
    figures["positions"]["0.5"]["accuracy"] += 0.01
    write_json(log, figures)
    assert main(["table", "--check"]) == 1
    different = "ValueError: results/README.md, results/shown/what_is_hidden.json differ from what results/ say"
    assert different in capsys.readouterr().err
    assert main(["table"]) == 0 and main(["table", "--check"]) == 0
    for name, figures in {
        "results/README.md": ("| 4 of 16 | 12 | 52.7%", "| 4 of 16 | 12 | 53.7%"),
        "results/shown/equal_cost.md": ("68.0", "68.1"),
    }.items():
        text = (clone / name).read_text()
        (clone / name).write_text(text.replace(*figures))
        assert text != (clone / name).read_text() and main(["table", "--check"]) == 1
        assert capsys.readouterr().err.startswith(f"ValueError: {name} differ")
        (clone / name).write_text(text)
    (clone / "results" / "README.md").unlink()
    assert main(["table", "--check"]) == 1


def test_the_files_say_what_the_results_say():
    different = [
        str(path.relative_to(ROOT))
        for path, text in made_files(ROOT).items()
        if path.read_text(encoding="utf-8") != text
    ]
    assert different == [], "write them anew: python -m studies table"
    shown = {path.name for path in (ROOT / "results" / "shown").iterdir()}
    assert shown == set(SHOWN)
