"""What each checker of the exercises says of right and wrong answers, and a table of the mistakes by exercise.

python tools/checkers.py [name ...]  # every answer with its sentence, then the table; names choose exercises
python tools/checkers.py --out       # write the table to results/checkers.md
python tools/checkers.py --check     # exit with an error if results/checkers.md differs
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import exercise_answers

from mp3lib import checks
from mp3lib.checks.harness import verdict
from mp3lib.json_files import write_text

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "results" / "checkers.md"

# sentences that say only that the values are wrong; every other sentence says what is wrong in the code or its result
VALUES_ONLY = re.compile(
    r"the values are wrong; the first|it returns \S+ instead of \S+ when"
    r"|it does not lead \S+ to the right and \S+ down|the weights are right, but the logits are not"
    r"|the right neighbour is among the five best in|the features have \d+ different values"
)
KINDS = ("named", "unnamed", "wrongly named", "wrongly passed")
TITLE = """# What the checkers say of mistakes

Each exercise of the notebooks has a checker. This table counts what the checkers say of wrong answers, and of other
right answers than the solution. The answers are in `tests/exercise_answers/`.

- *Named*: the sentence says what is wrong.
- *Unnamed*: the sentence says only that the values are wrong.
- *Wrongly named*: the sentence is about another mistake.
- *Wrongly passed*: the checker says "passed".

Made by `python tools/checkers.py --out`.

"""


def kind_of(expected: str, said: str) -> str:
    """The column of the table that an answer belongs to.

    expected: the docstring of the answer: "passed", or a part of the right sentence. said: what the checker says.
    """
    if expected == "passed":
        return "right, passed" if said == "passed" else "right, refused"
    if said == "passed":
        return "wrongly passed"
    if VALUES_ONLY.search(said):
        return "unnamed"
    return "named" if expected in said else "wrongly named"


def row_of(name: str, verdicts: dict[Callable, str]) -> str:
    """A row of the table. verdicts: each answer to the exercise -> what the checker says of it."""
    counts = Counter(kind_of(answer.__doc__, said) for answer, said in verdicts.items())
    mistakes = sum(counts[kind] for kind in KINDS)
    file = exercise_answers.FILE_OF[name]
    cells = [f"{exercise_answers.FILES.index(file) + 1:02d}", f"`{name}`", mistakes, *(counts[kind] for kind in KINDS)]
    cells += [f"{100 * counts['named'] / max(mistakes, 1):.0f} %", counts["right, passed"], counts["right, refused"]]
    return f"| {' | '.join(map(str, cells))} |"


def head() -> str:
    columns = ["notebook", "exercise", "mistakes", *KINDS, "part named", "other right answers, passed", "refused"]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="exercises to try, such as move; by default all")
    parser.add_argument("--out", action="store_true", help=f"write the table to {FILE.relative_to(ROOT)}")
    parser.add_argument("--check", action="store_true", help="compare the table with the stored one")
    options = parser.parse_args()
    if unknown := set(options.names) - set(exercise_answers.ANSWERS):
        known = ", ".join(exercise_answers.ANSWERS)
        parser.error(f"no exercise is called {', '.join(sorted(unknown))}; there are {known}")
    if options.names and (options.out or options.check):
        parser.error("--out and --check need all exercises: leave out the names")
    quiet, rows = options.out or options.check, []
    if not quiet:
        print("| exercise | answer | kind | the checker says |\n|---|---|---|---|")
    for name in options.names or exercise_answers.ANSWERS:
        check = getattr(checks, f"check_{name}").__wrapped__
        verdicts = {answer: verdict(check, answer) for answer in exercise_answers.ANSWERS[name]}
        rows.append(row_of(name, verdicts))
        for answer, said in () if quiet else verdicts.items():
            words, kind = answer.__name__.replace("_", " "), kind_of(answer.__doc__, said)
            print(f"| `{name}` | {words} | {kind} | {said.replace('|', chr(92) + '|')} |", flush=True)
    table = "\n".join((head(), *rows)) + "\n"
    if options.out:
        write_text(FILE, TITLE + table)
    if options.check and FILE.read_text(encoding="utf-8") != TITLE + table:
        sys.exit(f"{FILE.relative_to(ROOT)} differs from what the checkers say: run python tools/checkers.py --out")
    print(f"\n{table}" if not quiet else table, end="")


if __name__ == "__main__":
    main()
