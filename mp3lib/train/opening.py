"""Opening a run folder: a new run, or an old one that goes on from its newest readable checkpoint."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from filelock import FileLock, Timeout

from ..arguments import shown
from ..json_files import read_json, write_json
from ..model.compiled import uncompiled_weights
from ..paths import expanded
from .best import is_finished
from .checkpoint import Progress, best_readable, checkpoint_of, checkpoints, in_short, remove_unfinished, step_of
from .processes import everywhere, is_sharded, on_main
from .run_folder import environment, machines, read_metrics, read_run, versions, write_metrics
from .schedules import common_steps
from .settings import EVALUATION, RunSettings
from .training import Training, gather, send_state

START_KEYS = ("start", "weights")  # keys of run.json that name the initial weights; they must match on resume
COMPARED_IF_THERE = ("value_range",)  # keys that must match on resume where both sides have them


@contextmanager
def locked(folder: Path | None, accelerator: Accelerator) -> Iterator[None]:
    """Keep other trainings out of a run folder; where there is no folder, nothing is done.

    Raises:
        ValueError: if another training has it.
    """
    if folder is None:
        yield
        return
    lock = FileLock(folder / ".lock", timeout=0)

    def acquire() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            raise ValueError(f"another training uses {folder}: wait for it, or choose another folder") from None

    on_main(acquire, accelerator)
    try:
        yield
    finally:
        lock.release()


def begin(training: Training, about: dict | None, resume: bool) -> Progress:
    """Open the run folder, and load its newest checkpoint if the run is resumed; how far the run is.

    The main process decides, and reads what is there. The others get what it has read, and need no such folder; with
    FSDP each of them reads its own part of the weights.
    """
    if training.folder is None:
        return Progress()
    accelerator = training.accelerator
    done, training.run_id = on_main(lambda: open_run(training, about, resume), accelerator)
    if is_sharded(accelerator) and not everywhere((training.folder / "run.json").exists(), accelerator):
        raise ValueError(
            f"with FSDP all machines must share the run folder, got {training.folder}: choose one they share"
        )
    if done.step and is_sharded(accelerator):
        accelerator.load_state(str(checkpoint_of(training.folder, done.step)))
        gather(training)
    elif done.step:
        send_state(training)
    return done


def open_run(training: Training, about: dict | None, resume: bool) -> tuple[Progress, str | None]:
    """Start a run folder, or load its newest readable checkpoint: how far the run is, and its id.

    ``about`` holds further entries of ``run.json``.
    """
    folder, settings, model = training.folder, training.settings, training.model.config
    begun = checkpoints(folder) or (folder / "metrics.jsonl").exists()
    known = (folder / "run.json").exists()
    foreign = next((name for name in ("model.safetensors", "config.json") if (folder / name).exists()), None)
    if known:
        read_run(folder)  # refuse a run.json that is damaged, or another program's
    elif foreign and not begun:
        raise ValueError(f"{folder} holds {foreign}, but no run of mp3lib: choose another folder, so that it is kept")
    if begun and not known:
        what = checkpoints(folder)[0].name if checkpoints(folder) else "metrics.jsonl"
        raise ValueError(
            f"{folder} holds {what} of a run, but no run.json that says of which: remove what is there, or choose "
            "another folder"
        )
    if not known or (resume and not begun):
        run_id = uuid.uuid4().hex
        remove_unfinished(folder)
        entries = {"settings": settings.as_json() | {"model": model}, **(about or {}), "versions": versions()}
        entries |= environment() | {"processes": training.accelerator.num_processes, "id": run_id}
        write_json(folder / "run.json", entries)
        return Progress(), run_id
    if not resume:
        raise ValueError(f"{folder} already holds a run: resume it (--resume) or choose another folder")
    run = read_run(folder)
    stored = run["settings"] | {name: run.get(name) for name in START_KEYS}
    starts = {name: (about or {}).get(name) for name in START_KEYS}
    starts = {name: stored[name] if same_folder(stored[name], now) else now for name, now in starts.items()}
    both = [name for name in COMPARED_IF_THERE if name in run and name in (about or {})]
    stored, starts = stored | {name: run[name] for name in both}, starts | {name: about[name] for name in both}
    if different := settings.differences(stored, model=model, **starts):
        raise ValueError(
            f"the run in {folder} was started with other settings: {', '.join(different)}. Use those, or another folder"
        )
    check_draws(folder, run)
    remove_unfinished(folder)
    done = newest_state(training, run)
    note_about(folder, about or {})
    return done, run.get("id")


def same_folder(then: Any, now: Any) -> bool:
    """Whether two texts name one folder, for example by a relative and by an absolute path."""
    try:
        places = [expanded(place).resolve(strict=True) for place in (then, now)]
    except (ValueError, OSError):
        return False
    return places[0] == places[1]


def note_about(folder: Path, about: dict) -> None:
    """Write to run.json what the resumed run is told of itself, such as a license; its initial weights stay."""
    run = read_run(folder)
    now = run | {name: value for name, value in about.items() if name not in START_KEYS}
    if now != run:
        write_json(folder / "run.json", now)


def check_draws(folder: Path, run: dict) -> None:
    """``ValueError`` for a run of several processes that drew other random numbers than several processes do now."""
    if "processes" not in run and any(folder.glob("checkpoint-*/random_states_1.pkl")):
        raise ValueError(
            f"several processes began the run in {folder} with an older version, in which each drew random numbers of "
            "its own: begin another run with its weights, in another folder"
        )


def newest_state(training: Training, run: dict) -> Progress:
    """Load the newest checkpoint that can be read, and say how far it is.

    If the run had another number of epochs, that is the newest one from the steps that have the same learning rate with
    the number of now. What is later is removed, and trained again.
    """
    folder, settings, accelerator = training.folder, training.settings, training.accelerator
    epochs = run["settings"].get("epochs")
    same = common_steps(settings, epochs)
    if not same:
        raise ValueError(
            f"the run in {folder} was started with other settings: epochs {epochs} then, {settings.epochs} now. With "
            "another number of epochs its learning rates would have been others from the start, unless they are "
            'constant or "wsd" (--schedule). Use that number, or another folder'
        )
    done = [step_of(c) for c in checkpoints(folder)]
    if done and done[0] > settings.total_steps:
        raise ValueError(
            f"the run in {folder} has trained {done[0] / settings.steps_per_epoch:g} epochs already, got "
            f"{settings.epochs}: use a larger number, or another folder"
        )
    found = [c for c in checkpoints(folder) if step_of(c) <= same]
    unreadable = []
    for checkpoint in found:
        try:
            progress = progress_of(checkpoint, settings)
            if not is_sharded(accelerator):  # else each process reads its part, afterwards
                accelerator.load_state(str(checkpoint))
        except Exception as error:  # a damaged file can make the readers raise anything
            unreadable.append((checkpoint.name, in_short(error)))
            continue
        for name, why in unreadable:
            print(f"{folder / name} cannot be read ({why}); going on from {checkpoint.name}", flush=True)
        if settings.keep == "best":  # names what cannot be read while the run can still be stopped
            weights = uncompiled_weights(training.model.state_dict())
            best_readable(folder, progress.lines, weights, training.average is not None)
        if epochs != settings.epochs:
            run = go_on_from(folder, progress, settings, run)
        if run["settings"].get("patience", 0) != settings.patience:
            run = with_patience(folder, settings, run)
        write_metrics(folder / "metrics.jsonl", progress.lines)  # a run killed after this writes no other
        if progress.step < settings.total_steps:
            note_move(folder, progress.step, run, accelerator.num_processes)
        return progress
    if unreadable:
        reasons = "; ".join(f"{name}: {why}" for name, why in unreadable)
        raise ValueError(f"no checkpoint in {folder} can be read ({reasons}). Remove {folder} to start anew")
    if checkpoints(folder):
        raise ValueError(
            f"the run in {folder} had {epochs} epochs, got {settings.epochs}: its checkpoints are of later steps than "
            f"step {same}, up to which both have the same learning rates. Begin another run with these weights"
        )
    if is_finished(read_metrics(folder), run["settings"]):
        raise ValueError(
            f"the run in {folder} has finished, and none of its checkpoints is left to go on from: use its weights, or "
            "begin another run with them"
        )
    raise ValueError(f"{folder} holds the log of a run, but none of its checkpoints: choose another folder")


def note_move(folder: Path, step: int, run: dict, processes: int) -> None:
    """Write to run.json from which step on the machine, the number of processes or Accelerate's settings differ."""
    before = run.get("resumed", [])
    count = next((later["processes"] for later in reversed(before) if "processes" in later), run.get("processes", 1))
    set_before = next((later["environment"] for later in reversed(before) if "environment" in later), None)
    set_before = run.get("environment", {}) if set_before is None else set_before
    set_now = environment().get("environment", {})
    now = {"step": step, "versions": versions()} | ({"processes": processes} if processes != count else {})
    now |= {"environment": set_now} if set_now != set_before else {}
    if now["versions"] != machines(run)[-1] or len(now) > 2:
        write_json(folder / "run.json", run | {"resumed": [*before, now]})


def go_on_from(folder: Path, progress: Progress, settings: RunSettings, run: dict) -> dict:
    """Give a run another number of epochs: later checkpoints are removed, and run.json holds the new number."""
    for later in checkpoints(folder):
        if step_of(later) > progress.step:
            shutil.rmtree(later)
    before = run["settings"].get("epochs")
    print(f"{folder}: {settings.epochs} epochs instead of {before}, going on from step {progress.step}", flush=True)
    longer = [*run.get("longer", []), {"step": progress.step, "epochs": before}]
    run = run | {"settings": run["settings"] | {"epochs": settings.epochs}, "longer": longer}
    write_json(folder / "run.json", run)
    return run


def with_patience(folder: Path, settings: RunSettings, run: dict) -> dict:
    """Let run.json hold the patience of now, and what is evaluated for it."""
    evaluation = {name: value for name, value in settings.options.items() if name in EVALUATION}
    run = run | {"settings": run["settings"] | evaluation | {"patience": settings.patience}}
    write_json(folder / "run.json", run)
    return run


def progress_of(checkpoint: Path, settings: RunSettings) -> Progress:
    """How far a checkpoint is.

    Raises:
        ValueError: if its files do not agree with each other, with the folder's name and with the settings.
    """
    lines, held = read_metrics(checkpoint), read_json(checkpoint / "progress.json")
    step, losses, seconds = held.get("step"), held.get("losses", []), held.get("seconds", 0.0)
    if not isinstance(losses, list) or not {type(number) for number in (seconds, *losses)} <= {int, float}:
        raise ValueError(
            f"progress.json holds losses {shown(losses)} and seconds {shown(seconds)}, which are not numbers"
        )
    last = lines[-1]["step"] if lines else 0
    agree = step == step_of(checkpoint) == last + len(losses) and last == len(lines) * settings.steps_per_epoch
    if not agree or len(losses) >= settings.steps_per_epoch:
        raise ValueError(
            f"its files disagree: step {step} in progress.json, {last} in the log, {step_of(checkpoint)} in the name"
        )
    return Progress(lines, step, losses, seconds)
