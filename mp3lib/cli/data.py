"""``python -m mp3lib data``: where the images are."""

from __future__ import annotations

import argparse

from .options import figures_options


def add(commands) -> None:
    data = commands.add_parser(
        "data",
        parents=[figures_options()],
        help="where the images are: show, fetch or remove them",
        description=data_help(),
    )
    data.add_argument("action", choices=("status", "fetch", "clear"), help="what to do")


def run(args: argparse.Namespace) -> dict:
    from ..data import cache_status, clear_cache, fetch_cifar10

    if args.action == "fetch":
        images = fetch_cifar10()
        return {"data": images.name, "fingerprint": images.fingerprint}
    text = cache_status() if args.action == "status" else clear_cache()
    print(text)
    return {args.action: text}


def data_help() -> str:
    return (
        "CIFAR-10 is looked for at $MP3_DATA, then in the cache ($MP3_CACHE, else the user's cache folder), then "
        "downloaded; MP3_DATA=scenes forces the small embedded set."
    )
