"""The files made from results: results/README.md, results/shown for the notebooks, and the cards of what ships."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mp3lib.json_files import write_text

from . import claims, layers, provenance, scaling, ship, shipped_tables, tables, verdicts
from .markdown import THE_RUNS

SECTIONS: dict[str, tuple[str, Callable[[str | Path], str]]] = {
    "When it pays, and when not": (
        "Points of top-1 on CIFAR-10's test images by which MP3, fine-tuned, is ahead of training from scratch. *Same "
        "fine-tuning*: as many epochs over the labelled images for both; MP3's ten epochs before that, over all images "
        "without their labels, are not counted. *Same total epochs*: these ten epochs are counted. "
        "[More](#the-papers-two-claims).",
        claims.findings,
    ),
    "Position accuracy of the shipped weights": (
        "*Each patch for itself*: the most probable place of each patch. *Hungarian*: the most probable arrangement "
        "that uses each place once.",
        shipped_tables.positions,
    ),
    "The shipped flagship beside a published curve": (
        "The published curve is that of a ViT-S, twenty times as large, after 362 epochs at ratio .75 (arshadshk, "
        "Position-Prediction-Pretraining, read off a plot). Its images are others, and its evaluation is at best "
        "indicative. [Size and length](#size-and-length) estimates what it would take.",
        shipped_tables.published,
    ),
    "What the shipped flagship uses": (
        "The accuracy jumped when the training changed, which may mean that the model uses a shortcut. So the same "
        "weights are tested on test images that lack a cue. The model does not use a pattern that is fixed to pixels, "
        "such as a mark or the grid of a compression: with every patch seen, it is about as good if every image is a "
        "box of its own, and on any compression grid. Notebook 09 does the same with the small model, and trains "
        "without each cue.",
        shipped_tables.by_cue,
    ),
    "The shipped classifier": (
        "The ViT of the flagship's first 40 epochs on the 8 x 8 grid, fine-tuned on all labels (`python -m studies "
        "stages classifier`). Its learning rates were chosen on images kept apart, for a smaller model. "
        "`classifier-8x8-second` was added when the stage before had been tested, and fell short of 88 %. The last "
        "stage is longer and distorts the images more, the change that was worth most [with few "
        "labels](#regularisation). Its length and strength were not tuned. The best published accuracy that we know of "
        "for a ViT of about this size is 90.6 %: 0.82 million weights, from scratch, 200 epochs, relative position "
        "embeddings (s-chh, 2D-Positional-Encoding-Vision-Transformer). This one has 1.2 million.",
        shipped_tables.classifiers,
    ),
    "Equal cost": (
        "All labels. MP3's ten epochs need none of them. The first line has as many epochs of fine-tuning as MP3, the "
        "third takes about as long as MP3 with its fine-tuning, the last has as many epochs in all. *Processor time*: "
        "in epochs of fine-tuning. An epoch of MP3 sends fewer tokens through the network, so it is shorter "
        "(`python benchmarks/equal_time.py`).",
        tables.costs,
    ),
    "Few labels": (
        "The same labelled images for the same number of epochs, from random weights and from ten epochs of MP3 on all "
        "images. Only the last line counts these ten epochs.",
        tables.fractions,
    ),
    "The paper's two claims": (
        "The paper says that pretraining helps, and that MP3 without position embeddings is better than training from "
        "scratch with them. Differences are paired over the seeds, with 95 % intervals (Student's t, two degrees of "
        "freedom for three seeds). A difference counts when its interval does not contain 0. If all 15 differences "
        "were 0, about one would still count by chance.",
        claims.claims,
    ),
    "The paper's figures beside ours": (
        "The paper has other data and a larger model, pretrained far longer. So compare signs, not sizes.",
        tables.paper,
    ),
    "Frozen features": (
        "Probes do not change the weights. The controls are the same network with random weights, and no network. On "
        "CIFAR-10; `puzzler-scenes` and `pupil-scenes` on scenes. The probes of shipped networks learn from all "
        "training images, all others from 45,000. So the next table, which has 45,000 for every network, differs a "
        "little.",
        tables.probes,
    ),
    "Which layer knows most": (
        "The last layer of MP3 is specialised in predicting positions. By the linear probe on CIFAR-10, the layer "
        "before it has the better features, and leaving out the position embeddings, which MP3 never saw, makes them "
        "better still. All other tables have the features after the last layer, with position embeddings.",
        layers.by_layer,
    ),
    "Length of pretraining": (
        "Position accuracy at mask ratio .75. Each length is a training of its own, down to learning rate 0, then "
        "fine-tuned with positions.",
        tables.lengths,
    ),
    "Static and updated context": (
        "Position accuracy on test images at five mask ratios, then probes of the frozen features.",
        tables.contexts,
    ),
    "Mask ratio": (
        "The ratio trained at (lines) and tested at (columns), then probes of the frozen features.",
        tables.ratios,
    ),
    "What is hidden decides what is learned": (
        "A network that sees nearly everything in training solves the puzzle best; one that sees little has the better "
        "features. Position accuracy and whole images on test images; probes of frozen features; fine-tuning on 1,000 "
        "and on 5,000 labels. No LayerNorm on the pixels of a patch unless said. *The reference recipe* is that of "
        "`--recipe reference`: LayerNorm on pixels, static context, AdamW, batches of 256, queries from every hidden "
        "patch.",
        tables.hidden,
    ),
    "What these networks use": (
        "The same networks with everything in sight, tested on images that lack a cue: `gap-1` has a grey line of one "
        "pixel along the border of every patch, `hole-1`, the placebo, as many grey pixels in the middle of every "
        "patch; `grey` has no colours; in `flat` every patch is equally bright, of equal contrast.",
        tables.hidden_cues,
    ),
    "Cues": (
        "Cues that may reveal positions are removed from the training images or added to them, beside the controls "
        "(mp3lib/data/cues.py says how). Measured on unchanged test images and on test images as the name says.",
        tables.cues,
    ),
    "What each cue is worth": (
        "The difference to the control, in position accuracy and in the linear probe, with its 95 % interval.",
        verdicts.verdicts,
    ),
    "A grid of 8 x 8": (
        "What makes 64 positions learnable: a ViT of dim 128 and 6 layers, where a quarter of the hidden patches gives "
        "queries. Each line says what its recipe changes. *Tokens*: those of the context and of the queries, over all "
        "steps; the computing time follows their number. The recipes are compared by these test images, and the recipe "
        "of `flagship-8x8-second` was chosen so. Its accuracies on them are therefore slightly optimistic.",
        tables.fine,
    ),
    "Regularisation": (
        "What is added to fine-tuning after MP3 (10 epochs) on 5,000 labels with position embeddings, 30 epochs: one "
        "thing at a time, then all.",
        tables.regularised,
    ),
    "How to go on": (
        "Two epochs more from the weights of `flagship-8x8-second`. Measured on 5,000 training images kept apart. The "
        "weights had been trained on these images before. The flagship's last stages follow from this: few patches "
        "hidden, no crops and a lower learning rate; then a ratio drawn anew for each batch, because a model trained "
        "with few patches hidden gets worse with many hidden. Their rates and lengths were not tuned, and the test "
        "images played no part.",
        tables.further,
    ),
    "How the puzzler goes on": (
        "Two epochs more from the weights of `puzzler-4x4-first`, learning rate 0.001. Measured on 5,000 training "
        "images kept apart. The weights had been trained on these images before, and the test images played no part. "
        "The last stage of the puzzler follows from this: no crops, and few patches hidden. The second table shows "
        "what this stage gave, and what it cost where many patches are hidden. The puzzler of scenes went on with "
        "five times as many images, painted with another seed (`studies/more_scenes.py`): it is better at every mask "
        "ratio. Each line is measured on the test images of its set; those of more-scenes are those of scenes.",
        shipped_tables.puzzler_by_stage,
    ),
    "Size and length": (
        "What a larger network and a longer training are worth on the 8 x 8 grid: mask ratio .25, queries from a "
        "quarter of the hidden patches, batches of 128, learning rate 0.002, no LayerNorm on the pixels of a patch, 6 "
        "layers. Each length is a training of its own. Measured on 5,000 training images kept apart.",
        scaling.sizes,
    ),
    "Learning rates": (
        "Measured on 5,000 training images kept apart; the test images played no part. The best rate of each column is "
        "that of the other tables.",
        tables.rates,
    ),
    "The runs": (
        "The runs behind the tables: `results/runs/RUN/seed-S` has settings (`run.json`), log (`metrics.jsonl`) and "
        "figures (`scores.json`).",
        provenance.the_runs,
    ),
}
SHOWN: dict[str, Callable[[str | Path], Any]] = {  # text, or what a file of JSON holds; see mp3lib.results.stored
    "equal_cost.md": tables.costs,
    "what_is_hidden.json": tables.hidden_models,
    "students.json": shipped_tables.students,
    "when_it_pays.md": claims.findings,
    "layers.json": layers.stored_layers,
    "few_labels.json": tables.seeds_of_fractions,
    "claims.json": claims.seeds_of_claims,
    "cues_taken_away.md": verdicts.taken_away,
    "cues_brought_along.json": verdicts.brought_along,
    "borders_and_middles.md": verdicts.borders_and_middles,
}


def report(results: str | Path) -> str:
    """What results/README.md holds: every table that has runs."""
    parts = [
        "# Results",
        "Made by `python -m studies table` from the logs in this folder; `table --check` fails where they differ. "
        "Change nothing by hand. The runs are those of `python -m studies train` (`make train`); for what ships, those "
        "of `python -m studies stages` and `mp3lib/weights/NAME/run.json`.",
    ]
    for title, (text, made) in SECTIONS.items():
        if table := made(results):
            parts += [f"## {title}", text, table.replace(THE_RUNS, "[The runs](#the-runs)")]
    return "\n\n".join(parts) + "\n"


def made_files(root: str | Path) -> dict[Path, str]:
    """The files of a clone that are made from its results and weights, and what each should hold now."""
    results = Path(root) / "results"
    files = {results / "README.md": report(results)}
    for name, made in SHOWN.items():
        content = made(results)
        files[results / "shown" / name] = content if name.endswith(".md") else json.dumps(content, indent=1) + "\n"
    for weights in sorted((Path(root) / "mp3lib" / "weights").glob("*/model.safetensors")):
        files[weights.with_name(ship.CARD)] = ship.card(weights.parent, weights.parent.name)
    return files


def write_made_files(root: str | Path, check: bool = False) -> list[str]:
    """Write every made file anew that differs; the names of those.

    Raises:
        ValueError: with ``check``, if there are such files; nothing is written then.
    """
    files = made_files(root)
    old = {path: path.read_text(encoding="utf-8") if path.exists() else None for path in files}
    changed = [path for path in files if files[path] != old[path]]
    names = [path.relative_to(root).as_posix() for path in changed]
    if check and names:
        raise ValueError(f"{', '.join(names)} differ from what results/ say; python -m studies table writes them anew")
    for path in changed:
        write_text(path, files[path])
    return names
