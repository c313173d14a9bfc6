"""The paper's two claims, tested on the finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .markdown import grid, markdown
from .runs import THRESHOLD, Row, difference, top1, verdict
from .tables import WITH, WITHOUT, label_counts


class Claim(NamedTuple):
    """A claim in one setting: the two rows it compares, and by how much the first is ahead, seed by seed."""

    claim: str
    setting: str
    mp3: Row
    scratch: Row
    ahead: Row


def weigh_claims(results: str | Path) -> list[Claim]:
    """The paper's claims in every setting that has runs; ``verdict(claim.ahead)`` says whether one holds there.

    Only seeds count that both sides have.
    """
    settings = {
        f"{n:,} labels, equal fine-tuning": (f"labels/mp3-{n}", f"labels/scratch-{n}") for n in label_counts(results)
    }
    settings["all labels, equal fine-tuning"] = ("cost/mp3-10-and-5", "cost/scratch-5")
    settings["all labels, equal epochs in all"] = ("cost/mp3-10-and-5", "cost/scratch-15")
    found = []
    for claim, ours, theirs in (
        ("1a: pretraining helps, with positions", WITH, WITH),
        ("1b: the same without positions", WITHOUT, WITHOUT),
        ("2: without them, MP3 beats scratch with", WITHOUT, WITH),
    ):
        for setting, (mp3, scratch) in settings.items():
            rows = top1(results, f"{mp3}-{ours}"), top1(results, f"{scratch}-{theirs}")
            ahead = difference(*rows)
            if ahead.n:
                found.append(Claim(claim, setting, *(row.only({*ahead.seeds}) for row in rows), ahead))
    return found


def seeds_of_claims(results: str | Path) -> list[dict]:
    """The claims as JSON can hold them: how much MP3 is ahead for each seed, and the verdict."""
    return [
        {"claim": t.claim, "setting": t.setting, "ahead": t.ahead.values, "verdict": verdict(t.ahead)}
        for t in weigh_claims(results)
    ]


def claims(results: str | Path) -> str:
    head = ["claim", "setting", "top-1 (%), MP3", "scratch", "MP3 ahead by", f"more than {THRESHOLD} spreads?"]
    weighed = weigh_claims(results)
    return markdown(results, head, [[t.claim, t.setting, t.mp3, t.scratch, t.ahead, verdict(t.ahead)] for t in weighed])


def findings(results: str | Path) -> str:
    """By how many points MP3 is ahead, a line a setting and a column a claim; bold where ``verdict`` says it counts.

    Below it the same in words.
    """
    weighed = weigh_claims(results)
    if not weighed:
        return ""
    columns = list(dict.fromkeys(t.claim for t in weighed))
    cells = {(t.setting, t.claim): points(t.ahead) for t in weighed}
    seeds: dict[str, set[str]] = {}
    for t in weighed:
        seeds.setdefault(t.setting, set()).add(str(t.ahead.n))
    lines = [[s, *(cells.get((s, claim), "") for claim in columns), " or ".join(sorted(n))] for s, n in seeds.items()]
    legend = (
        f"**Bold**: more than {THRESHOLD} times the spread over the seeds (±), which luck alone passes in 5 of 100 "
        "cases with three seeds, in 18 with two. Starred: one seed, not judged."
    )
    table = grid([["points of top-1 that MP3 is ahead", *columns, "seeds"], *lines])
    return "\n\n".join([table, legend, in_words(weighed)])


def in_words(weighed: Sequence[Claim]) -> str:
    """A line for each claim: where it holds, where the opposite does, and where that is not known."""
    words = {
        "yes": "MP3 is ahead",
        "no: the opposite": "scratch is ahead",
        "no": "cannot be told apart",
        "one seed: not judged": "one seed only",
    }
    lines = []
    for claim in dict.fromkeys(t.claim for t in weighed):
        where: dict[str, list[str]] = {}
        for t in weighed:
            if t.claim == claim:
                where.setdefault(words[verdict(t.ahead)], []).append(t.setting)
        told = [f"{word} with {' · '.join(where[word])}" for word in words.values() if word in where]
        lines.append(f"- *{claim}*: {'; '.join(told)}.")
    return "\n".join(lines)


def points(ahead: Row) -> str:
    """A difference in percentage points with its sign and spread: **+5.9 ± 0.4** where it counts, +5.9* of one seed."""
    text = f"{100 * ahead.mean:+.1f}"
    if ahead.n < 2:
        return text + "\\*"
    text += f" ± {100 * ahead.spread:.1f}"
    return text if verdict(ahead) == "no" else f"**{text}**"
