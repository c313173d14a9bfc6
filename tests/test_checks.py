"""The checkers of the exercises: they accept right answers, name mistakes, and are safe with any function."""

import io
import random
import re
import threading
import time
import warnings
from contextlib import redirect_stdout
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial

import exercise_answers
import numpy as np
import pytest
import torch
from notebook_code import NOTEBOOKS, definitions, exercises
from scripts import load_script

from mp3lib import checks
from mp3lib.checks import compare, harness, shortcuts

NAMES = [path.stem[:2] for path in sorted(NOTEBOOKS.glob("*.ipynb"))]
EXERCISES = [(name, exercise) for name in NAMES for exercise in exercises(name)]
CHECKERS = {name: getattr(checks, name) for name in checks.__all__}
ANSWERS = [(f"check_{name}", answer) for name, answers in exercise_answers.ANSWERS.items() for answer in answers]

checkers_tool = load_script("tools/checkers.py")
RETURNS_A_MODEL = [checks.check_keep_brightness]
each_checker = pytest.mark.parametrize("check", CHECKERS.values(), ids=CHECKERS)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """On a busy machine a right answer may take longer than a reader would wait."""
    monkeypatch.setattr(harness, "SECONDS", 120)


def said(check, function) -> str:
    """What a checker prints about a function, without the name.

    Asserts that it is one line, and that random states and the number of threads are unchanged.
    """
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads()
    out = io.StringIO()
    with redirect_stdout(out):
        assert check(function) is None
    name, _, text = out.getvalue().partition(": ")
    assert name == check.__name__.removeprefix("check_")
    assert text.endswith("\n") and text.count("\n") == 1
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads()) == before[1:]
    return "passed" if text.strip() == harness.PASSED else text.strip()


# --- right and wrong answers ------------------------------------------------------------------------------------------


def test_every_exercise_has_a_checker_and_every_checker_an_exercise():
    assert sorted(str(exercise.check) for _, exercise in EXERCISES) == sorted(CHECKERS)
    assert {f"check_{exercise.function}" for _, exercise in EXERCISES} == set(CHECKERS)


@pytest.mark.parametrize("name, exercise", EXERCISES, ids=[exercise.check for _, exercise in EXERCISES])
def test_the_solution_passes(name, exercise):
    assert said(CHECKERS[exercise.check], solution_of(CHECKERS[exercise.check])) == "passed"


@pytest.mark.parametrize("name, exercise", EXERCISES, ids=[exercise.check for _, exercise in EXERCISES])
def test_the_stub_is_not_solved_yet(name, exercise):
    assert said(CHECKERS[exercise.check], definitions(name)[exercise.function]) == "not solved yet"


@pytest.mark.parametrize("name, answer", ANSWERS, ids=[f"{name}-{answer.__name__}" for name, answer in ANSWERS])
def test_an_answer_gets_the_sentence_of_its_docstring(name, answer):
    expected, text = answer.__doc__, said(CHECKERS[name], answer)
    if expected == "passed":
        assert text == "passed"
    else:
        assert text.startswith("not yet: ") and expected in text
    assert verdict_of(name, answer) == text  # and the same sentence every time


@cache
def verdict_of(name: str, answer) -> str:
    return harness.verdict(CHECKERS[name].__wrapped__, answer)


@pytest.mark.parametrize("name", exercise_answers.ANSWERS)
def test_the_stored_table_of_mistakes_is_what_the_checkers_say(name):
    """And no mistake passes, none gets the sentence of another, and at least four of five are named."""
    verdicts = {answer: verdict_of(f"check_{name}", answer) for answer in exercise_answers.ANSWERS[name]}
    row = checkers_tool.row_of(name, verdicts)
    assert row in checkers_tool.FILE.read_text(encoding="utf-8").splitlines(), "run: python tools/checkers.py --out"
    _, _, mistakes, named, _, wrongly_named, wrongly_passed, _, other_right, refused = row.strip(" |").split(" | ")
    assert int(mistakes) >= 10 and int(wrongly_named) == int(wrongly_passed) == 0
    assert int(named) >= 0.8 * int(mistakes) and int(other_right) >= 1 and int(refused) == 0


@pytest.mark.parametrize("name, exercise", EXERCISES, ids=[exercise.check for _, exercise in EXERCISES])
def test_every_sentence_can_be_said(name, exercise, monkeypatch):
    """The results of a mistake are not always those of a right answer, nor those of a mistake that is named first."""
    can_be_said = {}

    def note(rights: list, mistakes: dict[str, list]) -> None:
        before = [rights]
        for sentence, wrong in mistakes.items():
            hidden = any(all(map(partial(compare.close_to, strict=False), other, wrong)) for other in before)
            can_be_said[sentence] = can_be_said.get(sentence, False) or not hidden
            before.append(wrong)

    def must_be(result, right, mistakes=None):
        note([right], {sentence: [wrong] for sentence, wrong in (mistakes or {}).items()})

    def name_mistake(results, mistakes):
        note([result.value for result in results], mistakes)

    monkeypatch.setattr(compare.Result, "must_be", must_be)
    for module in (compare, shortcuts):
        monkeypatch.setattr(module, "name_mistake", name_mistake)
    assert said(CHECKERS[exercise.check], solution_of(CHECKERS[exercise.check])) == "passed"
    assert [sentence for sentence, can in can_be_said.items() if not can] == []


def test_the_stored_table_has_a_row_for_each_exercise():
    page = checkers_tool.FILE.read_text(encoding="utf-8")
    assert page.startswith(checkers_tool.TITLE + checkers_tool.head())
    assert re.findall(r"^\| \d\d \| `(\w+)`", page, re.MULTILINE) == list(exercise_answers.ANSWERS)


def test_the_tool_tells_the_kinds_of_sentences_apart():
    kind = checkers_tool.kind_of
    assert kind("passed", "passed") == "right, passed" and kind("passed", "not yet: it is late") == "right, refused"
    assert kind("softmax", "passed") == "wrongly passed"
    assert kind("softmax", "not yet: softmax is missing") == "named"
    assert kind("softmax", "not yet: the root is missing") == "wrongly named"
    assert kind("of 2", "not yet: it returns 1 instead of 2 when called with 3") == "unnamed"


# --- functions that misbehave -----------------------------------------------------------------------------------------


@cache
def solution_of(check):
    """The function of the folded solution, defined together with the notebook's own functions."""
    [(name, exercise)] = [(name, exercise) for name, exercise in EXERCISES if exercise.check == check.__name__]
    return exercise.solved(name)[exercise.function]


def replaced(result, change):
    """A result with all its tensors and numbers changed."""
    if isinstance(result, torch.Tensor):
        return change(result)
    if isinstance(result, (tuple, list)):
        return tuple(replaced(part, change) for part in result)
    return change(torch.tensor(float(result))) if isinstance(result, (int, float)) else result


@each_checker
def test_an_error_gets_a_sentence(check):
    def raises(*args):
        raise ValueError("first line\nsecond line")

    assert "it raises ValueError (first line) at `raise ValueError" in said(check, raises)


@each_checker
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError, StopIteration, GeneratorExit])
def test_any_error_gets_a_sentence(check, error):
    def raises(*args):
        raise error

    assert f"it raises {error.__name__}" in said(check, raises)


@each_checker
def test_too_many_parameters_get_a_sentence(check):
    assert "TypeError" in said(check, lambda a, b, c, d, e, f, g: None)


@each_checker
def test_endless_recursion_gets_a_sentence(check):
    def recursive(*args):
        return recursive(*args)

    assert "RecursionError" in said(check, recursive)


@each_checker
def test_a_function_that_returns_nothing_is_unsolved_or_lacks_its_return(check):
    assert said(check, lambda *args: None) == "not solved yet"

    def forgets(*args):
        result = len(args)
        result += 1

    assert "is the return missing?" in said(check, forgets)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch warns of these kinds of tensors
    WARNED_OF = (
        torch.quantize_per_tensor(torch.zeros(1), 0.1, 0, torch.qint8),
        torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
    )


class Incomparable:
    def __eq__(self, other):
        raise OSError("not comparable")


@each_checker
@pytest.mark.parametrize("thing", [
    "text", b"x", {}, {"a": None}, object(), [], [None], (), torch.tensor([]), True, print, float("nan"), 1 + 2j,
    10**30, -(10**400), Fraction(1, 2), Decimal("0.5"), Incomparable(), (Incomparable(), Incomparable()),
    torch.zeros(1, dtype=torch.float8_e4m3fn), *WARNED_OF,
])  # fmt: skip
def test_any_result_gets_a_sentence(check, thing):
    assert said(check, lambda *args: thing).startswith("not yet: ")


@each_checker
@pytest.mark.parametrize("thing", [3, 2.5, "text", None, torch.zeros(2)])
def test_a_value_that_is_no_function_gets_a_sentence(check, thing):
    assert "give the function itself, without calling it" in said(check, thing)


@pytest.mark.parametrize("check", [check for check in CHECKERS.values() if check not in RETURNS_A_MODEL])
def test_nan_dtype_device_and_shape_get_a_sentence(check):
    solution = solution_of(check)
    changes = {
        "nan": lambda t: t * float("nan"),
        "complex": lambda t: t + 1j,
        "shape": lambda t: torch.stack((t, t)),
        "device": lambda t: t.to("meta"),
        "sparse": lambda t: t.to_sparse() if t.ndim else t.to("meta"),
        "float8": lambda t: (t * float("nan")).to(torch.float8_e4m3fn),
        "complex nan": lambda t: t * complex("nan"),
        "double nan": lambda t: t.double() * float("nan"),
    }
    for name, change in changes.items():
        text = said(check, lambda *args, change=change: replaced(solution(*args), change))
        assert text.startswith("not yet: ")
        # NaN gets the name of no mistake; "still running": a machine may be too busy for ten seconds
        assert name != "nan" or re.search("nan|expected (an )?int|still running", text, re.IGNORECASE)
    text = said(check, lambda *args: replaced(solution(*args), lambda t: t.to("meta")))
    assert "on the device meta" in text


@each_checker
def test_changing_an_input_gets_a_sentence(check):
    solution = solution_of(check)

    def changes_inputs(*args):
        result = solution(*args)
        for arg in args:
            if isinstance(arg, torch.Tensor):
                arg.flatten()[0] = 0 if arg.dtype == torch.bool else 3
                arg.mul_(0) if arg.dtype != torch.bool else arg.logical_not_()
            elif isinstance(arg, torch.nn.Module):
                next(arg.parameters()).data.zero_()
            elif isinstance(arg, (list, dict)):
                arg.clear()
        return result

    changeable = (torch.Tensor, torch.nn.Module, list, dict)
    seen: list = []
    said(check, lambda *args: seen.extend(args))
    if any(isinstance(arg, changeable) for arg in seen):
        text = said(check, changes_inputs)
        assert "changes its argument" in text or "the weights have changed" in text


@each_checker
@pytest.mark.parametrize("draw", [lambda: torch.rand(1), lambda: torch.manual_seed(3), random.random, np.random.rand])
def test_drawing_from_the_global_state_gets_a_sentence(check, draw):
    solution = solution_of(check)

    def draws(*args):
        draw()
        return solution(*args)

    if check in RETURNS_A_MODEL:  # a new model's weights may be drawn from the global state
        assert said(check, draws) == "passed"
    else:
        assert "global random state" in said(check, draws)


@each_checker
@pytest.mark.parametrize("in_main_thread", [True, False])
def test_an_endless_loop_is_ended(check, in_main_thread, monkeypatch):
    monkeypatch.setattr(harness, "SECONDS", 0.2)
    alive = threading.active_count()
    running = []

    def loops(*args):
        while True:
            running.append(None)

    texts = []
    thread = threading.Thread(target=lambda: texts.append(harness.verdict(check.__wrapped__, loops)))
    if in_main_thread:
        thread.run()
    else:
        thread.start()
        thread.join(10)
    assert texts == ["not yet: it was still running after 0.2 seconds: does a loop never end?"]
    assert threading.active_count() <= alive
    steps = len(running)
    time.sleep(0.02)
    assert len(running) == steps  # it no longer runs


def test_a_loop_that_catches_every_exception_does_not_block_the_checker(monkeypatch):
    monkeypatch.setattr(harness, "SECONDS", 0.2)
    free = threading.Event()

    def stubborn(*args):
        while not free.is_set():
            try:
                time.sleep(0.01)
            except BaseException:
                pass

    start = time.monotonic()
    assert "still running" in said(checks.check_growth, stubborn)
    assert time.monotonic() - start < 15
    free.set()


def test_a_long_call_into_c_does_not_block_the_checker(monkeypatch):
    monkeypatch.setattr(harness, "SECONDS", 0.2)
    assert "still running" in said(checks.check_growth, lambda line: time.sleep(2))


def test_a_function_may_print(capsys):
    calls = []

    def prints(line):
        calls.append(line)
        print("here")
        return line["test_accuracy"]["0.0"] / line["test_accuracy"]["0.75"]

    checks.check_growth(prints)
    assert calls
    assert capsys.readouterr().out == "here\n" * len(calls) + f"growth: {harness.PASSED}\n"


def test_an_error_of_the_checker_itself_is_not_hidden():
    @harness.checker
    def check_broken(your_function):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        check_broken(len)


def test_the_position_of_the_first_wrong_value_is_named_if_the_mistake_is_unknown():
    right = torch.arange(6.0).view(2, 3)
    wrong = right.clone()
    wrong[1, 2] = 7
    text = harness.verdict(lambda f: f().must_be(right), lambda: wrong)
    assert text.startswith("not yet: the values are wrong; the first, at [1, 2], is 7 instead of 5 when called with")


@pytest.mark.parametrize("check", [checks.check_growth, checks.check_accuracy_after])
def test_arguments_that_are_spoiled_in_place_get_a_sentence(check, capsys):
    def spoil(log, *_):
        for line in log if isinstance(log, list) else [log]:
            line["test_accuracy"] = None
        return 1.0

    check(spoil)
    assert "it changes its argument `log` in place: work on a copy" in capsys.readouterr().out
