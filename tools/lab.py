"""Open JupyterLab on the notebooks, with the flags that this machine needs: ``make lab`` calls it.

python tools/lab.py [flags for JupyterLab]
"""

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from setup import replace_process

ROOT = Path(__file__).resolve().parents[1]
DATA_NAMES = ("auto", "cifar10", "scenes")  # values of MP3_DATA that are not paths


def lab_command(
    environ: Mapping[str, str], uid: int, argv: list[str], *, platform: str = sys.platform, container: bool = False
) -> tuple[list[str], list[str]]:
    """The command that starts JupyterLab, and what to say before.

    ``argv`` are the reader's own flags: they come last, so they win. ``uid`` 0 is root.
    JupyterLab listens on 127.0.0.1 and asks for its token unless those flags say otherwise.
    """
    command = [
        *(sys.executable, "-m", "jupyterlab", "--ServerApp.root_dir=."),
        "--LabApp.default_url=/lab/tree/notebooks/00_tour.ipynb",
        f"--LabApp.extra_labextensions_path={ROOT / 'labextensions'}",
        f"--LabApp.app_settings_dir={ROOT / 'tools' / 'lab_settings'}",
        # a photo that is handed to a notebook travels as one message; beyond the usual 10 MB it would drop the kernel
        "--ServerApp.tornado_settings={'websocket_max_message_size': 268435456}",
    ]
    messages = []
    if uid == 0 and "--allow-root" not in argv:
        command.append("--allow-root")
        messages.append("Running as root, so --allow-root is added.")

    remote = "SSH_CONNECTION" in environ or "SSH_TTY" in environ
    screen = not container and (
        "BROWSER" in environ
        or (not remote and platform in ("darwin", "win32"))
        or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
    )
    if not screen and "--no-browser" not in argv:
        command.append("--no-browser")
        messages.append("No screen here, so --no-browser is added: open the http://127.0.0.1 address printed below.")
    if container and not any(re.match(r"--(ServerApp\.)?ip\b", flag) for flag in argv):
        messages.append(
            "In a container that address is the container's own: start the container with --network host,\n"
            'or publish the port and use make lab LAB_ARGS="--ip 0.0.0.0" (the token stays on).'
        )
    elif not screen:
        port = re.search(r"port[ =](\d+)", " ".join(argv))
        port = port[1] if port else "8888"
        user = environ.get("USER", "you")
        messages.append(f"From another machine, first: ssh -N -L {port}:127.0.0.1:{port} {user}@this-machine")
    return command + argv, messages


def absolute_places(environ: Mapping[str, str], stood: Path) -> dict[str, str]:
    """``MP3_DATA`` and ``MP3_CACHE`` as absolute paths, where they are set to relative ones or begin with ~.

    The kernel of a notebook runs in the notebook's folder, so a relative path would mean another place there.
    ``stood`` is the folder in which the reader called the command.
    """
    places = {}
    for name in ("MP3_DATA", "MP3_CACHE"):
        value = environ.get(name, "")
        if value.strip() and not (name == "MP3_DATA" and value in DATA_NAMES):
            places[name] = os.path.abspath(os.path.join(stood, os.path.expanduser(value)))
    return places


def in_container() -> bool:
    return "container" in os.environ or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def main() -> None:
    os.environ.update(absolute_places(os.environ, Path.cwd()))
    os.chdir(ROOT)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this environment, not one of the reader's others
    command, messages = lab_command(
        os.environ, getattr(os, "getuid", lambda: 1)(), sys.argv[1:], container=in_container()
    )
    print(*messages, sep="\n", end="\n" if messages else "")
    print("Starting", shlex.join(["jupyter", "lab", *command[3:]]), "(Ctrl-C twice ends it)", flush=True)
    sys.exit(replace_process(command))


if __name__ == "__main__":
    main()
