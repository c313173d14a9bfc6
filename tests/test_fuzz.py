"""tools/fuzz.py: a few cases of each kind have no fault, and what would be a fault is seen as one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from scripts import load_script

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.posix  # its processes are forks


@pytest.fixture(scope="module")
def fuzz():
    return load_script("tools/fuzz.py")


@pytest.mark.slow
def test_a_few_hundred_damaged_inputs_have_no_fault(fuzz):
    """In a process of its own: threads of other tests would not survive a fork."""
    quick = [name for name in fuzz.KINDS if name not in ("run folders", "configurations")]
    command = [sys.executable, str(ROOT / "tools" / "fuzz.py"), "--cases", "400", "--seed", "7", "--only", *quick]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1].split()
    assert last[0] == "all" and int(last[1]) >= 390 and last[4] == "0" and int(last[2]) > 20


@pytest.mark.slow
def test_kills_leave_the_cache_readable_or_absent(fuzz):
    found = fuzz.kill_writers(3, 0, tell=lambda line: None)
    assert found["damaged"] == found["not swept by the next write"] == 0 and found["readable"] + found["absent"] == 3


def faults() -> dict:
    def ends(draw, room):
        os.kill(os.getpid(), signal.SIGKILL)

    def raises(draw, room):
        raise KeyError("no sentence")

    def decodes(draw, room):
        b"\xff".decode("utf-8")

    def warns(draw, room):
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)

    def hangs(draw, room):
        time.sleep(60)

    def grows(draw, room):
        assert len(bytearray(b"x") * 1_000_000_000) == 1_000_000_000

    def refuses(draw, room):
        raise ValueError("the file is not a picture")

    return {
        "ends": (ends, "the process ended with status -9"),
        "raises": (raises, "KeyError"),
        "decodes": (decodes, "UnicodeDecodeError"),
        "warns": (warns, "a warning: RuntimeWarning: overflow"),
        "hangs": (hangs, "over 1 s"),
        "grows": (grows, "GB of memory"),
        "refuses": (refuses, ""),
    }


def counted(name: str) -> dict:
    """What the fuzzer says of a case, tried twice."""
    fuzz = load_script("tools/fuzz.py")
    fuzz.KINDS[name] = fuzz.Kind(1, faults()[name][0])
    if name == "hangs":
        fuzz.SECONDS, fuzz.FIRST_SECONDS = 1, 0
    if name == "grows":
        fuzz.MEMORY = 900_000_000  # not by fuzz.memory(): Linux begins to count with what the parent had
    return fuzz.run_kind(name, 2, 0, tell=lambda line: None)


@pytest.fixture(scope="module")
def results() -> dict[str, dict]:
    """Of each case, from a process of its own: threads of other tests would not survive a fork."""
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, __file__], env=environ, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", faults())
def test_each_fault_is_counted_and_the_next_case_runs(name, results):
    result, words = results[name], faults()[name][1]
    assert result["tried"] == 2
    if name == "refuses":
        assert result["refused"] == 2 and result["last refusal"] == "the file is not a picture", result
    else:
        assert result["fault"] == 2 and all(words in fault["fault"] for fault in result["faults"]), result


def test_a_pickle_that_does_something_is_seen(fuzz, monkeypatch):
    monkeypatch.setattr(fuzz, "read_batch", lambda data, name: open(os.devnull).close())
    fuzz.watch.cache_clear()
    with pytest.raises(fuzz.Fault, match="the pickle did something"):
        fuzz.read_watched(b"")


def test_wrong_labels_and_pixels_are_seen(fuzz, monkeypatch, tmp_path, own_cache):
    monkeypatch.setattr(fuzz, "flipped_or_cut", lambda draw, data: data)
    monkeypatch.setattr(fuzz, "right_fingerprint", lambda: "0" * 32)
    with pytest.raises(fuzz.Fault, match="wrong pixels or labels"):
        fuzz.case_archive("tar.gz", random.Random(0), tmp_path)


def test_the_stored_result_has_no_fault(fuzz):
    stored = json.loads(fuzz.RESULT.read_text(encoding="utf-8"))
    assert set(stored["kinds"]) == set(fuzz.KINDS) and all(kind["fault"] == 0 for kind in stored["kinds"].values())
    files = sum(kind["tried"] for name, kind in stored["kinds"].items() if not fuzz.KINDS[name].configuration)
    assert files >= 10_000 and stored["kinds"]["configurations"]["tried"] >= 2_000
    assert stored["versions"]["python"] and stored["kills"]["damaged"] == 0


def test_kinds_that_were_run_again_replace_their_lines(fuzz):
    kind = {"tried": 2, "right": 1, "refused": 1, "fault": 0}
    stored = {"cases": 7, "kinds": {"zip": kind | {"tried": 5}, "tar": kind}, "kills": {"kills": 20}}
    new = fuzz.merged(stored, {"cases": 3, "kinds": {"folders": kind, "zip": kind | {"tried": 1}}})
    assert list(new["kinds"]) == ["folders", "zip", "tar"] and new["kills"] == {"kills": 20}
    assert new["cases"] == 5 and new["kinds"]["zip"]["tried"] == 1


if __name__ == "__main__":
    print(json.dumps({name: counted(name) for name in faults()}))
