"""``python -m mp3lib runs``: what several runs were, and what came out."""

from __future__ import annotations

import argparse
import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .options import Parser, figures_options
from .values import named, path

MARK = b"mp3lib runs"  # in every picture that this command writes
FIRST_COLUMNS = b"run,epoch,step"  # of every table that it writes


def add(commands) -> Parser:
    runs = commands.add_parser(
        "runs",
        parents=[figures_options()],
        help="compare run folders: settings, losses, test measures, time",
        description="Settings that differ between runs, what came out, and how long it took. A folder of run folders "
        "stands for all of them.",
    )
    runs.add_argument("folders", type=named, nargs="+", metavar="DIR", help="run folder, or a folder of run folders")
    runs.add_argument("--plot", type=path, metavar="FILE", help="draw losses and test measures; .png, .svg or .pdf")
    runs.add_argument("--csv", type=path, metavar="FILE", help="write one row an epoch; .csv")
    return runs


@dataclass
class Run:
    """What a run folder holds, as far as it can be read."""

    name: str
    folder: Path
    state: str
    facts: dict[str, Any]  # the settings, one value each, and where the run took place
    lines: list[dict] = field(default_factory=list)


def run(args: argparse.Namespace) -> dict:
    from ..paths import check_target

    if args.plot is not None:
        check_target(args.plot, ".png", ".svg", ".pdf", ours=lambda file: MARK in file.read_bytes())
    if args.csv is not None:
        check_target(args.csv, ".csv", ours=is_table)
    found, problems = [], []
    for folder in all_of(args.folders):
        try:
            found.append(read(folder))
        except (OSError, ValueError) as error:
            problems.append(" ".join(str(error).split()))
    if not found:
        raise ValueError("; ".join(problems))
    tell_apart(found)
    results, differing = [result_of(one) for one in found], differences(found)
    shown = [{key: in_words(key, value) for key, value in result.items() if key != "folder"} for result in results]
    print(table([list(shown[0]), *(list(row.values()) for row in shown)]))
    if differing:
        rows = [["setting", *(one.name for one in found)]]
        rows += [[name, *(str(value) for value in values)] for name, values in differing.items()]
        print(f"\n{table(rows)}")
    for problem in problems:
        print(f"left out: {problem}")
    if args.csv:
        write(args.csv, rows_of(found).encode())
    if args.plot:
        draw(found, args.plot)
    for target in filter(None, (args.plot, args.csv)):
        print(f"wrote {target}")
    return {"runs": results, "settings": differing, "left_out": problems}


def is_table(file: Path) -> bool:
    """Whether this command wrote the file."""
    with file.open("rb") as table:
        return table.read(len(FIRST_COLUMNS)) == FIRST_COLUMNS


def all_of(folders: list[str]) -> list[Path]:
    """The folders, each once; one that holds run folders instead of a run is replaced by these."""
    from ..paths import expanded

    found: list[Path] = []
    for folder in map(expanded, folders):
        inside = [] if (folder / "run.json").exists() else sorted(run.parent for run in folder.glob("*/run.json"))
        found += inside or [folder]
    places: dict[Path, Path] = {}
    for folder in found:
        places.setdefault(folder.resolve(), folder)
    return list(places.values())


def read(folder: Path) -> Run:
    """Raises: FileNotFoundError, ValueError: with a sentence, if this is not a run folder or a damaged one."""
    from ..train import read_metrics, read_run

    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder")
    about = read_run(folder)
    lines = read_metrics(folder) if (folder / "metrics.jsonl").exists() else []
    return Run(folder.name, folder, state_of(folder, about["settings"], lines), facts_of(about), lines)


def state_of(folder: Path, settings: dict, lines: list[dict]) -> str:
    """``finished``, ``running``, ``stopped`` or ``empty``: a run that has neither begun an epoch nor is running."""
    from filelock import FileLock, Timeout

    from ..train.best import is_finished

    if (folder / ".lock").exists():
        try:
            with FileLock(folder / ".lock", timeout=0):
                pass
        except Timeout:
            return "running"
        except OSError:  # somebody else's folder
            pass
    if is_finished(lines, settings):
        return "finished"
    return "stopped" if lines else "empty"


def facts_of(about: dict) -> dict[str, Any]:
    """The settings of a run by their own names, those of the model among them, and where it took place."""
    from ..train.settings import USUAL

    settings = {name: value for name, value in USUAL.items() if name != "options"} | about["settings"]
    model = settings.pop("model", {})
    shape = model.get("vit", model) if isinstance(model, dict) else {}
    shape = dict(shape) if isinstance(shape, dict) else {}
    for name in ("image_size", "patch_size"):
        if isinstance(shape.get(name), list) and shape[name][1:] and shape[name][1:] == shape[name][:-1]:
            shape[name] = shape[name][0]
    facts = shape | settings | {"fingerprint": settings.get("data")}
    facts.pop("data", None)
    facts |= {name: about[name] for name in ("data", "start", "weights") if about.get(name) is not None}
    versions = about.get("versions")
    return facts | ({n: versions.get(n) for n in ("torch", "cpu", "cores")} if isinstance(versions, dict) else {})


def tell_apart(runs: list[Run]) -> None:
    """Name runs by their folders, with as many folders above as it takes to tell all of them apart."""
    depth = 1
    while len({one.name for one in runs}) < len(runs):
        depth += 1
        for one in runs:
            one.name = "/".join(one.folder.parts[-depth:])


def result_of(one: Run) -> dict:
    """How far a run is, its last loss, its last and its best test measure, and its seconds."""
    from ..train.best import best_line, measure_of

    last, best = one.lines[-1] if one.lines else {}, best_line(one.lines)
    tested = [measure_of(line) for line in one.lines if measure_of(line)]
    return {
        "run": one.name,
        "folder": str(one.folder),
        "state": one.state,
        "epochs": [len(one.lines), one.facts.get("epochs")],
        "loss": last.get("loss"),
        "measure": tested[-1][0] if tested else None,
        "test": tested[-1][1] if tested else None,
        "best": {"test": measure_of(best)[1], "epoch": best["epoch"]} if best else None,
        "seconds": round(sum(line.get("seconds", 0) for line in one.lines), 2),
    }


def in_words(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key == "epochs":
        return f"{value[0]} of {value[1]}"
    if key == "best":
        return f"{value['test']:.4f} (epoch {value['epoch']})"
    if key == "seconds":
        minutes, seconds = divmod(round(value), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def differences(runs: list[Run]) -> dict[str, list]:
    """The settings that are not the same in all runs: name -> a value for each run, None where it has none."""
    names = dict.fromkeys(name for one in runs for name in one.facts)
    values = {name: [one.facts.get(name) for one in runs] for name in names}
    return {name: those for name, those in values.items() if any(value != those[0] for value in those)}


def table(rows: list[list[str]]) -> str:
    """Rows of texts in columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def rows_of(runs: list[Run]) -> str:
    """One row an epoch of every run, as CSV; figures by mask ratio have a column each, such as test_accuracy/0.75."""
    from ..train.watching import as_numbers

    rows = [
        {"run": one.name, "epoch": line["epoch"], "step": line["step"]} | as_numbers(line)
        for one in runs
        for line in one.lines
    ]
    columns = dict.fromkeys(["run", "epoch", "step", *(name for row in rows for name in row)])
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def draw(runs: list[Run], target: Path) -> None:
    """Losses and test measures over the epochs; pretraining and fine-tuning have panels of their own."""
    from ..plots import curve_panels, style
    from ..train.best import measure_of

    panels: dict[str, dict[str, tuple]] = {}
    for one in runs:
        values: dict[str, list] = {}
        for line in one.lines:
            points = {f"loss, {one.facts.get('task')}": line.get("loss")}
            points |= dict([measure_of(line)] if measure_of(line) else [])
            for label, value in points.items():
                values.setdefault(label, []).append((line["epoch"], value))
        for label, points in values.items():
            panels.setdefault(label, {})[one.name] = tuple(zip(*points, strict=True))
    if not panels:
        raise ValueError("there is nothing to draw yet: none of the runs has finished an epoch")
    figure, kind = curve_panels(panels, "epoch"), target.suffix[1:].lower()
    if kind == "png":
        write(target, marked(figure.png()))
        return
    picture = io.BytesIO()
    with style():
        figure.savefig(picture, format=kind, metadata={"Creator": MARK.decode()})
    write(target, picture.getvalue())


def marked(png: bytes) -> bytes:
    """The same picture with a text that names its maker."""
    from PIL import Image, PngImagePlugin

    about, file = PngImagePlugin.PngInfo(), io.BytesIO()
    about.add_text("Software", MARK.decode())
    Image.open(io.BytesIO(png)).save(file, "png", pnginfo=about)
    return file.getvalue()


def write(target: Path, content: bytes) -> None:
    from ..paths import written_beside

    with written_beside(target) as beside:
        beside.write_bytes(content)
