"""Build the static site: every notebook as it is stored, the documents of the project, and the API reference.

    python site/build.py [OUT]            OUT/index.html; by default site/_build/html

Nothing is executed and nothing is fetched: formulas become SVG here (see mathematics.py), and no page asks another host
for anything. The sources are laid out in OUT/../source first, where Sphinx reads them. A warning is an error.
"""

import importlib
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SITE = Path(__file__).resolve().parent
ROOT = SITE.parent
LINK = re.compile(r"(\]\(<?|\b(?:href|src)=[\"'])([^)\s>\"'#]+)")


def pages() -> list[Path]:
    """The files that become pages: notebooks by their number, the documents of the project, the tables of results."""
    notebooks = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    return notebooks + sorted(ROOT.glob("*.md")) + sorted((ROOT / "results").glob("*.md"))


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


def copy(file: Path, source: Path) -> None:
    there = source / file.relative_to(ROOT)
    there.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".md":
        there.write_text("---\norphan: true\n---\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
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
    """The notebook with its links turned, and the alt text of its figures where myst-nb looks for it."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"] = with_links(cell["source"], path, source)
        alt = [o["metadata"].get("image/png", {}).get("alt") for o in cell.get("outputs", []) if "metadata" in o]
        if any(alt):
            cell["metadata"]["mystnb"] = {"image": {"alt": "; ".join(filter(None, alt))}}
    notebook["cells"][0]["source"] += f"\n\n{{download}}`Download this notebook </as-stored/{path.name}>`"
    shutil.copy(path, source / "as-stored")
    (source / "notebooks" / path.name).write_text(json.dumps(notebook), encoding="utf-8")


# --- the library ------------------------------------------------------------------------------------------------------


def modules() -> list[str]:
    """The modules of the library whose names do not begin with an underscore."""
    files = sorted((ROOT / "mp3lib").rglob("*.py"))
    parts = [file.relative_to(ROOT).with_suffix("").parts for file in files]
    parts = [p[:-1] if p[-1] == "__init__" else p for p in parts]
    return [".".join(p) for p in parts if len(p) > 1 and not any(x.startswith("_") for x in p)]


def heading(text: str, mark: str = "=") -> list[str]:
    return [text, mark * len(text), ""]


def lay_out_reference(folder: Path) -> None:
    """One page for each module, one for the command line, and their list."""
    import mp3lib

    folder.mkdir()
    index = heading("The library, module by module")
    index += ["The names in this table are also in ``mp3lib`` itself: ``from mp3lib import MP3, ViT``.", ""]
    index += [".. list-table::", "   :widths: auto", ""]
    index += [f"   * - :py:obj:`{n} <mp3lib.{home}.{n}>`\n     - ``mp3lib.{home}``" for n, home in mp3lib._HOME.items()]
    index.append("")
    for name in modules():
        first = " ".join((inspect.getdoc(importlib.import_module(name)) or "").split("\n\n")[0].split())
        index += [f":doc:`{name} <{name}>`", f"   {escape(first)}", ""]
        page = [*heading(name), f".. automodule:: {name}", "   :members:", "   :member-order: bysource", ""]
        (folder / f"{name}.rst").write_text("\n".join(page), encoding="utf-8")
    index += [":doc:`python -m mp3lib <command-line>`", "   The command line.", ""]
    index += [".. toctree::", "   :hidden:", "", *[f"   {name.partition('.')[2]} <{name}>" for name in modules()]]
    index += ["   command-line"]
    (folder / "index.rst").write_text("\n".join(index) + "\n", encoding="utf-8")
    (folder / "command-line.rst").write_text("\n".join(command_line()) + "\n", encoding="utf-8")


def escape(text: str) -> str:
    from docstrings import plain

    return plain(text)


def command_line() -> list[str]:
    """What ``--help`` says, for each command."""
    import argparse

    from mp3lib.__main__ import parser

    os.environ["COLUMNS"] = "88"
    top = parser()
    (commands,) = [a for a in top._actions if isinstance(a, argparse._SubParsersAction)]
    lines = heading("The command line")
    for name, each in [("", top), *commands.choices.items()]:
        lines += heading(f"python -m mp3lib {name}", "-") if name else []
        lines += [".. code-block:: text", "", *[f"   {line}" for line in each.format_help().splitlines()], ""]
    return lines


# --- all of it --------------------------------------------------------------------------------------------------------


def lay_out(source: Path) -> None:
    """Write everything that Sphinx reads into the empty folder ``source``."""
    for name in ("notebooks", "as-stored", "results"):
        (source / name).mkdir(parents=True)
    for path in pages():
        if path.suffix == ".ipynb":
            lay_out_notebook(path, source)
        else:
            text = with_links(path.read_text(encoding="utf-8"), path, source)
            (source / path.relative_to(ROOT)).write_text(text, encoding="utf-8")
    shutil.copy(SITE / "index.md", source)
    lay_out_reference(source / "api")


def main(out: Path) -> int:
    sys.path[:0] = [str(ROOT), str(SITE)]
    source = out.parent / "source"
    for folder in (source, out):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        lay_out(source)
    except ImportError as error:
        print(f"The site needs what `pip install -e '.[site]'` installs: {error}", file=sys.stderr)
        return 1
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-E", "-d"]
    command += [str(out.parent / "doctrees"), "-c", str(SITE), str(source), str(out)]
    code = subprocess.run(command).returncode
    if code == 0:
        # pictures that a page names in HTML of its own, such as the README's <picture>: Sphinx leaves them out
        shutil.copytree(ROOT / "assets", out / "assets", dirs_exist_ok=True)
        print(f"{len(list(out.rglob('*.html')))} pages, {size(out):.1f} MB: {out / 'index.html'}")
    return code


def size(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else SITE / "_build" / "html").resolve()))
