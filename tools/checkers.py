"""What each checker of the exercises says of right and wrong answers, as a table in Markdown.

python tools/checkers.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import exercise_answers

from mp3lib import checks
from mp3lib.checks.harness import verdict


def main() -> None:
    print("| checker | answer | it says |")
    print("|---|---|---|")
    for name, answers in exercise_answers.ANSWERS.items():
        check = getattr(checks, f"check_{name}").__wrapped__
        for answer in answers:
            says = verdict(check, answer).replace("|", "\\|")
            print(f"| `{name}` | {answer.__name__.replace('_', ' ')} | {says} |", flush=True)


if __name__ == "__main__":
    main()
