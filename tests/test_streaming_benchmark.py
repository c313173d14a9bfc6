"""benchmarks/streaming.py on a few pictures, and what docs/DATA.md says of the stored result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from scripts import load_script

from mp3lib import load_images
from mp3lib.data.sets.wanted import PEAK

ROOT = Path(__file__).resolve().parents[1]


bench = load_script("benchmarks/streaming.py")
measures, pictures, words = (sys.modules[f"streaming_{name}"] for name in ("measures", "pictures", "report"))
ONE = {"images": 90, "size": 32, "file": [40, 48]}


@pytest.fixture
def in_this_process(monkeypatch):
    """The measurements, in this process: of the libraries' start there is nothing to test."""

    def fresh(cache: Path, kind: str, *arguments: object) -> dict:
        monkeypatch.setenv("MP3_CACHE", str(cache))
        return json.loads(json.dumps(measures.MEASURES[kind](*arguments)))

    monkeypatch.setattr(bench, "fresh", fresh)
    monkeypatch.setattr(measures, "READ", 70)
    monkeypatch.setattr(pictures, "SPARE", 200)


def test_pictures_are_as_asked_for(tmp_path, monkeypatch, own_cache):
    monkeypatch.setattr(pictures, "IN_FOLDER", 4)
    monkeypatch.setattr(pictures, "SPARE", 200)
    size = pictures.make_pictures(tmp_path / "set", 10, [40, 48])
    files = sorted((tmp_path / "set").rglob("*.jpg"))
    assert len({file.read_bytes() for file in files}) == 10 and size == sum(file.stat().st_size for file in files)
    images = load_images(tmp_path / "set", (20, 24))
    assert len(images.train) + len(images.test) == 10 and images.classes == ("0", "1", "2")
    assert images.train.images.float().std() > 20
    pictures.make_parquet(tmp_path / "set", tmp_path / "x.parquet")
    again = load_images(tmp_path / "x.parquet", (20, 24))
    assert again.fingerprint == images.fingerprint and again.classes == images.classes


@pytest.mark.slow
@pytest.mark.posix
def test_the_benchmark_measures_and_reports(in_this_process, monkeypatch, tmp_path):
    monkeypatch.setattr(measures, "WORKERS", (0, 1))
    monkeypatch.setattr(bench, "STEP", 2)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = bench.measure([ONE], rounds=1, workers=1)
    assert not [*tmp_path.rglob("pictures")], "the pictures are removed"
    [told] = result["sets"]
    assert [*told["forms"]] == ["in memory", "packed", "streamed"] and 0 < told["bytes"] < 90 * 40 * 48 * 3
    for form in told["forms"].values():
        assert form["peak"] >= form["before"] > 0 and form["per_second"] > 0 and form["first_batch"] > 0
    assert told["forms"]["streamed"]["worker_peak"] > 0
    assert [*result["reading"]] == ["0", "1", "step"] and result["reading"]["step"]["median"] > 0
    text = bench.report(json.loads(json.dumps(result)))
    assert "| 90 at 32 px | packed |" in text and "| a training step of ViT-Ti/16 needs |" in text
    assert "ImageNet" not in text and "in which no process" not in text


def test_the_row_of_imagenet_is_computed_from_the_one_of_its_size():
    def form(first: float) -> dict:
        known = {"before": 4e8, "loaded": 1e6, "peak": 6e8, "worker_peak": 5e8}
        return known | {"first_batch": first, "per_second": 300.0}

    forms = {"in memory": form(10.0), "packed": form(0.5), "streamed": form(1.0)}
    sets = [{"images": 1000, "size": 224, "forms": forms}]
    rows = words.imagenet({"sets": sets})
    assert rows["in memory"]["first_batch"] == pytest.approx(13311.67) and rows["packed"]["first_batch"] == 0.5
    assert rows["in memory"]["peak"] == pytest.approx(4e8 + 1.3 * 1_331_167 * 3 * 224 * 224)
    assert rows["streamed"]["peak"] == pytest.approx(6e8 + 1e6 / 1000 * 1_331_167)
    large = {"images": 100_000, "loaded": 5e7, "start_up": 10.0}
    streamed = words.imagenet({"sets": sets, "large": large})["streamed"]
    assert streamed["peak"] == pytest.approx(6e8 + 500 * 1_331_167)
    assert streamed["first_batch"] == pytest.approx(1 + 133.1167)


@pytest.mark.posix
def test_what_loading_takes_is_measured_for_both_forms(in_this_process, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = bench.measure_loading((30,))
    for form, words_of_it in words.FORMS.items():
        [of] = found["forms"][form]
        assert of["images"] == 30 and of["pixels"] == 30 * 3 * 128 * 128
        assert f"| {words_of_it} | 30 | 0.00 GB |" in words.loading_in_words(found)


@pytest.mark.slow
def test_a_streamed_pretraining_keeps_to_its_limit(tmp_path, monkeypatch):
    """Where the system has such a limit, it also holds: a process that wants more fails."""
    monkeypatch.setattr(pictures, "SPARE", 200)
    pictures.make_pictures(tmp_path / "set", 60, [32, 32])

    def run(gigabytes: float) -> subprocess.CompletedProcess:
        given = ["large", str(tmp_path / "set"), 32, 1, gigabytes, 16]
        command = [sys.executable, measures.__file__, json.dumps(given)]
        settings = {"PYTHONPATH": str(ROOT), "MP3_CACHE": str(tmp_path / "cache"), "ACCELERATE_USE_CPU": "true"}
        return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)

    done = run(4)
    if not sys.platform.startswith("linux"):
        assert done.returncode and "--large needs Linux" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["steps"] == 3 and told["loss_is_finite"] and 0 < told["worker_peak"] <= told["peak"] < 4e9
    assert run(0.05).returncode != 0


def test_a_table_is_written_between_its_marks(tmp_path):
    begin, end, page = "<!-- made by benchmarks/x.py -->", "<!-- end -->", tmp_path / "page.md"
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n{end}\n")
    bench.write_table(page, "x.py", "new")
    assert page.read_text() == f"before\n{begin}\nnew\n{end}\nafter\n{end}\n"


def test_the_page_has_the_tables_of_the_stored_result():
    result = json.loads(bench.RESULT.read_text(encoding="utf-8"))
    assert bench.report(result) in bench.PAGE.read_text(encoding="utf-8"), "python benchmarks/streaming.py --out …"
    for form in result["loading"]["forms"].values():
        assert [round(of["pixels"] / 1e9, 2) for of in form] == [0.15, 0.59]
        assert all(of["most"] < PEAK * of["pixels"] for of in form)
    large = result["large"]
    assert large["images"] == 100_000 and large["loss_is_finite"]
    assert large["peak"] + large["workers"] * large["worker_peak"] < 4e9
