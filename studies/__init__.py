"""What makes this repository's own runs, tables and pages: ``python -m studies --help``.

``plan`` says what is trained, ``train``, ``recipes`` and ``stages`` train it, ``ship`` and ``cues`` go on from there.
``runs`` reads finished runs; ``tables``, ``shipped_tables``, ``claims`` and ``verdicts`` make tables of them, with the
help of ``markdown`` and ``provenance``; ``pages`` lists the files that hold the tables.
"""
