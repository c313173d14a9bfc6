"""One picture: from the bytes of its file to pixels.

``decode`` reads pictures that Pillow knows, ``npy`` arrays. ``contents`` takes either, or a picture that is an object.
"""
