"""tools/lab.py, tools/execute.py and conftest.py: each rule seen to hold, and seen to fail where it should."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from scripts import load_script

ROOT = Path(__file__).resolve().parents[1]


# --- lab.py -----------------------------------------------------------------------------------------------------------


def lab(environ=None, uid=1000, argv=(), **machine):
    command, messages = load_script("tools/lab.py").lab_command(environ or {}, uid, list(argv), **machine)
    assert command[1:3] == ["-m", "jupyterlab"]
    assert not any(
        "token" in part or "--ip" in part or "ServerApp.ip" in part for part in command[: -len(argv) or None]
    )
    return command, " ".join(messages)


def test_lab_on_a_desk_adds_nothing():
    for environ, platform in (
        ({"DISPLAY": ":0"}, "linux"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux"),
        ({}, "darwin"),
    ):
        command, messages = lab(environ, platform=platform)
        first = "notebooks/00_tour.ipynb"
        assert command[3:5] == ["--ServerApp.root_dir=.", f"--LabApp.default_url=/lab/tree/{first}"] and messages == ""
        assert (ROOT / first).exists()
        folders = [part.split("=")[1] for part in command[5:7]]
        assert (Path(folders[0]) / "mp3lib" / "package.json").exists(), "the plugin of JupyterLab"
        assert (Path(folders[1]) / "overrides.json").exists(), "the settings of JupyterLab"
        assert len(command) == 8 and "websocket_max_message_size" in command[7]  # large photos reach a notebook


def test_lab_as_root_says_so():
    command, messages = lab({"DISPLAY": ":0"}, uid=0, platform="linux")
    assert "--allow-root" in command and "root" in messages
    command, messages = lab({"DISPLAY": ":0"}, uid=0, argv=["--allow-root"], platform="linux")
    assert command.count("--allow-root") == 1 and messages == ""


def test_lab_on_a_server_says_how_to_reach_it():
    for environ, platform in (({}, "linux"), ({"DISPLAY": ""}, "linux"), ({"SSH_CONNECTION": "1 2 3 4"}, "darwin")):
        command, messages = lab(environ, platform=platform)
        assert "--no-browser" in command and "ssh -N -L 8888:127.0.0.1:8888" in messages
    for argv in (["--port", "8899"], ["--port=8899"], ["--ServerApp.port=8899"]):
        command, messages = lab(argv=["--no-browser", *argv], platform="linux")
        assert command.count("--no-browser") == 1 and "ssh -N -L 8899:127.0.0.1:8899" in messages


def test_lab_in_a_container_says_how_to_reach_it():
    command, messages = lab({"DISPLAY": ":0"}, platform="linux", container=True)
    assert "--no-browser" in command and "--network host" in messages
    command, messages = lab(argv=["--ip", "0.0.0.0"], platform="linux", container=True)
    assert command[-2:] == ["--ip", "0.0.0.0"] and "--network host" not in messages


def test_lab_flags_of_the_reader_come_last():
    assert lab(argv=["--port", "8899", "--LabApp.default_url=/lab"])[0][-1] == "--LabApp.default_url=/lab"


def test_lab_makes_relative_places_absolute_where_the_reader_stood(tmp_path, monkeypatch):
    tool = load_script("tools/lab.py")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert tool.absolute_places({"MP3_DATA": "mydata", "MP3_CACHE": "../c"}, tmp_path / "a") == {
        "MP3_DATA": str(tmp_path / "a" / "mydata"),
        "MP3_CACHE": str(tmp_path / "c"),
    }
    whole = str(tmp_path / "x.zip")
    assert tool.absolute_places({"MP3_DATA": whole}, tmp_path) == {"MP3_DATA": whole}
    assert tool.absolute_places({"MP3_CACHE": "~/c"}, tmp_path) == {"MP3_CACHE": str(tmp_path / "home" / "c")}
    for environ in ({}, {"MP3_DATA": "", "MP3_CACHE": " "}, {"MP3_DATA": "scenes"}, {"MP3_DATA": "cifar10"}):
        assert tool.absolute_places(environ, tmp_path) == {}
    assert tool.absolute_places({"MP3_CACHE": "scenes"}, tmp_path) == {"MP3_CACHE": str(tmp_path / "scenes")}


def test_lab_passes_the_absolute_places_on(tmp_path, monkeypatch):
    """``MP3_DATA=mydata make lab``: JupyterLab, and so each kernel, gets the absolute path; no server is started."""
    tool, started = load_script("tools/lab.py"), []
    monkeypatch.setattr(tool, "replace_process", lambda command: started.append(dict(os.environ)) or 0)
    monkeypatch.setattr(sys, "argv", ["lab.py"])
    monkeypatch.setenv("MP3_DATA", "mydata")
    monkeypatch.setenv("MP3_CACHE", "cache")
    monkeypatch.delenv("JUPYTER_PREFER_ENV_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        tool.main()
    monkeypatch.delenv("JUPYTER_PREFER_ENV_PATH")
    assert started[0]["MP3_DATA"] == str(tmp_path / "mydata") and started[0]["MP3_CACHE"] == str(tmp_path / "cache")
    assert Path.cwd() == ROOT


# --- execute.py -------------------------------------------------------------------------------------------------------


def write(path: Path, *cells: str, **metadata) -> Path:
    notebook = new_notebook(cells=[new_markdown_cell("# Why?"), *map(new_code_cell, cells)], metadata=metadata)
    nbformat.write(notebook, path)
    return path


def test_execute_stores_what_a_reader_without_a_kernel_sees(tmp_path, capsys):
    path = write(
        tmp_path / "01.ipynb",
        "from ipywidgets import IntSlider\nfrom tqdm.auto import tqdm",
        "IntSlider( 3 )",
        "for _ in tqdm(range(60), desc='epochs'): pass",
        "print('shape', (2,3))",
        metadata={"colab": 1},
    )
    raw = json.loads(path.read_text())
    for cell in raw["cells"]:
        del cell["id"]
    path.write_text(json.dumps(raw | {"nbformat_minor": 4}))
    execute = load_script("tools/execute.py").execute

    assert execute(path) > 0
    first = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(first, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"} and notebook.nbformat_minor == 5
    code = notebook.cells[1:]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert [cell.source.splitlines()[-1] for cell in code[1:3]] == ["IntSlider(3)", "    pass"]
    assert code[1].outputs[0].data == {"text/plain": "IntSlider(value=3)"}
    assert code[2].outputs[0].data == {"text/plain": "epochs: 100%|██████████| 60/60"}
    assert code[3].outputs[0].text == "shape (2, 3)\n"
    assert "01.ipynb: " in capsys.readouterr().out

    execute(path)
    assert path.read_text(encoding="utf-8") == first, "a second run changes nothing: ids and format are stable"
    ruff = [sys.executable, "-m", "ruff", "format", "--check", "--config", str(ROOT / "pyproject.toml"), str(path)]
    assert subprocess.run(ruff, capture_output=True).returncode == 0
    assert sorted(tmp_path.iterdir()) == [path]


def test_execute_refuses_to_store_a_failed_run(tmp_path, capsys):
    path = write(tmp_path / "01.ipynb", "x = 1", "assert x == 2, 'x is one'", "x")
    before = path.read_bytes()
    assert load_script("tools/execute.py").execute(path) is None
    assert path.read_bytes() == before and sorted(tmp_path.iterdir()) == [path]
    said = capsys.readouterr().err
    assert "assert x == 2" in said and "AssertionError: x is one" in said


def test_no_tool_leaves_half_of_a_kept_file():
    for name in ("classroom", "checkers", "execute", "licences", "lowest"):
        text = (ROOT / "tools" / f"{name}.py").read_text()
        assert ".write_text(" not in text, "mp3lib.json_files writes all or nothing"


def test_execute_logs_the_newest_run_of_each_kind(tmp_path, monkeypatch):
    tool = load_script("tools/execute.py")
    monkeypatch.setattr(tool, "TIMES", tmp_path / "results" / "notebooks.jsonl")
    monkeypatch.delenv("MP3_BUDGET", raising=False)
    for name, seconds, data in (("02.ipynb", 3.04, "cifar10"), ("01.ipynb", 1, "cifar10"), ("02.ipynb", 2, "cifar10")):
        tool.log(Path(name), seconds, data)
    tool.log(Path("02.ipynb"), 5, "scenes")
    lines = [json.loads(line) for line in tool.TIMES.read_text().splitlines()]
    assert [(x["notebook"], x["budget"], x["data"], x["seconds"]) for x in lines] == [
        ("01.ipynb", "laptop", "cifar10", 1),
        ("02.ipynb", "laptop", "cifar10", 2),
        ("02.ipynb", "laptop", "scenes", 5),
    ]


# --- conftest.py ------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    """An empty project with our settings; its mp3lib only notes that it was asked for images."""
    for name in ("conftest.py", "pyproject.toml", "nbval_sanitize.cfg"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "allowed_skips.toml").write_text('[[skip]]\nreason = "no chromium"\nwhy = "it needs one"\n')
    (tmp_path / "mp3lib.py").write_text(
        "def load_images(name):\n    open('asked', 'a').write(name)\n    print('data: x')\n"
    )
    return tmp_path


@pytest.fixture
def notebook(project):
    (project / "notebooks").mkdir()
    path = write(
        project / "notebooks" / "01_x.ipynb",
        "1 + 1;",
        "object()",
        "print('data: from here')\nprint('three', 3)",
        "from tqdm.auto import tqdm\n\nfor _ in tqdm(range(3)):\n    pass",
    )
    load_script("tools/execute.py").execute(path)
    return path


def run_pytest(project: Path, *arguments: str, folder: str = "."):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environ = os.environ | {"PYTHONPATH": str(project)}
    return subprocess.run(command, cwd=project / folder, env=environ, capture_output=True, text=True)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_nbval_compares_what_matters(project, notebook):
    edit(notebook, '"data: from here\\n', '"data: from another place\\n')
    for folder, target in ((".", "notebooks/"), ("notebooks", ".")):
        answer = run_pytest(project, "--nbval", target, folder=folder)
        assert answer.returncode == 0 and "4 passed" in answer.stdout, answer.stdout
    assert (project / "asked").exists(), "data are there before the first cell runs"
    edit(notebook, '"three 3', '"three 4')
    answer = run_pytest(project, "--nbval", "notebooks/")
    assert answer.returncode == 1 and "1 failed, 3 passed" in answer.stdout, answer.stdout


@pytest.mark.slow
def test_nbval_refuses_a_cell_without_a_stored_run(project, notebook):
    content = nbformat.read(notebook, as_version=4)
    content.cells[3].update(outputs=[], execution_count=None)
    nbformat.write(content, notebook)
    answer = run_pytest(project, "--nbval", "notebooks/")
    assert answer.returncode == 1 and "this cell has no stored run: make notebooks" in answer.stdout, answer.stdout


@pytest.mark.slow
def test_a_skip_needs_a_listed_reason(project):
    (project / "tests" / "test_a.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip('no chromium')\n"
    )
    assert run_pytest(project, "tests").returncode == 0
    unlisted = (
        "@pytest.mark.skip(reason='no time')\ndef test_c(): pass\n",
        "@pytest.mark.xfail(reason='no time')\ndef test_c(): assert False\n",
        "pytest.skip('no time', allow_module_level=True)\n",
    )
    for number, text in enumerate(unlisted):
        (project / "tests" / f"test_{number}.py").write_text(f"import pytest\n{text}")
    for several in ((), ("--numprocesses", "2")):
        answer = run_pytest(project, "tests", *several)
        assert answer.returncode == 1 and "1 passed" in answer.stdout, answer.stdout
        for place in ("test_0.py::test_c: no time", "test_1.py::test_c: xfail: no time", "test_2.py: no time"):
            assert f"tests/{place}\n" in answer.stdout


# --- licences.py and lowest.py ----------------------------------------------------------------------------------------


def test_the_page_of_licenses_has_every_dependency():
    """Names alone: what a license is called differs between versions. After a change: python tools/licences.py"""
    tool = load_script("tools/licences.py")
    page = tool.PAGE.read_text(encoding="utf-8")
    assert tool.names_on(page) == tool.direct() and "torch" in tool.direct()
    assert "not installed" not in page and "see the package" not in page.split("## What these")[0]
    assert all(tool.license(name) for name in tool.direct()) and tool.license("no-such-package") == ""


def test_lowest_versions_are_those_of_pyproject(capsys, monkeypatch):
    tool = load_script("tools/lowest.py")
    monkeypatch.setattr(sys, "argv", ["lowest.py", "test"])
    assert tool.main() == 0
    printed = capsys.readouterr().out.splitlines()
    assert "torch==2.10" in printed and "nbval==0.11.0" in printed
    monkeypatch.setattr(sys, "argv", ["lowest.py", "tests"])
    assert tool.main() == 2 and "there is no extra tests; there are lab, test" in capsys.readouterr().err
    for requirement in ("x", "x<2", "x>=1,<2"):
        with pytest.raises(ValueError, match="not of the form"):
            tool.lowest({"dependencies": [requirement]})


def test_every_test_file_of_the_library_runs_with_the_lowest_versions():
    tool = load_script("tools/lowest.py")
    chosen = {Path(name).stem for name in tool.library_tests()}
    assert {"test_model", "test_features", "test_datasets", "test_export_programs", "test_main", "test_trust"} <= chosen
    assert not chosen & {"test_notebook_03", "test_live_page", "test_site", "test_tools"}
    for name in tool.REPOSITORY:
        assert [*(tool.ROOT / "tests").glob(f"test_{name}.py")], f"{name} is the name of no test file"


# --- workflows --------------------------------------------------------------------------------------------------------


def test_actions_are_named_by_commit_and_version():
    lines = [
        line.split("uses:")[1].strip()
        for file in (ROOT / ".github" / "workflows").glob("*.yml")
        for line in file.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert len(lines) >= 8
    for line in lines:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line
    assert len({line for line in lines}) == len({line.split("@")[0] for line in lines}), "one version of each action"
