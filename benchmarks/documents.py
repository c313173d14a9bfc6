"""Tables in documents that a benchmark writes, between two marks."""

from __future__ import annotations

from pathlib import Path

from mp3lib.json_files import write_text

END = "<!-- end -->"


def write_table(document: Path, script: str, table: str) -> None:
    """Put a table between the marks of a script in a document, in place of what stands there."""
    begin = f"<!-- made by benchmarks/{script} -->"
    before, rest = document.read_text(encoding="utf-8").split(begin)
    write_text(document, f"{before}{begin}\n{table}\n{END}{rest.partition(END)[2]}")
