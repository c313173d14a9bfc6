"""The weights that come with the library: each with its provenance and its figures, and these are its own."""

from __future__ import annotations

import json
from pathlib import Path, PurePath

import pytest
import torch

from mp3lib import MP3, data, load_shipped
from mp3lib.evaluate import position_accuracy
from mp3lib.model import pupil_of, puzzler_of, shipped_names
from mp3lib.model.shipped import FOLDER
from mp3lib.train import read_metrics, read_run
from studies import more_scenes
from studies.layers import chosen, stored_layers

EVALUATIONS = Path(__file__).parents[1] / "results" / "evaluations"


@pytest.mark.parametrize("name", shipped_names())
def test_every_model_comes_with_where_it_is_from(name):
    model = load_shipped(name)
    assert not model.training and {p.dtype for p in model.parameters()} == {torch.float32}
    about = read_run(FOLDER / name)
    assert len(about["fingerprint"]) == 32 and about["versions"]["torch"]
    assert not PurePath(about.get("start") or about.get("weights") or "").is_absolute()
    assert read_metrics(FOLDER / name)[-1]["epoch"] == about["settings"]["epochs"]
    for file in ("run.json", "metrics.jsonl"):  # the tables read these of the run
        assert (FOLDER / name / file).read_text() == (EVALUATIONS.parent / "runs" / name / file).read_text()
    card = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    assert about["fingerprint"] in card and f"After epoch {about['settings']['epochs']}:" in card
    figures = json.loads((EVALUATIONS / f"{name}.json").read_text(encoding="utf-8"))
    more = about["data"] == more_scenes.NAME  # measured in training on the same images in another order
    fingerprint = data.load_images("scenes").fingerprint if more else about["fingerprint"]
    assert figures["weights"] == f"mp3lib/weights/{name}" and figures["fingerprint"] == fingerprint
    if isinstance(model, MP3):
        assert figures["chance"] == 1 / model.vit.num_patches
        for ratio, accuracy in read_metrics(FOLDER / name)[-1]["test_accuracy"].items():
            error = 0.005 if more else 0.002  # other contexts; else only half precision
            assert figures["positions"][ratio]["accuracy"] == pytest.approx(accuracy, abs=error)
    else:
        assert figures["top1"] == pytest.approx(read_metrics(FOLDER / name)[-1]["test_top1"], abs=0.002)
        assert figures["pos_emb"] == about["settings"]["pos_emb"]
        assert len(figures["classes"]) == model.linear_head[1].out_features


def test_a_name_that_is_not_there():
    with pytest.raises(ValueError, match="no weights named 'other'; there are: .*pupil-4x4"):
        load_shipped("other")


@pytest.mark.parametrize("images", ["cifar10", "scenes", "holiday"])
def test_there_is_a_student_for_all_images(images):
    assert load_shipped(puzzler_of(images)).vit.grid == (4, 4)
    assert load_shipped(pupil_of(images)).vit.grid == (4, 4)


@pytest.mark.parametrize(("images", "better"), [("cifar10", "pupil"), ("scenes", "puzzler")])
def test_which_student_has_the_better_features_depends_on_the_images(images, better):
    """What the docstring of ``pupil_of`` says, by the best layer of each; see results/README.md."""
    names = {"pupil": pupil_of(images), "puzzler": puzzler_of(images)}
    stored = stored_layers(EVALUATIONS.parent)
    best = {student: chosen(stored[name]["layers"])["linear"] for student, name in names.items()}
    assert max(best, key=best.get) == better
    assert "on scenes they are not" in " ".join(pupil_of.__doc__.split())


@pytest.mark.parametrize("name", ["puzzler-scenes", "pupil-scenes"])
def test_the_figures_of_the_students_of_scenes_are_their_own(name):
    test = data.load_images("scenes").test.images[:500]
    figures = json.loads((EVALUATIONS / f"{name}.json").read_text(encoding="utf-8"))["positions"]
    measured = position_accuracy(load_shipped(name), test, (0.75, 0.0))
    for ratio in (0.75, 0.0):  # 8,000 patches, not all independent
        assert abs(measured[ratio]["accuracy"] - figures[str(ratio)]["accuracy"]) < 0.03
