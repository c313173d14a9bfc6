"""The files that hold tables: README.md, in its made part, and results/README.md."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .claims import claims, findings
from .markdown import THE_RUNS
from .provenance import the_runs
from .shipped_tables import by_cue, classifiers, positions, published
from .tables import contexts, costs, cues, fine, fractions, further, lengths, paper, probes, rates, ratios, regularised

BEGIN, END = "<!-- made by python -m mp3lib table -->\n", "<!-- end of what is made -->\n"


SECTIONS: dict[str, tuple[str, Callable[[str | Path], str]]] = {
    "When it pays, and when not": (
        "Points of top-1 on CIFAR-10's test images by which MP3, fine-tuned, is ahead of training from scratch. *Equal "
        "fine-tuning*: as many epochs over the labelled images for both; MP3's ten epochs before that, over all images "
        "without their labels, are not counted. *Equal epochs in all*: they are. [More](#the-papers-two-claims).",
        findings,
    ),
    "Position accuracy of the shipped weights": (
        "*Each patch for itself*: the most probable place of each patch. *Hungarian*: the most probable arrangement "
        "that uses each place once.",
        positions,
    ),
    "The shipped flagship beside a published curve": (
        "The curve that it aims at is that of a ViT-S, twenty times as large, after 362 epochs at ratio .75 "
        "(arshadshk, Position-Prediction-Pretraining, read off a plot; other images, and an evaluation that is at "
        "best indicative).",
        published,
    ),
    "What the shipped flagship goes by": (
        "An accuracy that jumps when a training changes is a suspect. So: the same weights on test images that lack a "
        "cue. Without what the borders of patches show next to nothing is left. A pattern fixed to pixels, such as a "
        "mark or compression leave, is not what it goes by: with every patch seen it does about as well where every "
        "picture is a box of its own, and on any compression grid. Notebook 08 does the same with the small model, "
        "and trains without each cue.",
        by_cue,
    ),
    "The shipped classifier": (
        "The ViT of the flagship's first 40 epochs on the 8 x 8 grid, fine-tuned on all labels (`tools/flagship.py`). "
        "Its learning rates were chosen on images kept apart, for a smaller model; augmentation was not tuned. The "
        "last six epochs were added when the stage before had been tested, and fell short of 88 %.",
        classifiers,
    ),
    "Equal cost": (
        "All labels. MP3's ten epochs need none of them. The first line has as many epochs of fine-tuning as MP3, the "
        "last as many epochs in all.",
        costs,
    ),
    "Few labels": (
        "The same labelled images for the same number of epochs, from random weights and from ten epochs of MP3 on all "
        "images, which are not counted but in the last line.",
        fractions,
    ),
    "The paper's two claims": (
        "Pretraining helps; without position embeddings it even beats training from scratch with them. Differences are "
        "taken seed by seed. *Yes*: their mean is more than 2.5 times their spread. With three seeds luck alone does "
        "that 5 times in 100, with two 18 times; of up to 15 comparisons one *yes* may well be luck. One seed is not "
        "judged.",
        claims,
    ),
    "The paper's figures beside ours": (
        "Other data and a larger model, pretrained far longer: compare signs, not sizes.",
        paper,
    ),
    "Frozen features": (
        "Probes: the weights stay as they are. The controls: the same network with random weights, and no network.",
        probes,
    ),
    "Length of pretraining": (
        "Position accuracy at mask ratio .75. Each length is a training of its own, down to learning rate 0, then "
        "fine-tuned with positions.",
        lengths,
    ),
    "Frozen and updated context": (
        "Position accuracy on test images at five mask ratios, then probes of the frozen features.",
        contexts,
    ),
    "Mask ratio": ("The ratio trained at (lines) and tested at (columns), then probes of the frozen features.", ratios),
    "Cues": (
        "What may give positions away, taken from the training images or planted in them, and the controls "
        "(mp3lib/cues.py says how); measured on test images as they are and as the name says.",
        cues,
    ),
    "A grid of 8 x 8": (
        "What makes positions learnable where there are 64 of them: a ViT of dim 128 and 6 layers, a quarter of the "
        "hidden patches asked; what a recipe changes is in its line. *Tokens*: those of the context and those that are "
        "asked, over all steps; computing goes with them. Recipes are compared by these test images, and so was chosen "
        "what the flagship does in `flagship-8x8-second`: its figures on them are a little too good to be true.",
        fine,
    ),
    "Regularisation": (
        "What is added to fine-tuning after MP3 (10 epochs) on 5,000 labels with position embeddings, 30 epochs: one "
        "thing at a time, then all.",
        regularised,
    ),
    "How to go on": (
        "Two epochs more from the weights of `flagship-8x8-second`. Measured on 5,000 training images kept apart, "
        "though not from what these weights had been trained on before. The flagship's last stages follow from this: "
        "little hidden, no crops and a lower rate, then ratios drawn anew for each batch, since little hidden alone "
        "makes it worse where much is hidden. Their rates and lengths were not tuned, and test images played no part.",
        further,
    ),
    "Learning rates": (
        "Measured on 5,000 training images kept apart; the test images played no part. The best of each way trains the "
        "other tables.",
        rates,
    ),
    "The runs": (
        "What is behind the tables: `results/runs/RUN/seed-S` has settings (`run.json`), log (`metrics.jsonl`) and "
        "figures (`scores.json`).",
        the_runs,
    ),
}


def report(results: str | Path) -> str:
    """What results/README.md holds: every table that has runs."""
    parts = [
        "# Results",
        "Made by `python -m mp3lib table` from the logs in this folder; `table --check` fails where they differ. "
        "Change nothing by hand. The runs are those of `tools/studies.py` (`make train`); for what ships, those of "
        "`tools/flagship.py` and `mp3lib/weights/NAME/run.json`.",
    ]
    for title, (text, made) in SECTIONS.items():
        if table := made(results):
            parts += [f"## {title}", text, table.replace(THE_RUNS, "[The runs](#the-runs)")]
    return "\n\n".join(parts) + "\n"


def with_tables(text: str, results: str | Path) -> str:
    """The README's text with its made part replaced by what the results say now.

    Raises:
        ValueError: if the marks around the made part are missing.
    """
    if BEGIN not in text or END not in text:
        raise ValueError(f"the README lacks the lines {BEGIN.strip()!r} and {END.strip()!r}")
    before, rest = text.split(BEGIN, 1)
    tables = findings, lambda results: positions(results, "student-4x4"), classifiers, fractions
    made = "\n\n".join(filter(None, (table(results) for table in tables)))
    made = made.replace(THE_RUNS, "[The runs](results/README.md#the-runs)")
    return before + BEGIN + made + "\n" + END + rest.split(END, 1)[1]


def made_files(root: str | Path) -> dict[Path, str]:
    """The files of a clone that hold tables, and what each should hold now.

    Raises:
        ValueError: if ``root`` has no README.md, or one without the marks.
    """
    readme, results = Path(root) / "README.md", Path(root) / "results"
    if not readme.exists():
        raise ValueError(f"there is no README.md in {root}: tables are made in a clone of the project")
    return {readme: with_tables(readme.read_text(encoding="utf-8"), results), results / "README.md": report(results)}
