"""What each cue is worth for predicting positions and for telling classes: the tables of notebook 09.

A difference counts if it exceeds a yardstick: 2.5 times its standard error, half a point at least. The standard error
comes from the trainings that were repeated with other seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import scipy.stats

from .markdown import grid
from .runs import THRESHOLD, Row, row
from .tables import PLAIN as CONTROL
from .tables import RATIOS, placed

Measure = Callable[..., Row]  # measure(results, run)
FROZEN, PLAIN, UNCROPPED = "context/frozen", "cues/plain", "cues/uncropped"
CLEAN, WITH, WITHOUT = "as they are", "with the cue", "without the cue"  # how test images are made
DASH = "\N{EN DASH}"
REPEATED = ["pretraining/10-epochs", "cues/gap-1", "cues/hole-1", FROZEN]  # with several seeds
REPEATED += [f"ratio/{ratio}" for ratio in (0.25, 0.5, 0.75, 0.9)]
SIDE = 8  # pixels of a patch in these runs
PAINTED = {width: f"{SIDE**2 - (SIDE - 2 * width) ** 2} of {SIDE**2} pixels" for width in (1, 2)}  # by a gap
TAKEN = {  # what is taken away: the run and how it is tested, its control and how that is tested
    "nothing (control)": ((CONTROL, CLEAN), (CONTROL, CLEAN)),
    f"centre (hole 1, {PAINTED[1]})": (("cues/hole-1", WITHOUT), (CONTROL, CLEAN)),
    f"edges (gap 1, {PAINTED[1]})": (("cues/gap-1", WITHOUT), ("cues/hole-1", WITHOUT)),
    f"more of the centre (hole 2, {PAINTED[2]})": (("cues/hole-2", WITHOUT), (CONTROL, CLEAN)),
    f"more of the edges (gap 2, {PAINTED[2]})": (("cues/gap-2", WITHOUT), ("cues/hole-2", WITHOUT)),
    "colour": (("cues/grey", WITHOUT), (CONTROL, CLEAN)),
    "brightness, contrast": (("cues/flat", WITHOUT), (CONTROL, CLEAN)),
    "brightness, contrast (no LayerNorm)": (("cues/plain-flat", WITHOUT), (PLAIN, CLEAN)),
}
GIVEN = {"given back: brightness, contrast (no LayerNorm)": ((PLAIN, CLEAN), (CONTROL, CLEAN))}
BROUGHT = {"padding": "cues/padded", "JPEG": "cues/jpeg", "mark": "cues/watermark"}
TESTS = {"padding": (WITH, CLEAN), "JPEG": (WITH, "moved by 4 pixels", "quality 95", CLEAN), "mark": (WITH, CLEAN)}


def probe(results: str | Path, run: str, name: str = "linear", of: str = "weights") -> Row:
    return row(results, run, of, name)


knn = partial(probe, name="knn")


def spread(results: str | Path, measure: Measure) -> tuple[float, int]:
    """The standard deviation over seeds, pooled over the runs that have several, and its degrees of freedom."""
    several = [found for found in (measure(results, run) for run in REPEATED) if found.n > 1]
    freedom = sum(found.n - 1 for found in several)
    return (sum((found.n - 1) * found.spread**2 for found in several) / max(freedom, 1)) ** 0.5, freedom


def yardstick(results: str | Path, measure: Measure, a: Row, b: Row) -> float:
    return max(0.005, THRESHOLD * spread(results, measure)[0] * (1 / a.n + 1 / b.n) ** 0.5)


def told(*rows: Row) -> list[str]:
    return [found.text() or DASH for found in rows]


def points(a: Row, b: Row) -> str:
    """By how many points a is above b."""
    return f"{round(100 * (a.mean - b.mean), 1) + 0.0:+.1f}" if a.n and b.n else DASH  # + 0.0: no "-0.0"


def judged(results: str | Path, a: Row, b: Row, measure: Measure, new: bool = False) -> list[str]:
    """Points that a is above b, and whether that is more than the yardstick; ``new``: marked with a dagger."""
    if not (a.n and b.n):
        return [DASH, "not trained yet"]
    ahead, limit = a.mean - b.mean, yardstick(results, measure, a, b)
    word = "no difference" if abs(ahead) <= limit else "helps" if ahead > 0 else "hurts"
    close = f" (limit {100 * limit:.1f})" if abs(abs(ahead) - limit) < 0.003 else ""
    return [points(a, b) + close, word + " †" * new]


def note(results: str | Path) -> str:
    """The yardsticks of a table."""
    measures = {"positions": placed, "the linear probe": probe, "k-NN": knn}
    spreads = {name: spread(results, measure)[0] for name, measure in measures.items()}
    limits = [f"{max(0.5, 100 * THRESHOLD * 2**0.5 * each):.1f} for {name}" for name, each in spreads.items()]
    luck = 200 * scipy.stats.t.sf(THRESHOLD, max(spread(results, placed)[1], 1))
    limits = f"Yardsticks in points, one seed against one: {', '.join(limits)}"
    return f"\n\nAccuracies in %, ± over n seeds. {limits}; luck alone passes them in {luck:.0f} of 100 cases."


def untrained(results: str | Path) -> list[str]:
    return told(*(probe(results, CONTROL, name, "random init") for name in ("knn", "linear")))


def taken_away(results: str | Path) -> str:
    """What a network places without a cue, and what its features tell."""
    head = ["taken away", "placed right, ratio 0.75", "cost (points)", "placed right, ratio 0", "k-NN", "linear"]
    lines = [[*head, "n", "run", "control"]]
    for name, ((run, tested), (control, cleaned)) in (TAKEN | GIVEN).items():
        found, whole, lone = placed(results, run, images=tested), placed(results, run, "0.0", tested), run == control
        cost = "" if lone else points(placed(results, control, images=cleaned), found)
        figures = [*told(found), cost, *told(whole, knn(results, run), probe(results, run)), str(found.n)]
        lines.append([name, *figures, f"`{run}`", "" if lone else f"`{control}`"])
    lines.append(["untrained network", "", "", "", *untrained(results), "", "", ""])
    return grid(lines) + note(results)


def worth(results: str | Path) -> dict[str, tuple[Row, Row]]:
    """Of each cue that is brought along: position accuracy with it, and what that is compared with."""
    both = {
        n: (placed(results, run, images=WITH), placed(results, run, images=TESTS[n][1])) for n, run in BROUGHT.items()
    }
    return both | {"padding": (both["padding"][0], placed(results, UNCROPPED))}  # a control that does not zoom either


def brought_along(results: str | Path) -> dict[str, dict]:
    """Position accuracy in percent, for each seed, of networks trained with a cue; and the points that it is worth."""
    found = {
        f"{name}: tested {t}": placed(results, BROUGHT[name], images=t) for name, tests in TESTS.items() for t in tests
    }
    found |= {"neither padded nor zoomed": placed(results, UNCROPPED), "nothing (control)": placed(results, CONTROL)}
    accuracies = {name: [100 * value for value in one.values] for name, one in found.items() if one.n}
    return {"accuracies": accuracies, "gains": {name: points(*both) for name, both in worth(results).items()}}


def contexts_and_ratios(results: str | Path) -> str:
    """Networks trained at four mask ratios, and with a frozen context, tested at five ratios."""
    trained = {f"ratio {r}, updated": f"ratio/{r}" for r in (0.25, 0.5, 0.75, 0.9)} | {"ratio 0.75, frozen": FROZEN}
    found = {name: [placed(results, run, r) for r in RATIOS] for name, run in trained.items()}
    best = [max((rows[i].mean for rows in found.values() if rows[i].n), default=None) for i in range(len(RATIOS))]
    lines = [["trained at", *(f"tested at {float(r):g}" for r in RATIOS), "k-NN", "linear", "n"]]
    for name, run in trained.items():
        texts = [
            f"**{one.text()}**" if one.n and one.mean == top else told(one)[0]
            for one, top in zip(found[name], best, strict=True)
        ]
        linear = probe(results, run)
        lines.append([name, *texts, *told(knn(results, run), linear), str(linear.n)])
    lines.append(["untrained network", *[""] * 5, *untrained(results), ""])
    updated = [(found[name][0], probe(results, run)) for name, run in trained.items() if run != FROZEN]
    updated = [(at_0.mean, linear.mean) for at_0, linear in updated if linear.n]
    says = " Bold: best of its column."
    if updated:
        apart = [100 * (max(values) - min(values)) for values in zip(*updated, strict=True)]
        says += f" At ratio 0 the updated networks differ by {apart[0]:.0f} points in placing patches, in the linear "
        says += f"probe by {apart[1]:.1f}" + ": placing better need not be knowing more." * (apart[0] > 5 * apart[1])
    return grid(lines) + note(results) + says


class Case(NamedTuple):
    """What has a cue, or another setting, beside what lacks it."""

    run: str  # where the probes may read images that are new to the network
    tested: str  # the images that ``run`` knows
    control: str
    placed: tuple[Row, Row]  # position accuracy with it, without it
    probed: tuple[Row, Row]


def cases(results: str | Path) -> dict[str, Case]:
    """Everything that gets a verdict, by its name."""
    found = {}
    for name, ((run, tested), (control, cleaned)) in (TAKEN | GIVEN).items():
        sides = (control, cleaned), (run, tested)  # with what is taken from ``run``, and without it
        if name in GIVEN:
            sides = sides[::-1]
        both = tuple(placed(results, r, images=t) for r, t in sides), tuple(probe(results, side[0]) for side in sides)
        found[name] = Case(run, tested, control, *both)
    del found["nothing (control)"]
    for name, run in BROUGHT.items():
        control = UNCROPPED if name == "padding" else CONTROL
        sides = (
            worth(results)[name] if name == "JPEG" else (placed(results, run, images=WITH), placed(results, control))
        )
        found[name] = Case(run, WITH, control, sides, (probe(results, run), probe(results, control)))
    sides = placed(results, CONTROL), placed(results, FROZEN)
    found["updated context"] = Case(FROZEN, CLEAN, CONTROL, sides, (probe(results, CONTROL), probe(results, FROZEN)))
    return found


def is_new(results: str | Path, run: str, tested: str) -> bool:
    """Whether a network places unchanged images worse than its own, by more than the yardstick."""
    known, clean = placed(results, run, images=tested), placed(results, run)
    return bool(known.n) and known.mean - clean.mean > yardstick(results, placed, known, clean)


def verdicts(results: str | Path) -> str:
    """Whether each cue helps or hurts, for positions and for classes, in short and as a table."""
    head = ["with it", "positions, points", "for positions it", "linear, points", "for classes it"]
    lines = [[*head, "n", "run", "control"]]
    for name, case in cases(results).items():
        for_positions = judged(results, *case.placed, placed)
        for_classes = judged(results, *case.probed, probe, is_new(results, case.run, case.tested))
        for_classes[1] += " †" * (case.run == FROZEN)
        seeds = f"{placed(results, case.run).n} / {placed(results, case.control).n}"
        lines.append([name, *for_positions, *for_classes, seeds, f"`{case.run}`", f"`{case.control}`"])

    def those(places: str, *classes: str) -> str:
        """The cues whose two verdicts are these."""
        found = [name for name, _, p, _, c, *_ in lines[1:] if p == places and c in classes and "context" not in name]
        return "; ".join(found) or "nothing"

    says = f"""**In short.** Of help in placing patches,

- and in telling classes, so information: {those("helps", "helps")}
- but not in telling classes, as a shortcut is: {those("helps", "no difference", "hurts")}
- for classes an open question, since the probes read pictures that are new to the network:
  {those("helps", "helps †", "no difference †", "hurts †")}

Padding, JPEG and the mark are not in the pictures that the student learned from; edges and colour are."""
    dagger = " † Read on pictures, or in a way (`frozen`), that are new to the network."
    return says + "\n\nWith minus without:\n\n" + grid(lines) + note(results) + dagger


def edges_and_centres(results: str | Path) -> str:
    """What edge pixels are worth more than as many centre pixels: the difference between a hole and a gap."""
    lines = []
    for width, pixels in PAINTED.items():
        hole, gap = f"cues/hole-{width}", f"cues/gap-{width}"
        if not probe(results, hole).n * probe(results, gap).n:
            continue  # not trained yet
        places = judged(results, placed(results, hole, images=WITHOUT), placed(results, gap, images=WITHOUT), placed)
        linear, votes = (judged(results, m(results, hole), m(results, gap), m) for m in (probe, knn))
        says = {0: "a shortcut, as far as these runs tell", 1: "not decided: the probes disagree"}.get(
            (linear[1] == "helps") + (votes[1] == "helps"), "useful for classes, too"
        )
        of_edges = f"{places[0]} points for positions, {linear[0]} for the linear probe, {votes[0]} for k-NN"
        lines.append(f"- {pixels}: edges rather than centres are worth {of_edges}: {says}")
    return "\n".join(lines)
