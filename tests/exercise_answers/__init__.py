"""Right and wrong answers to the exercises: a file for each notebook, with a class for each checker.

The docstring of an answer is what its checker must print: "passed", or a part of the sentence about the mistake.
The solutions of the notebooks are not repeated here; ``test_checks.py`` reads them from the notebooks.
"""

import inspect
from collections.abc import Callable

from . import (
    attention,
    finetuning,
    jigsaw,
    masked_position_prediction,
    position_embeddings,
    predicted_positions,
    pretraining,
    scale_up,
    shortcuts,
    vision_transformer,
)

FILES = [
    position_embeddings,
    attention,
    vision_transformer,
    masked_position_prediction,
    pretraining,
    finetuning,
    predicted_positions,
    jigsaw,
    shortcuts,
    scale_up,
]


def answers_in(group: type) -> list[Callable]:
    """The answers of one exercise, in the order of the file."""
    return [answer for answer in vars(group).values() if inspect.isfunction(answer)]


# name of the function that an exercise asks for -> the file with its answers, in the order of the notebooks
FILE_OF = {
    name: file
    for file in FILES
    for name, group in vars(file).items()
    if inspect.isclass(group) and group.__module__ == file.__name__
}
# the same name -> its answers, right and wrong
ANSWERS = {name: answers_in(getattr(file, name)) for name, file in FILE_OF.items()}
