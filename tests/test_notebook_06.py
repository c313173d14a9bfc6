"""What notebook 06 defines, against the library; and the numbers in its text, against the results."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from notebook_code import cells, definitions, prose

from mp3lib.evaluate import knn_top1, linear_top1
from mp3lib.model import pupil_of, puzzler_of
from mp3lib.train import read_metrics, read_run
from studies.claims import weigh_claims
from studies.plan import AS_LONG
from studies.runs import top1
from studies.tables import PAPER

NOTEBOOK = definitions("06")


def clusters(n: int, m: int, d: int, classes: int, seed: int):
    """Random features in overlapping clusters, (n, d) and (m, d), with their labels."""
    draw = torch.Generator().manual_seed(seed)
    y, z = (
        torch.cat([torch.arange(classes), torch.randint(0, classes, (k - classes,), generator=draw)]) for k in (n, m)
    )
    centres = torch.randn(classes, d, generator=draw)
    return (*(centres[t] + torch.randn(len(t), d, generator=draw) for t in (y, z)), y, z)


@pytest.mark.parametrize(("n", "m", "d", "classes", "k"), [(60, 30, 5, 3, 1), (200, 40, 16, 10, 7), (30, 20, 3, 2, 99)])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_votes_of_neighbours(n, m, d, classes, k, temperature):
    train_features, test_features, y, z = clusters(n, m, d, classes, seed=n)
    answers = NOTEBOOK["knn"](train_features, y, test_features, k, temperature)
    one_by_one = []
    for x in F.normalize(test_features, dim=1):
        cosines, votes = F.normalize(train_features, dim=1) @ x, [0.0] * (int(y.max()) + 1)
        for i in cosines.argsort(descending=True)[:k]:
            votes[y[i]] += float((cosines[i] / temperature).exp())
        one_by_one.append(votes.index(max(votes)))
    assert answers.tolist() == one_by_one
    theirs = knn_top1(train_features, y, test_features, z, k=k, temperature=temperature)
    assert (answers == z).float().mean().item() == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize(("n", "d", "classes", "seed"), [(120, 8, 3, 0), (700, 4, 5, 1)])
def test_linear_probe(n, d, classes, seed):
    train_features, test_features, y, z = clusters(n, 90, d, classes, seed)
    data = train_features, y, test_features, z
    for weight_decay in (0.0, 1.0):
        ours = NOTEBOOK["linear_probe"](*data, weight_decay, epochs=4, seed=seed)
        assert ours == linear_top1(*data, weight_decays=(weight_decay,), epochs=4, seed=seed)


# --- the numbers in the text ------------------------------------------------------------------------------------------

RESULTS = Path(__file__).resolve().parents[1] / "results"


def percent(variant: str) -> str:
    return f"{100 * top1(RESULTS, variant).mean:.1f}"


def stored_text(name: str) -> str:
    return (RESULTS / name).read_text(encoding="utf-8")


def stored(name: str) -> dict:
    return json.loads(stored_text(name))


PROSE = prose("06")


def ahead(claim: str, setting: str):
    """The interval of a claim in one setting, in points."""
    [found] = [t for t in weigh_claims(RESULTS) if t.claim.startswith(claim) and t.setting == setting]
    return found.interval


def in_points(claim: str, setting: str) -> float:
    return 100 * ahead(claim, setting).difference


def without_positions(name: str) -> list[dict]:
    """The probes of a network after each layer, without position embeddings."""
    return [one for one in stored("shown/layers.json")[name]["layers"] if one["positions"] == "without"]


def fragments() -> list[str]:
    """What the text says of stored results, made from them."""
    same, total = "labels, same fine-tuning", "all labels, same total epochs"
    pupil, puzzler = (stored(f"probes/{name('cifar10')}.json")["weights"] for name in (pupil_of, puzzler_of))
    before_last = [100 * without_positions(name("cifar10"))[-2]["linear"] for name in (pupil_of, puzzler_of)]
    gains = [in_points(c, f"{n} {same}") for c in ("1a", "1b") for n in ("500", "1,000", "5,000", "all")]
    mp3, scratch = (PAPER[name][0] for name in ("MP3, without", "from scratch, with absolute positions"))
    classifier = stored("evaluations/classifier-8x8.json")["top1"]
    before, from_scratch = (
        100 * read_metrics(RESULTS / "runs" / f"{name}-8x8-second")[-1]["test_top1"]
        for name in ("classifier", "scratch")
    )
    epochs = [
        read_run(RESULTS / "runs" / f"classifier-{stage}")["settings"]["epochs"]
        for stage in ("6x6", "8x8-first", "8x8-second", "8x8")
    ]
    scratch_5, scratch_15, ours = (percent(f"cost/{name}-pos") for name in ("scratch-5", "scratch-15", "mp3-10-and-5"))
    as_long = percent(f"cost/scratch-{AS_LONG}-pos")
    stronger = [in_points("2", f"{n} {same}") for n in ("500", "1,000")]
    return [
        "With the same total number of epochs, training from scratch is better "
        f"({scratch_15} against {ours} %). With the same number of fine-tuning epochs, MP3 is better ({ours} against "
        f"{scratch_5} %).",
        f"With about the same processor time, training from scratch is better ({as_long} against {ours} %).",
        "After layer 3, the probe reaches {:.1f} % with the pupil and {:.1f} % with the puzzler.".format(*before_last),
        f"there it is {100 * pupil['linear']:.1f} % and {100 * puzzler['linear']:.1f} %.",
        f"in every row of the first two columns, by {min(gains):.1f} to {max(gains):.1f} points",
        f"scratch is ahead by {-in_points('1a', total):.1f} points with position embeddings and by "
        f"{-in_points('1b', total):.1f} points without",
        "with 500 and 1,000 labels ({:+.1f} and {:+.1f} points)".format(*stronger),
        f"ahead on CIFAR-100, {mp3} against {scratch} %",
        "5, 10 and 20 epochs of MP3 give {}, {} and {} %".format(
            *map(percent, ("length/5-epochs-pos", "labels/mp3-5000-pos", "length/20-epochs-pos"))
        ),
        f"After {sum(epochs[:3])} epochs it reached {before:.1f} %, and the same fine-tuning from random weights "
        f"{from_scratch:.1f} % (one seed each). After {epochs[3]} more, it reaches {100 * classifier:.1f} %.",
        f"it is ahead by {in_points('1a', f'all {same}'):.1f} points with all labels and by "
        f"{in_points('1a', f'500 {same}'):.1f} with 500 labels",
        f"with all labels it is behind by {-in_points('1a', total):.1f} points",
    ]


def test_the_numbers_in_the_text_are_those_of_the_results():
    text = PROSE
    assert [fragment for fragment in fragments() if fragment not in text] == []


def test_what_the_text_says_of_intervals():
    """Every difference of the first two columns counts; in the third, that of 5,000 labels does not."""
    counted = {(t.claim[:2].strip(":"), t.setting): t.interval for t in weigh_claims(RESULTS)}
    undecided = [key for key, interval in counted.items() if not interval.counts]
    assert undecided == [("2", "5,000 labels, same fine-tuning")]
    behind = [setting for (claim, setting), interval in counted.items() if claim == "2" and interval.high < 0]
    assert behind == ["all labels, same fine-tuning", "all labels, same total epochs"]


def test_the_layer_before_the_last_has_the_best_features_after_mp3():
    """By the images kept apart, which chose it, and by the test images; with the pupil ahead after every layer."""
    pupil, puzzler = (without_positions(name("cifar10")) for name in (pupil_of, puzzler_of))
    for layers in (pupil, puzzler):
        for kind in ("kept_apart", "linear", "knn"):
            assert max(layers, key=lambda one, kind=kind: one[kind])["layer"] == len(layers) - 1 == 3
    assert all(known["linear"] > puzzle["linear"] for known, puzzle in zip(pupil, puzzler, strict=True))


@pytest.mark.parametrize("name", ["equal_cost", "when_it_pays"])
def test_the_stored_tables_are_those_of_the_results(name):
    shown = [o.data["text/markdown"] for cell in cells("06") for o in cell.get("outputs", []) if "data" in o
             and "text/markdown" in o.data]  # fmt: skip
    assert stored_text(f"shown/{name}.md") in shown, "store it with: make notebooks"


def test_the_processor_time_in_the_text_is_that_of_the_table():
    table = stored_text("shown/equal_cost.md")
    [row] = re.findall(r"\| MP3, then fine-tuned \| (\d+) \+ (\d+) \| ([\d.]+) \|", table)
    said = "So {} epochs of MP3 and {} of fine-tuning take as long as {} epochs on labels.".format(*row)
    assert said in PROSE


def test_all_labels_are_those_of_the_images_that_the_runs_had():
    page = stored_text("README.md")
    runs = re.findall(r"^\| `cost/\S+-pos` \| .*? \| ([\d,]+) training images", page, re.MULTILINE)
    [size] = set(runs)
    others = 50_000 - int(size.replace(",", ""))
    assert f"*All labels*: those of {size} training images." in PROSE
    assert f"with {others:,} other training images." in PROSE
    assert f"Measured on {others:,} training images kept apart" in page
