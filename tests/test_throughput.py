"""The speed benchmark: what it counts, and what it says."""

from __future__ import annotations

import pytest
import torch
from scripts import ROOT, load_script
from torch.utils.flop_counter import FlopCounterMode

from mp3lib import MP3, ViT
from mp3lib.json_files import read_jsonl


@pytest.fixture(scope="module")
def bench():
    return load_script("benchmarks/throughput.py")


def test_flops_are_those_of_the_model_but_for_attention(bench, monkeypatch):
    monkeypatch.setattr(bench, "BATCH", 2)
    mp3 = MP3(ViT(**bench.MODEL), bench.RATIO)
    with FlopCounterMode(display=False) as counter:
        mp3(torch.randn(2, 3, 32, 32)).backward()
    counted = counter.get_flop_counts()["Global"]
    assert bench.flops() == sum(n for operation, n in counted.items() if str(operation) in ("aten.mm", "aten.addmm"))


def test_seconds_to_an_accuracy_are_on_a_line_between_two_trainings(bench):
    library = [{"epochs": e, "seconds": 20 * e, "accuracy": {"0.0": e / 10}} for e in (1, 2, 3)]

    def when(target: float) -> tuple[float, float] | None:
        return bench.when_reached({"accuracy": {"0.0": target}}, library, "0.0")

    assert when(0.25) == pytest.approx((50, 2.5))
    assert when(0.2) == pytest.approx((40, 2.0))
    assert when(0.05) == when(0.1) == (20, 1), "before the first training nothing is known"
    assert when(0.31) is None


def test_report_gives_ratios_within_rounds(bench):
    def one(slow: float) -> dict:
        lines = {name: {"step": slow * (4.0 if "reference" in name else 1.0), "crops": 0.02} for name in bench.LINES}
        return lines | {f"products, {p}": {"step": 0.5 * slow} for p in ("float32", "bf16")}

    about = {"cores": "2", "cpu": "a CPU", "capability": "AVX2", "torch": "2.0.1+cpu", "vit_pytorch": "1.2"}
    result = {"rounds": [one(1), one(7), one(2)], "lines": bench.LINES, "auto": "bf16"}
    result |= {"date": "2026-01-31", "threads": 2, "versions": about}
    text = bench.report(result)
    assert text.startswith("2 cores (a CPU, AVX2), PyTorch 2.0.1, vit_pytorch 1.2, 2 threads, 2026-01-31\n")
    assert text.count("4.00 (4.00 to 4.00) times as fast") == 4  # however slow a round was
    assert "50%" in text
    shares = [{"0.0": 0.31, "0.75": 0.2}, {"0.0": 0.4, "0.75": 0.24}]
    library = [{"epochs": e, "seconds": 20 * e, "accuracy": share} for e, share in enumerate(shares, 1)]
    reference = {"epochs": 4, "seconds": 160, "accuracy": {"0.0": 0.3, "0.75": 0.23}}
    results = [{"reference": reference | {"seconds": seconds}, "library": library} for seconds in (100, 160, 180)]
    text = bench.report(result | {"results": results})
    assert text.endswith(
        "(d) 30.0% placed, everything seen:  reference 160 s (4 epochs)\n"
        f"{'':36}library 20 s (1.0 epochs), 8.00 (5.00 to 9.00) times as fast\n"
        "(d) 23.0% placed, 25% seen:         reference 160 s (4 epochs)\n"
        f"{'':36}library 35 s (1.8 epochs), 4.57 (2.86 to 5.14) times as fast"
    )
    results.append({"reference": reference, "library": library[:1]})
    text = bench.report(result | {"results": results})
    assert text.endswith("library: not reached in 2 epochs")
    for measured in result["rounds"]:
        del measured["reference, bf16"], measured["library, bf16"], measured["products, bf16"]
    result["lines"] = {name: line for name, line in bench.LINES.items() if line["precision"] != "bf16"}
    text = bench.report(result | {"auto": "float32"})
    assert text.count("4.00 (4.00 to 4.00) times as fast") == 3 and "(c) both bf16, same model" in text
    assert "not measured: this processor has no instructions for it" in text and "matrix speed, bf16" not in text


def test_the_page_says_what_was_measured(bench):
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for result in read_jsonl(bench.RESULT):
        assert bench.report(result) in page, "put the output of python benchmarks/throughput.py --show there"
