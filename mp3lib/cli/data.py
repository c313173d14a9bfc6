"""``python -m mp3lib data``: where the images are, and packs of them."""

from __future__ import annotations

import argparse

from .options import Parser, add_array_options, figures_options
from .training import size_of
from .values import named, path, whole


def add(commands) -> Parser:
    data = commands.add_parser(
        "data",
        parents=[figures_options()],
        help="where the images are: show, fetch or remove them; pack a set into one file",
        description=data_help(),
    )
    data.add_argument("action", choices=("status", "fetch", "clear", "pack"), help="what to do")
    data.add_argument("path", type=named, nargs="?", metavar="PATH", help="pack: the images, a path as --data takes it")
    data.add_argument(
        "--size", type=whole, nargs="+", metavar="PIXELS", help="pack: side, or height and width (default: 32)"
    )
    add_array_options(data)
    data.add_argument(
        "--out", type=path, metavar="FILE", help="pack: the file (default: beside PATH, as photos-224.safetensors)"
    )
    return data


def run(args: argparse.Namespace) -> dict:
    from ..data import cache_status, clear_cache, fetch_cifar10, pack_images

    if (args.path is not None) != (args.action == "pack"):
        raise ValueError("pack needs a PATH" if args.path is None else f"{args.action} takes no PATH, got {args.path}")
    if args.action == "pack":
        more = {"channels": args.channels, "value_range": args.value_range}
        file = pack_images(args.path, size_of(args) or 32, args.out, **more)
        print(f"{file}: {file.stat().st_size:,} bytes; give it as --data, with the same --size or without")
        return {"pack": str(file)}
    if args.size or args.out or args.channels or args.value_range:
        raise ValueError(f"{args.action} takes no --size, --out, --channels and --value-range: they are for pack")
    if args.action == "fetch":
        images = fetch_cifar10()
        return {"data": images.name, "fingerprint": images.fingerprint}
    text = cache_status() if args.action == "status" else clear_cache()
    print(text)
    return {args.action: text}


def data_help() -> str:
    return (
        "CIFAR-10 is looked for at $MP3_DATA, then in the cache ($MP3_CACHE, else the user's cache folder), then "
        "downloaded; MP3_DATA=scenes forces the small embedded set. pack decodes a set once, into one "
        "file that is opened at once."
    )
