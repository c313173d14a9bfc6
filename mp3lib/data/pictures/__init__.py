"""One picture: from the bytes of its file to pixels.

``kinds`` says which formats are read, ``decode`` reads pictures of these formats, ``npy`` arrays. ``contents`` takes
either, or a picture that is an object.
"""
