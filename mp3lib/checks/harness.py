"""The common part of all checkers: call a reader's function safely, and print one line about its result.

A checker states what ``your_function`` must return, and lists the results of likely mistakes::

    @checker
    def check_half(your_function):
        x = randn(3, 4)
        your_function(x).must_be(x / 2, {"it doubles": 2 * x})
"""

from __future__ import annotations

import contextvars
import ctypes
import functools
import inspect
import linecache
import random
import threading
import traceback
from collections.abc import Callable, Mapping
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from ..model.randomness import random_state_kept
from .compare import Finding, Result, check_plain, equals, list_arguments, must, type_name

SECONDS = 10.0  # a check takes milliseconds; on a busy machine it may take much longer


class Stop(SystemExit):
    """Ends a thread that takes too long. It is a SystemExit, because a thread that ends with one prints no error."""


def checker(check: Callable[[SafeFunction], None]) -> Callable[[Callable], None]:
    """Decorator: turn a check of ``your_function`` into a public checker, which prints one line.

    Whatever the reader's function does, the checker does not raise. An error in the check itself is raised.
    """

    @functools.wraps(check)
    def public(your_function) -> None:
        text = verdict(check, your_function)
        print(f"{check.__name__.removeprefix('check_')}: {PASSED if text == 'passed' else text}")

    return public


def verdict(check: Callable[[SafeFunction], None], function) -> str:
    """The sentence of a checker about a function: "passed", "not solved yet", or "not yet:" and the likely mistake."""
    before, threads = random_state(), torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # enough for small tensors; several threads would be slower on a busy machine
        if not callable(function):
            raise Finding(f"give the function itself, without calling it: this is {type_name(function)}")
        run_with_limit(SECONDS, lambda: check(SafeFunction(function)))
    except Finding as finding:
        text = " ".join(str(finding).split())
        return text if text == UNSOLVED else f"not yet: {text}"
    finally:
        set_random_state(before)  # a check must not change the random numbers of the notebook
        torch.set_num_threads(threads)
    return "passed"


UNSOLVED = "not solved yet"
# a check mark and "passed" in bold green, by the codes of a terminal, which Jupyter understands too; then what is next
PASSED = "\x1b[1;32m\u2714 passed\x1b[0m. Next: compare your code with the solution below, then read on."


# --- calling ----------------------------------------------------------------------------------------------------------


class SafeFunction:
    """A reader's function that is safe to call. A call returns a ``Result``, or raises a ``Finding``.

    A ``Finding`` is raised if the function raises anything, changes an argument in place, uses the global random state,
    or returns None. ``draw`` permits the use of the random state, ``change`` that of changing arguments.
    """

    def __init__(self, function: Callable, draw: bool = False, change: bool = False):
        self.function, self.draw, self.change = function, draw, change

    def allow(self, draw: bool = False, change: bool = False) -> SafeFunction:
        """The same function, with permission to use the global random state or to change its arguments.

        A function that makes a new module, for example, draws weights from the global random state.
        """
        return SafeFunction(self.function, draw, change)

    def __call__(self, *args) -> Result:
        given = tuple(arg if self.change or isinstance(arg, torch.Generator) else deepcopy(arg) for arg in args)
        call, before = f"called with {list_arguments(args)}", random_state()
        try:
            value = self.function(*given)
        except Stop:
            raise
        except BaseException as error:
            raise Finding(f"it raises {describe_error(error, self.function)} when {call}") from None
        for place, (arg, now) in enumerate(zip(args, given, strict=True)):
            must(
                unchanged(arg, now),
                f"it changes its argument {parameter_name(self.function, place)} in place: work on a copy",
            )
        if not self.draw and random_state() != before:
            generator = any(isinstance(arg, torch.Generator) for arg in args)
            raise Finding(
                "it draws from the global random state, not from the generator that it is given"
                if generator
                else "it draws from the global random state or seeds it: nothing random is asked for"
            )
        if value is None:
            raise Finding(UNSOLVED if is_stub(self.function) else "it returns None: is the return missing?")
        check_plain(value)
        return Result(value, call)


def run_with_limit(seconds: float, work: Callable[[], None]) -> None:
    """Run ``work`` in a new thread, and stop it after the given seconds. Raises what ``work`` raised, or a ``Finding``.

    A timeout by signal would work only in the main thread, and not on Windows. A thread that cannot be stopped is
    left running in the background.
    """
    outcome: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True)
    thread.start()
    try:
        thread.join(seconds)
        if thread.is_alive():
            raise Finding(f"it was still running after {seconds:g} seconds: does a loop never end?")
    finally:
        for _ in range(2):  # twice, in case the reader's code catches the first exception
            if thread.is_alive():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stop))
                thread.join(2)
    if outcome:
        raise outcome[0]


# --- inputs, random states and descriptions ---------------------------------------------------------------------------


def randn(*shape: int, seed: int = 0) -> Tensor:
    """Normal random numbers that depend only on shape and seed, and leave the global random state unchanged."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A module in eval mode whose weights are the same each time.

    Noise is added to all weights, so that no part of the module has a negligible effect on its output.
    """
    with random_state_kept():
        module = make().eval()
        with torch.no_grad():
            for weight in module.parameters():
                weight.add_(0.3 * torch.randn_like(weight))
    return module


def random_state() -> tuple:
    """The global random states of PyTorch, Python and NumPy, in a form that can be compared with ``==``."""
    name, keys, *rest = np.random.get_state()
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), (name, keys.tobytes(), *rest)


def set_random_state(state: tuple) -> None:
    """Restore the global random states that ``random_state`` returned."""
    of_torch, of_python, (name, keys, *rest) = state
    torch.set_rng_state(torch.frombuffer(bytearray(of_torch), dtype=torch.uint8))
    random.setstate(of_python)
    np.random.set_state((name, np.frombuffer(keys, dtype=np.uint32), *rest))


def unchanged(before, now) -> bool:
    """Whether an argument is equal to its copy from before the call; functions and generators are not compared."""
    if isinstance(before, Tensor):
        return (
            isinstance(now, Tensor)
            and before.shape == now.shape
            and before.dtype == now.dtype
            and before.layout == now.layout
            and torch.equal(before, now)
        )
    if isinstance(before, nn.Module):
        if not isinstance(now, nn.Module):
            return False
        weights = before.state_dict(), now.state_dict()
        return repr(before) == repr(now) and before.training == now.training and unchanged(*map(dict, weights))
    if isinstance(before, Mapping):
        return (
            isinstance(now, Mapping)
            and before.keys() == now.keys()
            and all(unchanged(before[key], now[key]) for key in before)
        )
    if isinstance(before, (list, tuple)):
        return isinstance(now, (list, tuple)) and len(before) == len(now) and all(map(unchanged, before, now))
    return callable(before) or isinstance(before, torch.Generator) or equals(before, now)


def is_stub(function: Callable) -> bool:
    """Whether the body of a function is still ``...``: its byte code is as short as that of an empty function."""
    code = getattr(function, "__code__", None)
    return code is not None and len(code.co_code) <= len((lambda: None).__code__.co_code)


def describe_error(error: BaseException, function: Callable) -> str:
    """An error in words, with the line of the reader's code that raised it."""
    code = getattr(function, "__code__", None)
    lines = [f for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    source = linecache.getline(lines[-1].filename, lines[-1].lineno).strip() if lines else ""
    try:
        text = str(error).strip().split("\n")[0][:120]
    except Exception:
        text = ""
    return f"{type(error).__name__}{f' ({text})' if text else ''}{f' at `{source}`' if source else ''}"


def parameter_name(function: Callable, place: int) -> str:
    """The name of a function's parameter, or its number where the name is unknown."""
    try:
        return f"`{list(inspect.signature(function).parameters)[place]}`"
    except (ValueError, TypeError, IndexError):
        return f"number {place + 1}"
