"""tools/gpu.py, on the CPU and at a tiny size: it compares, measures, trains, and leaves what it promises."""

import json

import pytest
import torch
from safetensors.torch import load_file
from scripts import load_script

from mp3lib.model import load_mp3


@pytest.fixture(scope="module")
def gpu():
    return load_script("tools/gpu.py")


def test_the_whole_script_at_a_tiny_size(gpu, tmp_path, capsys):
    out = tmp_path / "run"
    assert gpu.main(["--tiny", "--data", "scenes", "--minutes", "20", "--out", str(out)]) == 0
    figures = json.loads((out / "figures.json").read_text())
    assert figures["epochs"] == 2
    assert figures["differences"]["float32"]["logits"] < 1e-3
    assert 0 < figures["differences"]["bf16"]["logits"] < 0.05
    assert set(figures["images_per_second"]) == {"library", "reference"}
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 2
    trained, halves = load_mp3(out).state_dict(), load_file(out / "model-float16.safetensors")
    assert (out / "model-float16.safetensors").stat().st_mode == (out / "figures.json").stat().st_mode
    for name, value in halves.items():
        assert value.dtype == torch.float16
        torch.testing.assert_close(value.float(), trained[name], atol=1e-3, rtol=1e-3)
    assert "training for 2 epochs" in capsys.readouterr().out


def test_too_few_minutes_are_refused_before_training(gpu, tmp_path, capsys):
    out = tmp_path / "run"
    assert gpu.main(["--tiny", "--data", "scenes", "--minutes", "0.001", "--out", str(out)]) == 1
    assert "give more --minutes" in capsys.readouterr().err and not out.exists()
    with pytest.raises(SystemExit):
        gpu.main(["--minutes", "0", "--out", str(out)])


def test_a_wrong_result_of_the_device_is_an_error(gpu, monkeypatch):
    monkeypatch.setattr(gpu, "TOLERANCE", {"bf16": 1e-9})
    with pytest.raises(ValueError, match="bf16 on cpu differs by .* from float32 on the CPU"):
        gpu.compare(torch.device("cpu"), gpu.TINY)
