"""The static site: built once, then every page opened in a browser, wide and narrow, with the network closed."""

import functools
import html
import importlib
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from scripts import load_script
from static_server import served

ROOT = Path(__file__).resolve().parents[1]
BOOK = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
WIDE, PHONE = {"width": 1400, "height": 1000}, {"width": 390, "height": 844}

pytestmark = pytest.mark.slow


def need_sphinx() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("sphinx", "myst_nb", "furo", "ziamath")):
        pytest.skip("no sphinx")


def build(out: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "site" / "build.py"), str(out)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"HF_HUB_OFFLINE": "1"})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder with the finished pages."""
    need_sphinx()
    out = tmp_path_factory.mktemp("site") / "html"
    answer = build(out)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return out


@pytest.fixture(scope="module")
def address(site):
    """The site as a server on this machine gives it."""
    with served(site) as address:
        yield address


class Tab:
    """A page of the browser that notes every error, and every request to another host, which it refuses."""

    def __init__(self, browser, address: str, size: dict, scheme: str = "light"):
        self.address, self.wrong = address, []
        self.context = browser.new_context(viewport=size, color_scheme=scheme)
        self.page = self.context.new_page()
        self.page.on("console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("response", lambda r: self.wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        self.page.route("**/*", self.only_here)

    def only_here(self, route) -> None:
        if route.request.url.startswith((self.address, "data:")):
            route.continue_()
        else:
            self.wrong.append(f"outside: {route.request.url}")
            route.abort()

    def open(self, name: str):
        self.page.goto(self.address + name, wait_until="load")
        return self.page


@pytest.fixture
def tab(browser, address, request):
    tab = Tab(browser, address, *getattr(request, "param", (WIDE,)))
    yield tab
    tab.context.close()


def names(site: Path) -> list[str]:
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


def packages() -> list[str]:
    """The packages that readers import; the commands of the command line have a page of their own."""
    return [path.parent.name for path in (ROOT / "mp3lib").glob("*/__init__.py") if path.parent.name != "cli"]


# --- without a browser ------------------------------------------------------------------------------------------------


def test_every_notebook_document_and_module_has_a_page(site):
    pages = set(names(site))
    assert {f"notebooks/{path.stem}.html" for path in BOOK} <= pages
    assert {f"{path.stem}.html" for path in ROOT.glob("*.md")} - {"README.html"} | {"index.html"} <= pages
    for folder in ("docs", "results"):
        assert {f"{folder}/{path.stem}.html" for path in (ROOT / folder).glob("*.md")} <= pages
    listed = {f"mp3lib.{name}" for name in [*packages(), "board", "results", "budgets", "data.cues"]}
    assert {f"api/{name}.html" for name in listed} | {"api/command-line.html", "api/index.html"} == {
        page for page in pages if page.startswith("api/")
    }


def test_the_page_of_a_package_shows_what_its_face_exports(site):
    """Every name of every face, once, and no other function or class of its files."""
    for package in packages():
        name = f"mp3lib.{package}"
        face = importlib.import_module(name)
        page = (site / "api" / f"{name}.html").read_text(encoding="utf-8")
        shown = re.findall(rf'<dt class="sig sig-object py" id="{re.escape(name)}\.(\w+)"', page)
        exported = [each for each in face.__all__ if not inspect.ismodule(getattr(face, each))]
        assert sorted(shown) == sorted(exported), name
        assert "ForwardRef" not in page


def test_links_inside_the_site_lead_somewhere(site):
    """Each href and src of each page, the part after # included."""
    text = {name: (site / name).read_text(encoding="utf-8") for name in names(site)}
    ids = {name: set(re.findall(r'\bid="([^"]*)"', page)) for name, page in text.items()}
    broken = []
    for name, page in text.items():
        for target in re.findall(r'(?:href|src)="([^"]+)"', page):
            if re.match(r"(https?|mailto|data):", target):
                continue
            url = urlsplit(urljoin(name, target.replace("&amp;", "&")))
            file = unquote(url.path) or name
            if not (site / file).is_file() or (url.fragment and file in ids and unquote(url.fragment) not in ids[file]):
                broken.append(f"{name}: {target}")
    assert broken == []


def test_stored_outputs_are_there_and_nothing_was_run(site):
    """As many pictures on the page as in the notebook, each with its alt text, and the text that was printed."""
    for path in BOOK:
        page = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        stored = json.loads(path.read_text(encoding="utf-8"))["cells"]
        cells = [cell for cell in stored if cell["cell_type"] == "code"]
        outputs = [output for cell in cells for output in cell["outputs"]]
        pictures = sum("image/png" in output.get("data", {}) for output in outputs)
        pictures += sum("".join(cell["source"]).count("<img ") for cell in stored if cell["cell_type"] == "markdown")
        shown = re.findall(r'<img[^>]*src="\.\./_images/[^>]*>', page)
        assert len(shown) == pictures > 0, path.name
        assert [tag for tag in shown if not re.search(r'alt="[^"]{5,}"', tag) or "_images" in tag.split("src")[0]] == []
        assert len(re.findall(r'class="cell(?: tag_[\w-]+)* docutils container"', page)) == len(cells), path.name
        folded = [cell for cell in cells if "hide-input" in cell["metadata"].get("tags", [])]
        assert page.count('<details class="admonition hide above-input">') == len(folded), path.name
        widgets = ("[live figure: ", "[patch picker: ", "[patch board: ")
        live = [cell for cell in cells if any(text in json.dumps(cell["outputs"]) for text in widgets)]
        assert page.count("tag_live") == len(live), path.name
        boards = [cell for cell in cells if "[patch board: " in json.dumps(cell["outputs"])]
        assert page.count('<a href="../live.html">') == len(boards), path.name
        told = re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
        assert not re.search(r"\|(—|-{3})", told), f"{path.name}: a table in an output is shown as text"
        words = html.unescape(page).replace("’", "'")
        for cell in folded:
            assert f"Code: {''.join(cell['source']).splitlines()[0][2:]}" in words, path.name


def test_the_page_that_runs_the_network_is_there(site):
    """It is the first link of the front page, and it loads little."""
    front = (site / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'<a [^>]*href="([^"]+)"', front.partition("<article")[2])[0] == "live.html"
    before_the_first_answer = ["live.html", "live-puzzler.js"]
    assert sum((site / name).stat().st_size for name in before_the_first_answer) < 2.5e6
    assert (site / "live-pupil.js").is_file()


def test_the_front_page_speaks_to_readers_of_the_site(site):
    """It has the title of the README, but nothing to run before the page that is already there."""
    front = html.unescape((site / "index.html").read_text(encoding="utf-8"))
    title = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    assert re.findall(r"<h1>(.*?)<a ", front) == [title] and "make site" not in front
    assert front.count('<picture class="only-light">') == front.count('<picture class="only-dark">') == 1


def test_a_picture_with_a_dark_variant_becomes_two():
    turn = load_script("site/build.py").with_both_themes
    one = '<picture>\n  <img src="a.webp" alt="x">\n</picture>'
    assert turn(f"text {one} text") == f"text {one} text"
    dark = '  <source media="(prefers-color-scheme: dark)" srcset="b.webp">\n'
    assert turn(one.replace("<picture>\n", "<picture>\n" + dark)) == (
        '<picture class="only-light">\n  <img loading="lazy" src="a.webp" alt="x">\n</picture>\n'
        '<picture class="only-dark">\n  <img loading="lazy" src="b.webp" alt="x">\n</picture>'
    )


def test_formulas_are_drawn(site):
    """One SVG for each formula in the source, none left as text."""
    for path in BOOK:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        prose = re.sub(r"```.*?```|`[^`]*`", "", prose, flags=re.DOTALL)
        formulas = re.findall(r"\$\$.+?\$\$|\$[^$\n]+\$", prose, flags=re.DOTALL)
        page = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert page.count('<svg class="formula"') == len(formulas), path.name


def test_a_formula_that_cannot_be_drawn_is_refused():
    need_sphinx()
    mathematics = load_script("site/mathematics.py")
    drawn = mathematics.svg(r"\frac{k}{n}", inline=True)
    assert 'aria-label="\\frac{k}{n}"' in drawn and "currentColor" in drawn and "em;" in drawn
    for wrong in (r"\unheardof{x}", r"\left( x"):
        with pytest.raises(Exception):  # noqa: B017 - of the parser or ours: the page reports either
            mathematics.svg(wrong, inline=True)


def test_a_build_deletes_only_what_a_build_has_made(tmp_path, monkeypatch, capsys):
    tool = load_script("site/build.py")
    status = 0

    def sphinx(command: list[str]) -> subprocess.CompletedProcess:
        Path(command[-1]).mkdir(parents=True)
        (Path(command[-1]) / "index.html").touch()
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(tool, "lay_out", lambda source: (source / "index.md").touch())
    monkeypatch.setattr(tool.subprocess, "run", sphinx)
    mine, out = tmp_path / "mine", tmp_path / "site" / "html"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    assert tool.main([str(mine)]) == 1
    said = capsys.readouterr().err
    assert f"{mine} is not empty and has no file {tool.MARK}: it was not made by site/build.py, so it stays" in said
    assert (mine / "thesis.txt").read_text() == "years" and not (tmp_path / "source").exists()

    assert tool.main([str(out)]) == 0
    (out / "old.html").touch()
    status = 2
    assert tool.main([str(out)]) == 2 and (out / "old.html").exists(), "a build that failed leaves the old site"
    status = 0
    assert tool.main([str(out)]) == 0 and not (out / "old.html").exists() and (out / "index.html").exists()
    assert sorted(path.name for path in out.parent.iterdir()) == ["html", "source"], "nothing else beside it"

    (out.parent / "source" / tool.MARK).unlink()
    (out / "old.html").touch()
    assert tool.main([str(out)]) == 1 and "source is not empty" in capsys.readouterr().err
    assert (out / "old.html").exists() and (out.parent / "source" / "index.md").exists(), "neither is touched"

    assert tool.main([str(mine / "thesis.txt")]) == 1 and "is a file" in capsys.readouterr().err
    assert tool.main([str(tmp_path / "source")]) == 1 and "cannot be named source" in capsys.readouterr().err
    empty = tmp_path / "other" / "empty"
    empty.mkdir(parents=True)
    assert tool.main([str(empty)]) == 0 and (empty / tool.MARK).exists(), "an empty folder is as good as none"


def test_help_is_no_folder(tmp_path):
    answer = subprocess.run(
        [sys.executable, str(ROOT / "site" / "build.py"), "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert answer.returncode == 0 and "usage:" in answer.stdout and [*tmp_path.iterdir()] == []


def test_links_are_turned_to_what_the_site_has(tmp_path):
    turn = functools.partial(
        load_script("site/build.py").with_links, path=ROOT / "notebooks" / "05_x.ipynb", source=tmp_path
    )
    assert turn("[a](../README.md#measured)") == "[a](../index.md#measured)"
    assert turn(f"[a]({BOOK[0].name}) [b](https://x.org/y)") == f"[a]({BOOK[0].name}) [b](https://x.org/y)"
    assert turn("[a](nowhere.md)") == "[a](nowhere.md)", "left to Sphinx, which refuses it"
    assert turn("[a](../pyproject.toml)") == "[a](../pyproject.toml)" and (tmp_path / "pyproject.toml").exists()
    assert turn("[a](../results/runs/pupil-4x4)") == "[a](../results/runs/pupil-4x4/index.md)"
    listed = (tmp_path / "results" / "runs" / "pupil-4x4" / "index.md").read_text(encoding="utf-8")
    assert "[metrics.jsonl](metrics.jsonl)" in listed and "safetensors" not in listed


def test_docstrings_become_lists():
    docstring = """Does *x* y_.

        x = 1

    Args:
        a, b: of the shape (n,), see
            ``c_``.

    Raises:
        ValueError: if ``a`` is 0."""
    told = "\n".join(load_script("site/docstrings.py").converted(inspect.cleandoc(docstring).splitlines()))
    assert told.startswith("Does \\*x\\* y\\_.") and ".. code-block:: python\n\n   x = 1" in told
    assert ":Arguments:\n   ``a``, ``b``\n      of the shape (n,), see ``c_``." in told
    assert ":Raises:\n   ``ValueError``\n      if ``a`` is 0." in told


# --- with a browser ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", [(WIDE,), (PHONE, "dark")], ids=["wide", "phone"], indirect=True)
def test_every_page_opens(site, tab):
    """Without an error, a missing picture, a request to another host, or a page that scrolls sideways."""
    wrong = {}
    for name in names(site):
        tab.wrong.clear()
        page = tab.open(name)
        said = list(tab.wrong)
        said += page.evaluate(  # of two pictures for light and dark pages, one is shown, and only it is loaded
            "async () => { const shown = [...document.images].filter(i => i.checkVisibility());"
            "await Promise.allSettled(shown.filter(i => i.loading === 'lazy').map(i => i.decode()));"
            "return shown.filter(i => !i.complete || !i.naturalWidth || !i.alt).map(i => `image ${i.src}`) }"
        )
        width = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        said += [f"scrolls sideways by {width} pixels"] if width > 0 else []
        said += [] if name == "search.html" or page.locator("h1").count() else ["no title"]
        said += page.evaluate(
            "() => [...document.querySelectorAll('svg.formula')].filter(s => !s.getBoundingClientRect().width)"
            ".map(s => `formula ${s.ariaLabel}`)"
        )
        if said:
            wrong[name] = said
    assert wrong == {}


def test_an_interval_in_a_table_stays_on_one_line(tab):
    """On a phone too, where the table scrolls by itself."""
    page = tab.open("notebooks/09_shortcuts.html")
    page.set_viewport_size({"width": 390, "height": 800})
    broken = page.evaluate(
        "() => [...document.querySelectorAll('div.cell_output td + td')].filter(cell => { const all = new Range();"
        "all.selectNodeContents(cell); const tops = [...all.getClientRects()].map(r => r.top);"
        "return Math.max(...tops) - Math.min(...tops) > 8 }).map(cell => cell.innerText)"
    )
    assert broken == [] and page.locator("div.cell_output td + td").count() > 50


def test_paper_shows_all_code(tab):
    """Nothing of the screen's own lies over the text, and no line of code is wider than its box."""
    page = tab.open("notebooks/04_masked_position_prediction.html")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})
    assert not page.locator(".skip-to-content").is_visible()
    assert (
        page.evaluate(
            "() => [...document.querySelectorAll('pre')].filter(p => p.scrollWidth > p.clientWidth + 1).length"
        )
        == 0
    )


@pytest.mark.parametrize("tab", [(WIDE, "light"), (WIDE, "dark")], ids=["light", "dark"], indirect=True)
def test_the_film_of_the_front_page_follows_the_theme(tab):
    """Whatever the system prefers, the switch of the site decides; the other film is not loaded."""
    page = tab.open("index.html")
    shown = "() => [...document.images].filter(i => i.checkVisibility() && i.src.includes('overview')).map(i => i.src)"
    for theme, name in (("light", "overview.webp"), ("dark", "overview-dark.webp")):
        page.evaluate("theme => { document.body.dataset.theme = theme }", theme)
        [source] = page.evaluate(shown)
        assert source.endswith(name)


def test_search_finds_context(tab):
    page = tab.open("index.html")
    page.get_by_role("searchbox").or_(page.get_by_placeholder("Search")).first.fill("context")
    page.keyboard.press("Enter")
    page.locator("#search-results li").first.wait_for()
    page.get_by_text("Search finished").wait_for()
    found = page.locator("#search-results").inner_text()
    assert "What is left to learn when positions are the answer?" in found
    assert "mp3lib.model" in found and tab.wrong == []


def test_folded_solutions_open(tab):
    page = tab.open("notebooks/04_masked_position_prediction.html")
    first = page.locator("details").first
    inside = first.locator("p, pre").last
    assert not inside.is_visible()
    first.locator("summary").click()
    assert inside.is_visible()


@pytest.mark.parametrize("tab", [(WIDE, "dark")], ids=["dark"], indirect=True)
def test_dark_mode_follows_the_system_and_the_switch(tab):
    page = tab.open("notebooks/04_masked_position_prediction.html")

    def brightness() -> float:
        colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    assert brightness() < 60
    formula = page.locator("svg.formula").first
    assert sum(map(int, re.findall(r"\d+", formula.evaluate("e => getComputedStyle(e).color"))[:3])) / 3 > 150
    for _ in range(3):  # the switch goes round: as the system, light, dark
        page.locator("button.theme-toggle:visible").first.click()
        if brightness() > 200:
            break
    assert brightness() > 200
