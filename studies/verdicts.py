"""What each cue is worth for predicting positions and for telling classes: the tables of notebook 09.

Every difference is a network minus its control: above 0, the network is more accurate. A difference counts if its 95 %
interval does not contain 0 (``runs.interval``): paired over the seeds where both sides have several, else with the
spread of the variants that were trained with several seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mp3lib.data.cues import hole_at_border
from mp3lib.evaluate import Interval, pooled_deviation

from .markdown import grid
from .runs import Row, interval, points, row
from .tables import CONTROL, placed

Measure = Callable[..., Row]  # measure(results, run)
FROZEN, NO_NORM, UNCROPPED = "context/frozen", "cues/plain", "cues/uncropped"
CLEAN, WITH, WITHOUT = "as they are", "with the cue", "without the cue"  # how test images are made
DASH = "\N{EN DASH}"
REPEATED = ["pretraining/10-epochs", "cues/gap-1", "cues/hole-1", FROZEN]  # with several seeds
REPEATED += [f"ratio/{ratio}" for ratio in (0.25, 0.5, 0.75, 0.9)]
SIDE = 8  # pixels of a patch in these runs
PAINTED = {width: f"{SIDE**2 - (SIDE - 2 * width) ** 2} of {SIDE**2} pixels" for width in (1, 2)}  # by a gap
TAKEN = {  # what is taken away: the run and how it is tested, its control and how that is tested
    "nothing (control)": ((CONTROL, CLEAN), (CONTROL, CLEAN)),
    f"middle (hole 1, {PAINTED[1]})": (("cues/hole-1", WITHOUT), (CONTROL, CLEAN)),
    f"borders (gap 1, {PAINTED[1]})": (("cues/gap-1", WITHOUT), ("cues/hole-1", WITHOUT)),
    f"larger middle (hole 2, {PAINTED[2]}, {hole_at_border(SIDE, 2)} at the border)": (
        ("cues/hole-2", WITHOUT),
        (CONTROL, CLEAN),
    ),
    f"wider borders (gap 2, {PAINTED[2]})": (("cues/gap-2", WITHOUT), ("cues/hole-2", WITHOUT)),
    "colour": (("cues/grey", WITHOUT), (CONTROL, CLEAN)),
    "brightness, contrast": (("cues/flat", WITHOUT), (CONTROL, CLEAN)),
    "brightness, contrast (no LayerNorm)": (("cues/plain-flat", WITHOUT), (NO_NORM, CLEAN)),
}
GIVEN = {"brightness and contrast kept (no LayerNorm)": ((NO_NORM, CLEAN), (CONTROL, CLEAN))}
BROUGHT = {"padding": "cues/padded", "JPEG": "cues/jpeg", "mark": "cues/watermark"}
TESTS = {"padding": (WITH, CLEAN), "JPEG": (WITH, "moved by 4 pixels", "quality 95", CLEAN), "mark": (WITH, CLEAN)}


def probe(results: str | Path, run: str, name: str = "linear", of: str = "weights") -> Row:
    return row(results, run, of, name)


knn = partial(probe, name="knn")


def repeated(results: str | Path, measure: Measure) -> list[Row]:
    """One figure of every variant that was trained with several seeds."""
    return [found for found in (measure(results, run) for run in REPEATED) if found.n > 1]


def compared(results: str | Path, measure: Measure, a: Row, b: Row) -> Interval | None:
    """The interval of a - b; None without runs."""
    return interval(a, b, repeated(results, measure))


def difference(results: str | Path, measure: Measure, a: Row, b: Row, new: bool = False) -> str:
    """a - b in points with its interval, bold where it counts; ``new``: marked with a dagger."""
    found = compared(results, measure, a, b)
    if found is None:
        return f"{100 * (a.mean - b.mean):+.1f}" if a.n and b.n else "not trained yet"
    return (f"**{points(found)}**" if found.counts else points(found)) + " †" * new


def told(*rows: Row) -> list[str]:
    return [found.text() or DASH for found in rows]


def note(results: str | Path) -> str:
    """What the numbers of a table are."""
    spreads = []
    for name, measure in {"positions": placed, "the linear probe": probe, "k-NN": knn}.items():
        if groups := repeated(results, measure):
            deviation, freedom = pooled_deviation([found.values for found in groups])
            spreads.append(f"{100 * deviation:.2f} for {name} ({freedom} degrees of freedom)")
    pooled = f" Spread over seeds in points, pooled: {', '.join(spreads)}." if spreads else ""
    return (
        "\n\nAccuracies in %, ± is the sample standard deviation over n seeds. Differences in points, network minus "
        f"control, with 95 % intervals; bold: the interval does not contain 0.{pooled}"
    )


def untrained(results: str | Path) -> list[str]:
    return told(*(probe(results, CONTROL, name, "random init") for name in ("knn", "linear")))


def taken_away(results: str | Path) -> str:
    """What a network places without a cue, and what its features tell."""
    lines = [
        [
            "taken away",
            "placed right, 75\N{NO-BREAK SPACE}% hidden",
            "minus control",
            "0\N{NO-BREAK SPACE}% hidden",
            "k-NN",
            "linear",
            "n",
        ]
    ]
    for name, ((run, tested), (control, cleaned)) in (TAKEN | GIVEN).items():
        found, whole, lone = placed(results, run, images=tested), placed(results, run, "0.0", tested), run == control
        minus = "" if lone else difference(results, placed, found, placed(results, control, images=cleaned))
        lines.append([name, *told(found), minus, *told(whole, knn(results, run), probe(results, run)), str(found.n)])
    lines.append(["untrained network", "", "", "", *untrained(results), ""])
    controls = (
        "The control of borders is the middle with as many pixels. The control of *brightness, contrast (no "
        "LayerNorm)* is the line below it. The control of all others is the first line."
    )
    return grid(lines) + "\n\n" + controls + note(results)


def worth(results: str | Path) -> dict[str, tuple[Row, Row]]:
    """Position accuracy of each network that was trained with a cue: with it, and without it (JPEG: moved blocks)."""
    return {
        n: (placed(results, run, images=WITH), placed(results, run, images=TESTS[n][1])) for n, run in BROUGHT.items()
    }


def brought_along(results: str | Path) -> dict[str, dict]:
    """Position accuracy in percent, for each seed, of networks trained with a cue; and the points that it is worth."""
    words = {CLEAN: WITHOUT, "quality 95": "with quality 95"}
    found = {
        f"{name}: tested {words.get(t, t)}": placed(results, BROUGHT[name], images=t)
        for name, tests in TESTS.items()
        for t in tests
    }
    found |= {"neither padded nor zoomed": placed(results, UNCROPPED), "nothing (control)": placed(results, CONTROL)}
    accuracies = {name: [100 * value for value in one.values] for name, one in found.items() if one.n}
    gains = {name: points(compared(results, placed, *both)) for name, both in worth(results).items()}
    return {"accuracies": accuracies, "gains": gains}


class Case(NamedTuple):
    """A network and its control: what is compared in one line of ``verdicts``."""

    run: str
    tested: str  # the images that ``run`` was trained on
    control: str
    placed: tuple[Row, Row]  # position accuracy of the network, of its control
    probed: tuple[Row, Row]


def cases(results: str | Path) -> dict[str, Case]:
    """Every comparison, by its name."""
    compared = {f"without: {name}": sides for name, sides in TAKEN.items() if "control" not in name} | GIVEN
    compared |= {
        f"with: {name}": ((run, WITH), (UNCROPPED if name == "padding" else CONTROL, CLEAN))
        for name, run in BROUGHT.items()
    }
    compared["static context"] = ((FROZEN, CLEAN), (CONTROL, CLEAN))
    found = {}
    for name, ((run, tested), (control, cleaned)) in compared.items():
        places = placed(results, run, images=tested), placed(results, control, images=cleaned)
        found[name] = Case(run, tested, control, places, (probe(results, run), probe(results, control)))
    found["with: JPEG"] = found["with: JPEG"]._replace(placed=worth(results)["JPEG"])  # blocks in place, or moved by 4
    return found


def is_new(results: str | Path, run: str, tested: str) -> bool:
    """Whether a network places unchanged images worse than those that it was trained on."""
    found = compared(results, placed, placed(results, run, images=tested), placed(results, run))
    return found is not None and found.low > 0


def verdicts(results: str | Path) -> str:
    """What each cue is worth for positions and for classes; "" before the control is trained."""
    if not placed(results, CONTROL).n:
        return ""
    lines = [["network", "positions, minus control", "linear probe, minus control", "n", "run", "control"]]
    for name, case in cases(results).items():
        for_positions = difference(results, placed, *case.placed)
        new = case.run == FROZEN or is_new(results, case.run, case.tested)
        for_classes = difference(results, probe, *case.probed, new)
        seeds = f"{placed(results, case.run).n} / {placed(results, case.control).n}"
        control = f"`{case.control}`"
        if name == "with: JPEG":
            control = f"positions: `{case.run}`, blocks {TESTS['JPEG'][1]}; probe: {control}"
        lines.append([name, for_positions, for_classes, seeds, f"`{case.run}`", control])
    dagger = " † The probe reads unchanged images, which this network was not trained on; or, for the static context, "
    return grid(lines) + note(results) + dagger + "tokens that attend in a way that it was not trained on."


def borders_and_middles(results: str | Path) -> str:
    """Border pixels against as many in the middle: a network without borders (gap) minus one without middles (hole)."""
    lines = [["pixels painted grey", "positions, gap minus hole", "linear probe", "k-NN"]]
    for width, pixels in PAINTED.items():
        gap, hole = f"cues/gap-{width}", f"cues/hole-{width}"
        if probe(results, hole).n and probe(results, gap).n:  # else not trained yet
            places = (placed(results, run, images=WITHOUT) for run in (gap, hole))
            probes = (difference(results, m, m(results, gap), m(results, hole)) for m in (probe, knn))
            lines.append([pixels, difference(results, placed, *places), *probes])
    return grid(lines) + "\n\nDifferences in points, with 95 % intervals as above."
