"""What every checker shares: calling a reader's function safely, and saying in one line what is wrong with it.

A checker states a property of ``your_function`` and names the likely mistakes::

    @checker
    def check_half(your_function):
        x = numbers(3, 4)
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

from .compare import Answer, Finding, listed, must, named

SECONDS = 10.0  # a checker needs milliseconds; this leaves room on a crowded machine


class Stop(SystemExit):
    """Ends a thread that took too long; a thread that ends with a SystemExit prints nothing."""


def checker(check: Callable[[Watched], None]) -> Callable[[Callable], None]:
    """Make of a statement about ``your_function`` a public checker, which prints one line and never raises."""

    @functools.wraps(check)
    def public(your_function) -> None:
        print(f"{check.__name__.removeprefix('check_')}: {verdict(check, your_function)}")

    return public


def verdict(check: Callable[[Watched], None], function, seconds: float | None = None) -> str:
    """What a checker says of a function: "passed", "not solved yet", or the likely mistake."""
    before, threads = random_state(), torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # small tensors need no more, and on a crowded machine several wait for each other
        if not callable(function):
            raise Finding(f"give the function itself, without calling it: this is {named(function)}")
        within(seconds or SECONDS, lambda: check(Watched(function)))
    except Finding as finding:
        text = " ".join(str(finding).split())
        return text if text == UNSOLVED else f"not yet: {text}"
    finally:
        set_random_state(before)  # the notebook goes on as if nothing had been checked
        torch.set_num_threads(threads)
    return "passed"


UNSOLVED = "not solved yet"


# --- calling ----------------------------------------------------------------------------------------------------------


class Watched:
    """A function whose calls may fail in any way; each gives an ``Answer`` or ends the check with a ``Finding``."""

    def __init__(self, function: Callable, draw: bool = False, change: bool = False):
        self.function, self.draw, self.change = function, draw, change

    def may(self, draw: bool = False, change: bool = False) -> Watched:
        """The same, free to draw from the global random state (a new module's weights, say) or to change its inputs."""
        return Watched(self.function, draw, change)

    def __call__(self, *args) -> Answer:
        given = tuple(arg if self.change or isinstance(arg, torch.Generator) else deepcopy(arg) for arg in args)
        call, before = f"called with {listed(args)}", random_state()
        try:
            value = self.function(*given)
        except Stop:
            raise
        except BaseException as error:
            raise Finding(f"it raises {described(error, self.function)} when {call}") from None
        for place, (arg, now) in enumerate(zip(args, given, strict=True)):
            must(same(arg, now), f"it changes its argument {name_of(self.function, place)} in place: work on a copy")
        if not self.draw and random_state() != before:
            generator = any(isinstance(arg, torch.Generator) for arg in args)
            raise Finding(
                "it draws from the global random state, not from the generator that it is given"
                if generator
                else "it draws from the global random state or seeds it: nothing random is asked for"
            )
        if value is None:
            raise Finding(UNSOLVED if is_stub(self.function) else "it returns None: is the return missing?")
        return Answer(value, call)


def within(seconds: float, work: Callable[[], None]) -> None:
    """Run ``work`` in a thread of its own, which is stopped after so many seconds.

    A signal would do in the main thread of Linux and macOS alone; a thread can be left behind anywhere.
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
        for _ in range(2):  # again, in case the reader's code catches it
            if thread.is_alive():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Stop))
                thread.join(2)
    if outcome:
        raise outcome[0]


# --- small things -----------------------------------------------------------------------------------------------------


def numbers(*shape: int, seed: int = 0) -> Tensor:
    """The same normal random numbers each time, without touching the global random state."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seeded(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A module in eval mode whose weights are the same each time, large enough that each part of it can be told."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = make().eval()
        with torch.no_grad():
            for weight in module.parameters():
                weight.add_(0.3 * torch.randn_like(weight))
    return module


def random_state() -> tuple:
    """The global random states of torch, Python and NumPy, in a form that can be compared."""
    name, keys, *rest = np.random.get_state()
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), (name, keys.tobytes(), *rest)


def set_random_state(state: tuple) -> None:
    of_torch, of_python, (name, keys, *rest) = state
    torch.set_rng_state(torch.frombuffer(bytearray(of_torch), dtype=torch.uint8))
    random.setstate(of_python)
    np.random.set_state((name, np.frombuffer(keys, dtype=np.uint32), *rest))


def same(before, now) -> bool:
    """Whether an argument is as it was."""
    if isinstance(before, Tensor):
        return before.shape == now.shape and before.dtype == now.dtype and torch.equal(before, now)
    if isinstance(before, nn.Module):
        weights = before.state_dict(), now.state_dict()
        return repr(before) == repr(now) and before.training == now.training and same(*map(dict, weights))
    if isinstance(before, Mapping):
        return before.keys() == now.keys() and all(same(before[key], now[key]) for key in before)
    if isinstance(before, (list, tuple)):
        return len(before) == len(now) and all(map(same, before, now))
    return callable(before) or isinstance(before, torch.Generator) or before == now


def is_stub(function: Callable) -> bool:
    """Whether the body is ``...`` still: as short as the shortest."""
    code = getattr(function, "__code__", None)
    return code is not None and len(code.co_code) <= len((lambda: None).__code__.co_code)


def described(error: BaseException, function: Callable) -> str:
    """An error and the line of the reader's function that it comes from."""
    code = getattr(function, "__code__", None)
    lines = [f for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    source = linecache.getline(lines[-1].filename, lines[-1].lineno).strip() if lines else ""
    try:
        text = str(error).strip().split("\n")[0][:120]
    except Exception:
        text = ""
    return f"{type(error).__name__}{f' ({text})' if text else ''}{f' at `{source}`' if source else ''}"


def name_of(function: Callable, place: int) -> str:
    try:
        return f"`{list(inspect.signature(function).parameters)[place]}`"
    except (ValueError, TypeError, IndexError):
        return f"number {place + 1}"
