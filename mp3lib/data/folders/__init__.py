"""What the names of folders and files say: which split, which class, or nothing.

``layout`` sorts the pictures of a set by their paths. It asks what each folder is (``roles``), which words name a split
(``split_names``), which pictures are masks of others (``targets``), and which names are one class (``class_names``).
``doubts`` are notes on what may be no picture or class. ``unlabelled`` finds pictures without a class,
``annotations`` takes classes from a text beside the pictures, and ``shards`` are the files of a set in parts.
"""
