"""Paint a batch of images at once: skies, grounds and shapes with soft edges, with random numbers of its own.

The same seed gives the same bytes on every machine. For this, the code uses only operations whose float32 results are
exactly defined (sums, products, quotients, square roots, comparisons), and random bits directly from PCG64.
"""

import numpy as np

SIDE = 32  # pixels
# x and y of the centre of each pixel, (32, 32) each
X, Y = np.meshgrid(np.arange(SIDE, dtype=np.float32) + 0.5, np.arange(SIDE, dtype=np.float32) + 0.5)

# time of day -> (top of the sky, sky at the horizon, sun or moon, brightness of everything else); colours are 0 to 255
_TIMES = {
    "noon": ((70, 130, 210), (185, 215, 240), (255, 250, 215), 1.0),
    "morning": ((120, 160, 215), (250, 215, 190), (255, 240, 190), 0.92),
    "evening": ((75, 70, 135), (250, 150, 85), (255, 205, 120), 0.75),
    "grey": ((140, 150, 160), (205, 210, 212), (232, 234, 232), 0.82),
    "night": ((14, 18, 48), (52, 62, 108), (240, 240, 220), 0.42),
}
_GROUNDS = {  # ground -> (colour far away, colour near the viewer)
    "grass": ((120, 160, 90), (55, 105, 45)),
    "sand": ((225, 200, 150), (185, 145, 90)),
    "snow": ((215, 222, 235), (240, 243, 250)),
    "earth": ((150, 125, 95), (105, 78, 52)),
    "water": ((110, 160, 185), (25, 75, 120)),
}


class Scene:
    """A batch of n images that are being painted, and their random numbers.

    Parameters such as coordinates (in pixels, from the top left) have the shape (n, 1, 1), colours (n, 3, 1, 1).

    Attributes: ``canvas`` float32 (n, 3, 32, 32), from 0 to 255. ``landscape`` sets: ``horizon``, its y; ``sun_x`` and
    ``sun_y``; ``light``, 1 where the sun is on the right and -1 where it is on the left; ``bright``, from 0 to 1.
    """

    def __init__(self, number: int, bits: np.random.PCG64):
        self.number, self.bits = number, bits
        self.canvas = np.zeros((number, 3, SIDE, SIDE), dtype=np.float32)

    # -- random numbers --

    def uniform(self, low: float, high: float) -> np.ndarray:
        """A uniform random number from ``low`` to ``high`` for each image: float32 (n, 1, 1)."""
        unit = (self.bits.random_raw(self.number) >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
        return (low + (high - low) * unit).reshape(-1, 1, 1)

    def choice(self, *choices) -> np.ndarray:
        """One of the choices for each image, at random: (n, 1, 1) for numbers, (n, 3, 1, 1) for colours."""
        table = np.asarray(choices, dtype=np.float32)
        index = np.minimum(self.uniform(0, len(table)).astype(np.int64).ravel(), len(table) - 1)
        return table[index].reshape(self.number, *table.shape[1:], 1, 1)

    def jitter(self, colour, spread: float = 18) -> np.ndarray:
        """``colour`` with a random shift of up to ``spread`` in each channel, for each image: (n, 3, 1, 1)."""
        shift = np.stack([self.uniform(-spread, spread) for _ in range(3)], axis=1)
        return np.asarray(colour, dtype=np.float32).reshape(-1, 3, 1, 1) + shift

    # -- paint --

    def paint(self, cover: np.ndarray, colour, light=1.0) -> None:
        """Blend ``colour``, times ``light``, into the canvas. ``cover``, (n, 32, 32) from 0 to 1, is its opacity."""
        colour = np.asarray(colour, dtype=np.float32).reshape(-1, 3, 1, 1)
        if isinstance(light, np.ndarray):
            light = light[:, None]
        change = colour * light - self.canvas
        change *= cover[:, None]
        self.canvas += change

    def finish(self) -> np.ndarray:
        """The images as uint8 (n, 3, 32, 32), with uniform noise of at most 6 levels up or down."""
        noise = self.bits.random_raw(self.canvas.size // 8).astype("<u8").view(np.uint8).reshape(self.canvas.shape)
        pixels = self.canvas + (noise.astype(np.float32) - 127.5) * np.float32(6 / 127.5)
        return (np.clip(pixels, 0, 255) + np.float32(0.5)).astype(np.uint8)

    # -- landscape and objects --

    def landscape(self, *grounds: str, times: tuple = tuple(_TIMES), hills: bool = True) -> None:
        """Paint sky, sun, clouds, hills and ground, and set the attributes that the objects need.

        Ground and time of day are chosen at random for each image, from ``grounds`` and ``times``.
        """
        top, low, sun, bright = self._choose(_TIMES, times)
        self.bright = bright[:, 0]
        self.horizon = self.uniform(14, 20)
        self.sun_x, self.sun_y = self.uniform(2, 30), self.horizon - self.uniform(4, 13)
        self.light = np.where(self.sun_x > 16, np.float32(1), np.float32(-1))
        height = np.clip(Y / self.horizon, 0, 1)
        top, low = self.jitter(top, 10), self.jitter(low, 10)
        self.canvas += top + (low - top) * (height * height)[:, None]
        # sun: a halo that fades with the squared distance, and a disc
        away = (X - self.sun_x) ** 2 + (Y - self.sun_y) ** 2
        self.paint(0.75 / (1 + away / 45), sun)
        self.paint(ellipse(self.sun_x, self.sun_y, *[self.uniform(1.6, 2.6)] * 2), sun)
        for _ in range(2):
            x, y = self.uniform(0, 32), self.uniform(1, 10)
            cloud = np.maximum(
                ellipse(x, y, self.uniform(3, 6), 1.3), ellipse(x + self.uniform(-2, 2), y - 0.9, 2.2, 1.5)
            )
            self.paint(cloud * self.uniform(0, 0.8), low * 0.5 + 128 * self.bright[:, None])
        if hills:
            far = low * 0.55 + np.float32([60, 85, 80]).reshape(1, 3, 1, 1) * self.bright[:, None] * 0.45
            for _ in range(2):
                x, wide = self.uniform(0, 32), self.uniform(9, 20)
                ridge = self.horizon - self.uniform(0.5, 4.5) * np.clip(1 - ((X - x) / wide) ** 2, 0, 1)
                self.paint(np.clip(Y - ridge + 0.5, 0, 1), far)
        self.ground(*grounds)

    def ground(self, *grounds: str) -> None:
        """Paint one of the grounds, chosen for each image, below the horizon.

        Its bands grow wider towards the viewer, and it is darker on the side away from the sun.
        """
        far, near = self._choose(_GROUNDS, grounds)
        far, near = self.jitter(far, 14), self.jitter(near, 14)
        depth = np.clip((Y - self.horizon) / (32 - self.horizon), 0, 1)
        phase = 7 / (depth + 0.16) + self.uniform(0, 4) + X * self.uniform(-0.05, 0.05)
        bands = np.abs(phase - np.floor(phase) - 0.5) * 2
        side = 1 + self.light * (X - 16) * self.uniform(0.002, 0.010)
        shade = (0.93 + 0.14 * bands) * side * (0.25 + 0.75 * self.bright)
        cover = np.clip(Y - self.horizon + 0.5, 0, 1)
        self.canvas += cover[:, None] * ((far + (near - far) * depth[:, None]) * shade[:, None] - self.canvas)

    def position(self, low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A random position on the ground: (x, y of the foot, size), each (n, 1, 1).

        Objects near the viewer stand lower in the image and tend to be larger. ``low`` and ``high`` limit the size.
        """
        near = self.uniform(0, 1)
        foot = self.horizon + 2 + (28.5 - self.horizon - 2) * near
        size = (low + (high - low) * (0.35 * near + 0.65 * self.uniform(0, 1))).astype(np.float32)
        return self.uniform(9, 23), foot, size

    def shadow(self, x, y, wide) -> None:
        """Darken the ground at the foot of an object of half width ``wide``, on the side away from the sun."""
        self.canvas *= 1 - 0.38 * (ellipse(x - self.light * wide * 0.5, y, wide * 1.15, 0.9 + wide * 0.08))[:, None]

    def solid(self, cover, colour, x, wide, lit=0.28) -> None:
        """Paint an object that is lighter on the side of the sun, and darker when the scene is dark.

        x, wide: centre and half width of the object; lit: how much lighter its side towards the sun is, as a fraction.
        """
        side = 1 + lit * self.light * np.clip((X - x) / wide, -1, 1)
        self.paint(cover, colour, side * (0.2 + 0.8 * self.bright))

    def _choose(self, table: dict, names: tuple) -> list[np.ndarray]:
        """Choose a row of ``table`` for each image, among ``names``. Returns its columns; colours are (n, 3, 1, 1)."""
        index = np.minimum(self.uniform(0, len(names)).astype(np.int64).ravel(), len(names) - 1)
        columns = zip(*(table[names[i]] for i in index), strict=True)
        return [np.asarray(column, dtype=np.float32).reshape(self.number, -1, 1, 1) for column in columns]


# --- shapes: opacity from 0 to 1, (n, 32, 32), with soft edges --------------------------------------------------------


def ellipse(x, y, wide, high) -> np.ndarray:
    """An ellipse with centre (``x``, ``y``) and half axes ``wide`` and ``high``."""
    radius = np.sqrt(((X - x) / wide) ** 2 + ((Y - y) / high) ** 2)  # 1 on the border
    return np.clip((1 - radius) * np.minimum(wide, high, dtype=np.float32) + 0.5, 0, 1)


def trapezoid(x, top, bottom, wide, wide_below=None) -> np.ndarray:
    """A symmetric trapezoid about ``x``, from ``top`` to ``bottom``.

    ``wide`` is its half width at the top, ``wide_below`` at the bottom; without ``wide_below`` it is a rectangle.
    """
    wide_below = wide if wide_below is None else wide_below
    here = wide + (wide_below - wide) * np.clip((Y - top) / np.maximum(bottom - top, 0.1), 0, 1)
    return np.clip(here - np.abs(X - x) + 0.5, 0, 1) * np.clip(Y - top + 0.5, 0, 1) * np.clip(bottom - Y + 0.5, 0, 1)
