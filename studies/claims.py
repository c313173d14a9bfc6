"""The paper's two claims, tested on the finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mp3lib.evaluate import Interval

from .markdown import grid, markdown
from .runs import Row, difference, interval, points, top1
from .tables import WITH, WITHOUT, label_counts

LEGEND = (
    "Percentage points; in brackets the 95 % interval of the mean difference over the seeds. **Bold**: the interval "
    "does not contain 0, so the difference counts. With one seed there is no interval."
)


class Claim(NamedTuple):
    """A claim in one setting: the two rows that it compares, their difference for each seed, and its interval."""

    claim: str
    setting: str
    mp3: Row
    scratch: Row
    ahead: Row
    interval: Interval | None  # None for one seed


def weigh_claims(results: str | Path) -> list[Claim]:
    """The paper's claims in every setting that has runs. Only seeds count that both sides have."""
    settings = {
        f"{n:,} labels, same fine-tuning": (f"labels/mp3-{n}", f"labels/scratch-{n}") for n in label_counts(results)
    }
    settings["all labels, same fine-tuning"] = ("cost/mp3-10-and-5", "cost/scratch-5")
    settings["all labels, same total epochs"] = ("cost/mp3-10-and-5", "cost/scratch-15")
    found = []
    for claim, ours, theirs in (
        ("1a: both with position embeddings", WITH, WITH),
        ("1b: both without", WITHOUT, WITHOUT),
        ("2: MP3 without, scratch with", WITHOUT, WITH),
    ):
        for setting, (mp3, scratch) in settings.items():
            rows = top1(results, f"{mp3}-{ours}"), top1(results, f"{scratch}-{theirs}")
            ahead = difference(*rows)
            if ahead.n:
                both = [row.only({*ahead.seeds}) for row in rows]
                found.append(Claim(claim, setting, *both, ahead, interval(*both)))
    return found


def verdict(claim: Claim) -> str:
    if claim.interval is None:
        return "one seed: no interval"
    if not claim.interval.counts:
        return "no"
    return "yes: MP3" if claim.interval.difference > 0 else "yes: scratch"


def seeds_of_claims(results: str | Path) -> list[dict]:
    """The claims as JSON can hold them: how much MP3 is ahead for each seed, and the interval of the mean."""
    return [
        {"claim": t.claim, "setting": t.setting, "ahead": t.ahead.values}
        | (t.interval._asdict() | {"counts": t.interval.counts} if t.interval else {})
        for t in weigh_claims(results)
    ]


def claims(results: str | Path) -> str:
    head = ["claim", "setting", "top-1 (%), MP3", "scratch", "MP3 minus scratch (95 % interval)", "who is ahead?"]
    weighed = weigh_claims(results)
    return markdown(results, head, [[t.claim, t.setting, t.mp3, t.scratch, ahead(t), verdict(t)] for t in weighed])


def findings(results: str | Path) -> str:
    """By how many points MP3 is ahead, a line for each setting and a column for each claim; bold where it counts."""
    weighed = weigh_claims(results)
    if not weighed:
        return ""
    columns = list(dict.fromkeys(t.claim for t in weighed))
    cells = {(t.setting, t.claim): f"**{ahead(t)}**" if t.interval and t.interval.counts else ahead(t) for t in weighed}
    seeds: dict[str, set[str]] = {}
    for t in weighed:
        seeds.setdefault(t.setting, set()).add(str(t.ahead.n))
    lines = [[s, *(cells.get((s, claim), "") for claim in columns), " or ".join(sorted(n))] for s, n in seeds.items()]
    return grid([["MP3 minus scratch, top-1", *columns, "seeds"], *lines]) + "\n\n" + LEGEND


def ahead(claim: Claim) -> str:
    return points(claim.interval) or f"{100 * claim.ahead.mean:+.1f}"
