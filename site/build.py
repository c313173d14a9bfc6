"""Build the static site: every notebook as it is stored, the documents of the project, and the API reference.

    python site/build.py [OUT]            OUT/index.html; by default site/_build/html

live.html runs the network in the browser; its pictures are those that `load_images("auto")` gives. No notebook is
executed. Formulas become SVG here (see mathematics.py), and no page asks another host for anything. A warning is an
error. Everything is laid out and built in OUT/../source; where that succeeded, OUT is replaced. Neither folder is
deleted unless an earlier build has made it.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

SITE = Path(__file__).resolve().parent
ROOT = SITE.parent
MARK = ".made-by-site-build"  # a file in every folder that a build may delete
WIDGET = re.compile(r"\[(live figure|patch picker|patch board)\b")  # the text of a stored widget, see mp3lib/widgets
BOARD = '<p class="try"><a href="../live.html">Use this board in your browser, with nothing to install.</a></p>'
PICTURE = re.compile(r"<picture>.*?</picture>", re.DOTALL)
DARK_SOURCE = re.compile(r'\s*<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">')
LINK = re.compile(r"(\]\(<?|\b(?:href|src)=[\"'])([^)\s>\"'#]+)")


def pages() -> list[Path]:
    """The files that become pages: notebooks by their number, the documents of the project, the tables of results."""
    folders = {".": "*.md", "docs": "*.md", "results": "*.md"}
    documents = [path for folder, names in folders.items() for path in sorted((ROOT / folder).glob(names))]
    return sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")) + documents


# --- documents and notebooks ------------------------------------------------------------------------------------------


def with_links(text: str, path: Path, source: Path) -> str:
    """Markdown of the file ``path`` whose links inside the project lead somewhere on the site.

    The README is the front page; another file is offered as it is; a folder becomes a page that lists its files.
    """

    def link(match: re.Match) -> str:
        before, target = match.groups()
        file = (path.parent / target).resolve()
        if re.match(r"[a-z]+:", target) or not file.exists() or not file.is_relative_to(ROOT):
            return match[0]  # a broken link stays one: Sphinx warns of it, which ends the build
        if file == ROOT / "README.md":
            file = ROOT / "index.md"
        elif file.is_dir():
            file = list_folder(file, source)
        elif file not in pages():
            copy(file, source)
        return before + Path(os.path.relpath(file, path.parent)).as_posix()

    return LINK.sub(link, text)


def with_both_themes(text: str) -> str:
    """Markdown in which each picture with a variant for dark pages is two, one for each theme of the site.

    The site has a switch of its own, so the system's setting does not decide. Furo shows only one of the two, and a
    browser does not load the other.
    """

    def both(match: re.Match) -> str:
        dark = DARK_SOURCE.search(match[0])
        if not dark:
            return match[0]
        light = DARK_SOURCE.sub("", match[0]).replace("<img ", '<img loading="lazy" ')
        other = re.sub(r'(<img [^>]*src=")[^"]+', rf"\g<1>{dark[1]}", light)
        return "\n".join(
            picture.replace("<picture>", f'<picture class="only-{theme}">')
            for theme, picture in (("light", light), ("dark", other))
        )

    return PICTURE.sub(both, text)


def copy(file: Path, source: Path) -> None:
    there = source / file.relative_to(ROOT)
    if there.exists():
        return
    there.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".md":
        there.touch()  # two documents may link to each other
        text = with_links(file.read_text(encoding="utf-8"), file, source)
        there.write_text("---\norphan: true\n---\n" + text, encoding="utf-8")
    else:
        shutil.copy(file, there)


def list_folder(folder: Path, source: Path) -> Path:
    """A page that offers the text files of a folder; returns where it would stand in the project."""
    name = folder.relative_to(ROOT).as_posix()
    page = folder / "index.md"
    there = source / page.relative_to(ROOT)
    if there.exists():
        return page
    lines = ["---", "orphan: true", "---", f"# {name}", ""]
    for file in sorted(folder.iterdir()):
        if file.suffix in {".json", ".jsonl", ".md", ".toml", ".py"} and file.stat().st_size < 1_000_000:
            copy(file, source)
            lines.append(f"- [{file.name}]({file.name})")
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def lay_out_notebook(path: Path, source: Path) -> None:
    """The notebook with its links turned; the alt text of figures and the names of folded cells for myst-nb."""
    notebook, cells = json.loads(path.read_text(encoding="utf-8")), []
    for cell in notebook["cells"]:
        cell["source"], outputs = "".join(cell["source"]), cell.get("outputs", [])
        if cell["cell_type"] == "markdown":
            cell["source"] = with_links(cell["source"], path, source)
        widgets = [WIDGET.match("".join(o.get("data", {}).get("text/plain", ""))) for o in outputs]
        if any(widgets):
            cell["metadata"].setdefault("tags", []).append("live")  # site.css adds a line to its output
        alt = [o["metadata"].get("image/png", {}).get("alt") for o in outputs if "metadata" in o]
        shown = {"image": {"alt": "; ".join(filter(None, alt))}} if any(alt) else {}
        if "hide-input" in cell["metadata"].get("tags", []):  # the first line says what the cell draws
            shown["code_prompt_show"] = "Code: " + cell["source"].partition("\n")[0].lstrip("# ")
            shown["code_prompt_hide"] = "Hide the code"
        cell["metadata"]["mystnb"] = shown
        cells.append(cell)
        if any(widget and widget[1] == "patch board" for widget in widgets):
            cells.append({"cell_type": "markdown", "id": f"{cell['id']}-page", "metadata": {}, "source": BOARD})
    notebook["cells"] = cells
    notebook["cells"][0]["source"] += f"\n\n{{download}}`Download this notebook </as-stored/{path.name}>`"
    shutil.copy(path, source / "as-stored")
    (source / "notebooks" / path.name).write_text(json.dumps(notebook), encoding="utf-8")


# --- the library ------------------------------------------------------------------------------------------------------


INTERNAL = {"arguments", "cli", "json_files", "luma", "paths", "stopping"}  # what nobody is meant to import


def modules() -> list[str]:
    """What has a page: the packages, by their faces, the modules beside them, and the modules that a face exports."""
    names = [path.name.removesuffix(".py") for path in (ROOT / "mp3lib").iterdir()]
    names = [f"mp3lib.{name}" for name in names if name.isidentifier() and name[0] != "_" and name not in INTERNAL]
    names = [name for name in names if importlib.util.find_spec(name).origin]  # weights and live hold no Python
    for name in list(names):
        face = importlib.import_module(name)
        exported = [getattr(face, each) for each in getattr(face, "__all__", ())]
        names += [each.__name__ for each in exported if inspect.ismodule(each)]
    return sorted(names)


def heading(text: str, mark: str = "=") -> list[str]:
    return [text, mark * len(text), ""]


def first_paragraph(module: types.ModuleType) -> str:
    return " ".join((inspect.getdoc(module) or "").split("\n\n")[0].split())


def lay_out_reference(folder: Path) -> None:
    """One page for each module, one for the command line, and their list."""
    import mp3lib

    folder.mkdir()
    index = heading("The library, package by package")
    index += ["The names in this table are also in ``mp3lib`` itself: ``from mp3lib import MP3, ViT``.", ""]
    index += [".. list-table::", "   :widths: auto", ""]
    index += [f"   * - :py:obj:`{n} <mp3lib.{home}.{n}>`\n     - ``mp3lib.{home}``" for n, home in mp3lib._HOME.items()]
    index.append("")
    for name in modules():
        module = importlib.import_module(name)
        index += [f":doc:`{name} <{name}>`", f"   {escape(first_paragraph(module))}", ""]
        if hasattr(module, "__path__"):
            page = face_page(module)
        else:
            page = [*heading(name), f".. automodule:: {name}", "   :members:", "   :member-order: bysource", ""]
        (folder / f"{name}.rst").write_text("\n".join(page), encoding="utf-8")
    index += [":doc:`python -m mp3lib <command-line>`", "   The command line.", ""]
    index += [".. toctree::", "   :hidden:", "", *[f"   {name.partition('.')[2]} <{name}>" for name in modules()]]
    index += ["   command-line"]
    (folder / "index.rst").write_text("\n".join(index) + "\n", encoding="utf-8")
    (folder / "command-line.rst").write_text("\n".join(command_line()) + "\n", encoding="utf-8")


def face_page(face: types.ModuleType) -> list[str]:
    """The page of a package: each name that its face exports, under the first sentence of the file that it is from."""
    homes = origins(face)
    lines = [*heading(face.__name__), f".. automodule:: {face.__name__}", "   :no-members:", ""]
    for home in dict.fromkeys(homes.values()):
        module = importlib.import_module(home)
        file = home.removeprefix(face.__name__ + ".")
        lines += heading(f"In {file}", "-") + [escape(first_paragraph(module)), ""]
        names = [name for name, where in homes.items() if where == home]
        for name in sorted(names, key=lambda name: position(module, name)):
            value = getattr(face, name)
            if inspect.ismodule(value):
                lines += [f"It has a page of its own: :doc:`{value.__name__}`.", ""]
                continue
            kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
            members = ["   :members:", "   :member-order: bysource"] if kind == "class" else []
            lines += [f".. auto{kind}:: {face.__name__}.{name}", *members, ""]
    return lines


def origins(face: types.ModuleType) -> dict[str, str]:
    """For each name that a face exports the module that it is from, in the order in which the face imports them."""
    homes = {}
    for node in ast.parse(inspect.getsource(face)).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            for alias in node.names:
                module = node.module or alias.name  # from . import cues
                homes[alias.asname or alias.name] = f"{face.__name__}.{module}"
    return {name: homes[name] for name in homes if name in face.__all__}


def position(module: types.ModuleType, name: str) -> int:
    """The line of a module in which a name is defined; names that it only imports come last."""
    for node in ast.parse(inspect.getsource(module)).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node]
        if name in {getattr(target, "id", getattr(target, "name", None)) for target in targets}:
            return node.lineno
    return sys.maxsize


def escape(text: str) -> str:
    from docstrings import plain

    return plain(text)


def command_line() -> list[str]:
    """What ``--help`` says, for each command."""
    from mp3lib.cli import parser

    os.environ["COLUMNS"] = "88"
    top = parser()
    lines = heading("The command line")
    for name, each in [("", top), *top.commands.items()]:
        lines += heading(f"python -m mp3lib {name}", "-") if name else []
        lines += [".. code-block:: text", "", *[f"   {line}" for line in each.format_help().splitlines()], ""]
    return lines


# --- all of it --------------------------------------------------------------------------------------------------------


def lay_out(source: Path) -> None:
    """Write everything that Sphinx reads into the empty folder ``source``."""
    for name in ("notebooks", "as-stored", "docs", "results"):
        (source / name).mkdir(parents=True)
    for path in pages():
        if path.suffix == ".ipynb":
            lay_out_notebook(path, source)
        else:
            text = with_links(with_both_themes(path.read_text(encoding="utf-8")), path, source)
            (source / path.relative_to(ROOT)).write_text(text, encoding="utf-8")
    shutil.copy(SITE / "index.md", source)
    lay_out_reference(source / "api")
    from live import write_live

    write_live(source / "live")


def complaint(folder: Path) -> str:
    """Why a folder may not be deleted and made anew; "" where it may."""
    if not folder.exists() or folder.is_dir() and ((folder / MARK).exists() or not any(folder.iterdir())):
        return ""
    kind = f"is not empty and has no file {MARK}" if folder.is_dir() else "is a file"
    return f"{folder} {kind}: it was not made by site/build.py, so it stays. Name another OUT, or delete it yourself."


def make_anew(folder: Path) -> None:
    """Empty a folder but for the mark that lets a later build delete it."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def build(out: Path) -> int:
    """Build the site in ``out``; the exit status."""
    sys.path[:0] = [str(ROOT), str(SITE)]
    source = out.parent / "source"
    problems = [complaint(out), complaint(source)] if out != source else ["OUT cannot be named source: name another."]
    if any(problems):
        print(*filter(None, problems), sep="\n", file=sys.stderr)
        return 1
    make_anew(source)
    try:
        lay_out(source)
    except ImportError as error:
        print(f"The site needs what `pip install -e '.[site]'` installs: {error}", file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-E", "-d"]
    built = source / ".built" / "html"
    command += [str(source / ".built" / "doctrees"), "-c", str(SITE), "-D", f"html_extra_path={source / 'live'}"]
    command += [str(source), str(built)]
    code = subprocess.run(command).returncode
    if code == 0:
        make_anew(out)
        shutil.copytree(built, out, dirs_exist_ok=True)
        # pictures that a page names in HTML of its own, such as the README's <picture>: Sphinx leaves them out
        shutil.copytree(ROOT / "assets", out / "assets", dirs_exist_ok=True)
        print(f"{len(list(out.rglob('*.html')))} pages, {size(out):.1f} MB: {out / 'index.html'}")
    return code


def size(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=SITE / "_build" / "html", metavar="OUT")
    return build(parser.parse_args(arguments).out.resolve())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
