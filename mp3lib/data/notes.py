"""Notes: what a reader should know of a data set that is used all the same."""


class Note(UserWarning):
    """A warning of something about the images or labels; the command line prints it as ``note: …`` and goes on."""
