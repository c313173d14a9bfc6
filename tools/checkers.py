"""What each checker of the exercises says of right and wrong answers, as a table in Markdown.

python tools/checkers.py
"""

import inspect
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import exercise_answers

from mp3lib import checks
from mp3lib.checks.harness import verdict


def main() -> None:
    print("| checker | answer | it says |")
    print("|---|---|---|")
    for group, answers in vars(exercise_answers).items():
        if inspect.isclass(answers) and answers.__module__ == exercise_answers.__name__:
            check = getattr(checks, f"check_{group}").__wrapped__
            for answer in vars(answers).values():
                if inspect.isfunction(answer):
                    says = verdict(check, answer).replace("|", "\\|")
                    print(f"| `{group}` | {answer.__name__.replace('_', ' ')} | {says} |", flush=True)


if __name__ == "__main__":
    main()
