"""What whole numbers cost and save: python benchmarks/int8.py

The classifier that comes with the library as ONNX, in float32, and with the weights of its matrices in int8 (dynamic
quantization of ONNX Runtime). Accuracy on CIFAR-10's first 2,000 test images; processor time on one
thread, interleaved, median of five rounds of 200 images; bytes of the file. Writes results/benchmarks/int8.json.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor

from mp3lib import load_images, load_shipped
from mp3lib.data import to_float
from mp3lib.export import save_onnx
from mp3lib.json_files import write_json
from mp3lib.train.run_folder import versions

RESULT = Path(__file__).resolve().parents[1] / "results" / "benchmarks" / "int8.json"
NAME, BATCH, ROUNDS, IMAGES, TIMED = "classifier-8x8", 100, 5, 2000, 200


def session(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options)


def top1(run: onnxruntime.InferenceSession, images: Tensor, labels: Tensor) -> float:
    right = 0
    for batch, target in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        (logits,) = run.run(["logits"], {"images": to_float(batch).numpy()})
        right += (logits.argmax(1) == target.numpy()).sum()
    return int(right) / len(images)


def seconds(run: onnxruntime.InferenceSession, images: Tensor) -> float:
    """Processor seconds of the first images."""
    begun = time.process_time()
    for batch in images[:TIMED].split(BATCH):
        run.run(["logits"], {"images": to_float(batch).numpy()})
    return time.process_time() - begun


def main() -> None:
    test = load_images("cifar10").test
    with tempfile.TemporaryDirectory() as room:
        files = {kind: Path(room, f"{kind}.onnx") for kind in ("float32", "int8")}
        save_onnx(load_shipped(NAME), files["float32"])
        quantize_dynamic(files["float32"], files["int8"], weight_type=QuantType.QInt8, per_channel=True)
        runs = {kind: session(file) for kind, file in files.items()}
        rounds = [{kind: seconds(run, test.images) for kind, run in runs.items()} for _ in range(ROUNDS + 1)][1:]
        found = {
            kind: {
                "top1": top1(run, test.images[:IMAGES], test.labels[:IMAGES]),
                "bytes": files[kind].stat().st_size,
                "images_per_second": round(TIMED / statistics.median(each[kind] for each in rounds)),
            }
            for kind, run in runs.items()
        }
    ratio = round(statistics.median(each["float32"] / each["int8"] for each in rounds), 2)
    packages = {"onnxruntime": onnxruntime.__version__}
    write_json(
        RESULT, {"weights": NAME, "images": IMAGES, **found, "times_as_fast": ratio, "versions": versions() | packages}
    )
    for kind, figures in found.items():
        print(f"{kind:>8}: top-1 {figures['top1']:.4f}, {figures['bytes']:,} bytes, {figures['images_per_second']} a s")
    print(f"int8 is {ratio} times as fast")


if __name__ == "__main__":
    main()
