"""The result of ``streaming.py`` in words: the tables of docs/DATA.md, and what is computed for ImageNet-1K."""

from __future__ import annotations

from mp3lib.data.sets.wanted import PEAK, Wanted

FORMS = {"folder": "a folder", "parquet": "a parquet file"}
IMAGENET = {"images": 1_331_167, "size": 224}  # those of training and validation


def imagenet(result: dict) -> dict[str, dict]:
    """ImageNet-1K's row, from the set of its size: what grows with the pictures is multiplied."""
    like = next(one for one in reversed(result["sets"]) if one["size"] == IMAGENET["size"])
    times = IMAGENET["images"] / like["images"]
    base = max(form["before"] for form in like["forms"].values())
    pixels = Wanted((IMAGENET["size"],) * 2).pixels(IMAGENET["images"])
    # what a stream keeps for each picture, such as its name, is measured best on the set with the most pictures
    streamed = [(one["images"], one["forms"]["streamed"]["loaded"]) for one in result["sets"]]
    streamed += [(result["large"]["images"], result["large"]["loaded"])] if "large" in result else []
    number, kept = max(streamed)
    rows = {form: dict(of) for form, of in like["forms"].items()}
    rows["in memory"]["peak"] = base + PEAK * pixels
    rows["packed"]["peak"] = base + pixels
    rows["streamed"]["peak"] += max(kept, 0) / number * IMAGENET["images"]
    rows["in memory"]["first_batch"] *= times
    if "large" in result:  # whose start was measured
        rows["streamed"]["first_batch"] += result["large"]["start_up"] * IMAGENET["images"] / result["large"]["images"]
    else:
        rows["streamed"]["first_batch"] *= times
    return rows


def gigabytes(number: float) -> str:
    """Bytes, in words."""
    return f"{number / 1e9:,.1f} GB"


def seconds(number: float) -> str:
    """Seconds, or minutes where there are many, in words."""
    if number < 9.95:
        return f"{number:.1f} s"
    return f"{number:,.0f} s" if number < 600 else f"{number / 60:,.0f} min"


def row(title: str, form: str, of: dict, workers: int) -> str:
    """A line of the table of forms."""
    peak = gigabytes(of["peak"])
    if form == "streamed" and workers:
        peak += f", each worker {gigabytes(of['worker_peak'])}"
    rate = f"{of['per_second']:,.0f}" if of["per_second"] < 1000 else f"{round(of['per_second'], -2):,.0f}"
    return f"| {title} | {form} | {peak} | {seconds(of['first_batch'])} | {rate} |"


def report(result: dict) -> str:
    """The result as the tables of docs/DATA.md."""
    about, reading, workers = result["versions"], result["reading"], result["workers"]
    base = max(form["before"] for one in result["sets"] for form in one["forms"].values())
    size, file = result["sets"][-1]["size"], result["sets"][-1]["file"]
    lines = [
        "| set | form | peak memory | until the first batch | images a second, first epoch |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for one in result["sets"]:
        title = f"{one['images']:,} at {one['size']} px"
        lines += [row(title, form, of, workers) for form, of in one["forms"].items()]
    if any(one["size"] == IMAGENET["size"] for one in result["sets"]):
        title = f"ImageNet-1K, {IMAGENET['images']:,} at {IMAGENET['size']} px, computed"
        lines += [row(title, form, of, workers) for form, of in imagenet(result).items()]
    packing = [f"{seconds(one['packing'])} for the {one['images']:,} at {one['size']} px" for one in result["sets"]]
    lines += [
        "",
        f"{gigabytes(base)} of the peak is Python with PyTorch. A pack counts as memory while its pages are used, but "
        "the system takes them back when it needs them, and processes share them. "
        f"Packing took {' and '.join(packing)}. The rates include random crops, and no network.",
        "",
        f"| JPEG files of {file[1]} x {file[0]} pixels, read at {size} px | images a second |",
        "|---|---|",
    ]
    names = {"0": "no workers", "1": "1 worker", "step": "a training step of ViT-Ti/16 needs"}
    for name, of in reading.items():
        words = names.get(name, f"{name} workers")
        lines.append(f"| {words} | {of['median']:,.0f} ({of['low']:,.0f} to {of['high']:,.0f}) |")
    if loading := result.get("loading"):
        lines += ["", loading_in_words(loading)]
    if large := result.get("large"):
        lines += ["", large_in_words(large)]
    load = "" if result["load"] is None else f", load {result['load']:.1f} from other programs"
    machine = f"{about['cores']} cores ({about['cpu']}), {workers} workers, PyTorch {about['torch'].split('+')[0]}"
    lines += ["", f"{machine}, {result['date']}{load}."]
    return "\n".join(lines)


def large_in_words(large: dict) -> str:
    """The pretraining by streaming, in sentences."""
    total = large["peak"] + large["workers"] * large["worker_peak"]
    return (
        f"A pretraining on {large['images']:,} JPEG files, streamed at {large['size']} px by {large['workers']} "
        f"workers, in which no process may have more than {large['gigabytes']} GB of data: {large['steps']:,} steps of "
        f"{large['batch']} images in {seconds(large['seconds'])}. The peak is {gigabytes(large['peak'])}, and "
        f"{gigabytes(large['worker_peak'])} in each worker, at most {gigabytes(total)} together."
    )


def loading_in_words(loading: dict) -> str:
    """What loading takes at the worst moment, as a table."""
    lines = [
        "| loaded into memory | images | pixels | at the worst moment | times the pixels |",
        "|---|---|---|---|---|",
    ]
    for form, sizes in loading["forms"].items():
        for of in sizes:
            most = f"{of['most'] / 1e9:.2f} GB | {of['most'] / of['pixels']:.2f}"
            lines.append(f"| {FORMS[form]} | {of['images']:,} | {of['pixels'] / 1e9:.2f} GB | {most} |")
    return "\n".join(lines)
