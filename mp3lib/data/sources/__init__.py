"""Where sets come from and where they are kept.

``from_paths`` takes what is at a path, ``datasets`` are objects, and ``download`` fetches CIFAR-10. ``cache`` and
``pack`` keep what was decoded. ``making`` turns what a reader returns into the images of a set.
"""
