"""How bright the eye finds red, green and blue: the weights that turn a colour into a grey level."""

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
