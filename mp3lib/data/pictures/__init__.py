"""One picture: from the bytes of its file to pixels.

``kinds`` says which formats are read, ``decode`` reads pictures of these formats, ``npy`` arrays. ``corrections`` puts
right what Pillow reads otherwise than the file says. ``contents`` takes pictures, arrays and objects.
"""
