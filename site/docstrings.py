"""The form of our docstrings, for Sphinx: Args, Returns, Yields, Raises, indented code, and plain text besides."""

import re
import textwrap

TITLES = {"Args:": "Arguments", "Returns:": "Returns", "Yields:": "Yields", "Raises:": "Raises"}
CODE = re.compile(r"(``.+?``|`[^`]+`)")


def plain(text: str) -> str:
    """Text that means itself: what reStructuredText reads as marks is escaped, outside of code."""
    parts = CODE.split(text)
    parts[::2] = [re.sub(r"([*|\\])|(?<=\w)(_)(?!\w)", lambda m: "\\" + m[0], part) for part in parts[::2]]
    return "".join(parts)


def entries(lines: list[str]) -> list[str]:
    """``name, name: text`` with its continuation lines, as a definition list."""
    out, block = [], []

    def finish() -> None:
        if block:
            names, _, text = " ".join(line.strip() for line in block).partition(": ")
            out.extend([", ".join(f"``{n}``" for n in names.split(", ")), *paragraph(text), ""])
            block.clear()

    for line in lines:
        if line and not line.startswith(" "):
            finish()
        if line:
            block.append(line)
    finish()
    return out


def paragraph(text: str) -> list[str]:
    return ["   " + line for line in textwrap.wrap(plain(text), 200, break_long_words=False)]


def converted(lines: list[str]) -> list[str]:
    """A docstring's lines as reStructuredText."""
    out, i = [], 0
    while i < len(lines):
        line = lines[i]
        indented = line.startswith("    ")
        if line in TITLES or indented and (i == 0 or not lines[i - 1].strip()):
            end = i + (line in TITLES)
            while end < len(lines) and (not lines[end].strip() or lines[end].startswith("    ")):
                end += 1
            body = textwrap.dedent("\n".join(lines[i + (line in TITLES) : end])).strip("\n").split("\n")
            if line not in TITLES:
                out += [".. code-block:: python", "", *["   " + x for x in body], ""]
            else:
                body = entries(body) if line in ("Args:", "Raises:") else [plain(x) for x in body]
                out += ["", f":{TITLES[line]}:", *["   " + x for x in body], ""]
            i = end
        else:
            out.append(re.sub(r"::$", ":", plain(line)))
            i += 1
    return out


def setup(app) -> dict:
    def process(app, what, name, obj, options, lines) -> None:
        foreign = what == "data" and " ".join(lines).split() == (type(obj).__doc__ or "").split()
        lines[:] = [] if foreign else converted(lines)  # a dict would be shown with the docstring of dict

    def skip(app, what, name, obj, skip, options) -> bool | None:
        """What a class has from elsewhere is not ours to explain."""
        return True if getattr(obj, "__module__", None) and not obj.__module__.startswith("mp3lib") else None

    def name_aliases(app, what, name, obj, options, signature, returns) -> tuple[str | None, str | None]:
        """Sphinx writes ``ArrayLike | None`` with its own class for names that it does not look up."""
        return tuple(text and re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text) for text in (signature, returns))

    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-process-signature", name_aliases)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
