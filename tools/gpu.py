"""Check this library on one GPU, measure it, and train a ViT-S for some minutes: python tools/gpu.py --minutes 8

It needs the repository and the images (MP3_DATA, or the cache), and does three things in turn:

    compare   loss, logits and gradients on the device, in float32 and in bf16, against float32 on the CPU
    speed     images a second of the library's training and of a plain loop around vit_pytorch.mp3, where that is
              installed; both in bf16 (float32 where the device has no bf16), in turns
    train     a ViT-S (22 million parameters, 8 x 8 grid) until the minutes are over: the number of epochs is chosen by
              the speed that was just measured, so that the learning rate ends at 0. A checkpoint after every epoch

The folder --out then has figures.json, the log, and the weights in half precision. Without a GPU it runs on the CPU,
which is for testing it: add --tiny (a small network, few images, two epochs).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from mp3lib import MP3, ViT, load_images
from mp3lib.data import random_resized_crop, to_float
from mp3lib.evaluate import position_accuracy
from mp3lib.json_files import write_json
from mp3lib.paths import expanded, with_usual_mode, written_beside
from mp3lib.train import pretrain, resolve_precision
from mp3lib.train.run_folder import versions

VIT_S = dict(num_classes=10, image_size=32, patch_size=4, dim=384, depth=12, heads=6, mlp_dim=1536, patch_norm=False)
TINY = VIT_S | dict(patch_size=8, dim=32, depth=2, heads=2, mlp_dim=64)
RATIO, QUERIES = 0.75, 0.5
TOLERANCE = {"float32": 1e-3, "bf16": 5e-2}  # of the largest difference, relative to the largest value
SHARE = 0.9  # of the minutes go to training; the rest is for loading, saving and testing


def compare(device: torch.device, model: dict) -> dict[str, dict[str, float]]:
    """The largest differences to float32 on the CPU, relative to the largest value: {precision: {what: difference}}.

    Raises:
        ValueError: if one is above ``TOLERANCE``.
    """
    torch.manual_seed(0)
    mp3 = MP3(ViT(**model), RATIO)
    images = to_float(torch.randint(0, 256, (16, 3, *mp3.vit.image_size), dtype=torch.uint8))
    context = torch.arange(mp3.vit.num_patches // 4)

    def outcome(device: torch.device, bf16: bool) -> dict[str, torch.Tensor]:
        on_device = mp3.to(device)
        on_device.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            prediction = on_device.predict(images.to(device), context)
            loss = torch.nn.functional.cross_entropy(
                on_device.position_logits(
                    on_device.embed(images.to(device)),
                    torch.arange(mp3.vit.num_patches, device=device).expand(16, -1),
                    context.to(device).expand(16, -1),
                ).flatten(0, 1),
                torch.arange(mp3.vit.num_patches, device=device).repeat(16),
            )
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in on_device.parameters() if p.grad is not None])
        return {
            "logits": prediction.logits.float().cpu(),
            "loss": loss.detach().float().cpu(),
            "gradient": gradient.cpu(),
        }

    expected, found = outcome(torch.device("cpu"), False), {}
    for precision, tolerance in TOLERANCE.items():
        got = outcome(device, precision == "bf16")
        found[precision] = {
            name: float((got[name] - expected[name]).abs().max() / expected[name].abs().max()) for name in expected
        }
        for name, difference in found[precision].items():
            print(f"{precision:8} {name:9} differs by {difference:.1e} of the largest value (at most {tolerance:g})")
            if not difference <= tolerance:
                raise ValueError(
                    f"{name} in {precision} on {device} differs by {difference:.2e} from float32 on the CPU"
                )
    return found


def library_speed(model: dict, images: torch.Tensor, batch: int, precision: str) -> float:
    """Images a second of the library's training: its second epoch."""
    torch.manual_seed(0)
    mp3 = MP3(ViT(**model), RATIO, "updated")
    lines = pretrain(
        mp3, images, epochs=2, batch_size=batch, query_fraction=QUERIES, precision=precision, progress=False
    )
    return len(images) // batch * batch / lines[-1]["seconds"]


def reference_speed(model: dict, images: torch.Tensor, batch: int, precision: str, device: torch.device) -> float:
    """Images a second of a plain loop around ``vit_pytorch.mp3``: its second epoch, with the library's crops."""
    from vit_pytorch import mp3 as reference

    shape = {name: value for name, value in model.items() if name != "patch_norm"}
    mp3 = reference.MP3(reference.ViT(**shape, dim_head=64), masking_ratio=RATIO).to(device)
    optimizer = torch.optim.AdamW(mp3.parameters(), 1e-3)
    for _ in range(2):
        begun = time.perf_counter()
        for chosen in torch.randperm(len(images)).split(batch)[: len(images) // batch]:
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                loss = mp3(random_resized_crop(images[chosen].to(device)))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        loss.item()  # waits for the device
        seconds = time.perf_counter() - begun
    return len(images) // batch * batch / seconds


def speed(model: dict, images: torch.Tensor, batch: int, precision: str, device: torch.device, rounds: int) -> dict:
    """Images a second of the library and of the reference, measured in turns: {name: [one a round]}."""
    lines = {"library": lambda: library_speed(model, images, batch, precision)}
    try:
        import vit_pytorch  # noqa: F401

        lines["reference"] = lambda: reference_speed(model, images, batch, precision, device)
    except ImportError:
        print("vit_pytorch is not installed (pip install vit-pytorch): the library is measured alone")
    found: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(rounds):
        for name, measure in lines.items():
            found[name].append(measure())
    for name, values in found.items():
        print(f"{name:10} {statistics.median(values):8.0f} images a second ({min(values):.0f} to {max(values):.0f})")
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=expanded, default=Path("runs/gpu"), metavar="DIR", help="default: runs/gpu")
    parser.add_argument("--minutes", type=float, default=8, help="of everything together (default: 8)")
    parser.add_argument("--batch-size", type=int, default=512, metavar="B", help="default: 512")
    parser.add_argument("--data", default="cifar10", help="cifar10, scenes or a folder (default: cifar10)")
    parser.add_argument("--tiny", action="store_true", help="a small network, few images, two epochs")
    args = parser.parse_args(argv)
    if not args.minutes > 0 or args.batch_size < 1:
        parser.error(f"--minutes and --batch-size must be above 0, got {args.minutes} and {args.batch_size}")
    begun = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"device: {name}")
    model, precision = TINY if args.tiny else VIT_S, resolve_precision("auto")
    images = load_images(args.data)
    train, test = images.train.images[: 512 if args.tiny else None], images.test.images[: 256 if args.tiny else None]
    batch = min(args.batch_size, len(train) // 4)

    figures: dict = {"device": name, "model": model, "batch_size": batch, "precision": precision}
    figures["differences"] = compare(device, model)
    sample = train[: 20 * batch]
    figures["images_per_second"] = speed(model, sample, batch, precision, device, rounds=3)
    left = 60 * args.minutes - (time.monotonic() - begun)
    per_epoch = len(train) / statistics.median(figures["images_per_second"]["library"])
    epochs = int(SHARE * left / per_epoch)
    epochs = min(epochs, 2) if args.tiny else epochs
    if epochs < 1:
        print(f"{left:.0f} seconds are left, and an epoch takes {per_epoch:.0f}: give more --minutes", file=sys.stderr)
        return 1
    print(f"training for {epochs} epochs of about {per_epoch:.1f} seconds")
    torch.manual_seed(0)
    mp3 = MP3(ViT(**model), RATIO, "updated")
    about = {"data": images.name, "source": images.source, "fingerprint": images.fingerprint}
    lines = pretrain(
        mp3, train, epochs=epochs, batch_size=batch, query_fraction=QUERIES, lr=2e-3, crop_area=(0.6, 1.0),
        eval_images=test[:2000], eval_every=max(1, epochs // 10), out=args.out, about=about,
    )  # fmt: skip
    figures |= {"epochs": epochs, "seconds": sum(line["seconds"] for line in lines)}
    figures["positions"] = {str(r): s for r, s in position_accuracy(mp3, test, (0.0, 0.25, 0.5, 0.75, 0.9)).items()}
    halves = {name: t.to(torch.float16) for name, t in load_file(args.out / "model.safetensors").items()}
    with written_beside(args.out / "model-float16.safetensors") as beside:
        save_file(halves, beside)
        with_usual_mode(beside)
    write_json(args.out / "figures.json", figures | {"versions": versions()})
    accuracy = figures["positions"]["0.75"]["accuracy"]
    print(f"{args.out}: {epochs} epochs, position accuracy {accuracy:.3f} at mask ratio .75")
    return 0


if __name__ == "__main__":
    sys.exit(main())
