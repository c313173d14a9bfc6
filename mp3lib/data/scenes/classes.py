"""The ten classes of `scenes`, a function each.

Coordinates and sizes are pixels from the top left corner, one value for each image of the scene, with shape (n, 1, 1).
``size`` is the size of the object, ``foot`` the y at which it stands on the ground. The order of the random numbers is
part of the data set: another order gives other images.
"""

import numpy as np

from .painter import SIDE, Scene, X, Y, ellipse, trapezoid

COLOURS = tuple(  # red, yellow, blue, white, green, violet, orange, black
    tuple(bytes.fromhex(colour)) for colour in "c8322d ebb432 3264b9 f0f0eb 3c965f 82468c e17832 3c3c46".split()
)


def balloon(s: Scene) -> None:
    s.landscape("grass", "sand", "earth", "snow", "water", times=("noon", "morning", "evening", "grey"))
    x, y, r = s.uniform(8, 24), s.uniform(7, 14), s.uniform(4.2, 7)
    first, second = s.jitter(s.choice(*COLOURS)), s.jitter(s.choice(*COLOURS))
    s.solid(trapezoid(x, y + r * 1.05, y + r * 1.75, r * 0.28), (90, 80, 70), x, r)  # ropes
    s.solid(trapezoid(x, y + r * 1.5, y + r * 1.9, r * 0.26), (130, 85, 45), x, r)  # basket
    body = np.maximum(ellipse(x, y, r, r), trapezoid(x, y + r * 0.45, y + r * 1.3, r * 0.88, r * 0.25))
    s.solid(body, first, x, r)
    stripes = np.clip(
        np.abs(np.abs(X - x) / (r * np.sqrt(np.clip(1.15 - ((Y - y) / r) ** 2, 0.15, 1))) - 0.5) * -8 + 1.6, 0, 1
    )
    s.solid(body * stripes, second, x, r)


def boat(s: Scene) -> None:
    s.landscape("water")
    x, foot, size = s.position(4.5, 8)
    foot = np.minimum(foot, 27)
    hull, sail = s.jitter(s.choice(*COLOURS)), s.jitter(s.choice((245, 240, 230), (245, 240, 230), *COLOURS))
    s.shadow(x, foot + 1, size)
    s.solid(trapezoid(x, foot + 0.5, foot + size * 0.45, size * 0.7, size * 0.4) * 0.35, hull, x, size)  # reflection
    mast = x + size * s.uniform(-0.15, 0.15)
    s.solid(trapezoid(mast, foot - size * 1.75, foot, 0.35), (85, 60, 40), x, size)
    facing = s.choice(-1, 1)
    # the large sail on one side of the mast, the small one on the other
    behind = np.clip((X - mast) * facing + 0.2, 0, 1)
    s.solid(trapezoid(mast, foot - size * 1.65, foot - size * 0.4, 0.3, size * 0.8) * behind, sail, x, size)
    s.solid(
        trapezoid(mast, foot - size * 1.3, foot - size * 0.4, 0.3, size * 0.55) * (1 - behind), sail * 0.88, x, size
    )
    s.solid(trapezoid(x, foot - size * 0.3, foot + size * 0.15, size, size * 0.65), hull, x, size)


def cactus(s: Scene) -> None:
    s.landscape("sand", "earth", "sand", times=("noon", "morning", "evening", "night"))
    x, foot, size = s.position(5, 9)
    green = s.jitter(s.choice((60, 120, 60), (85, 130, 75), (45, 100, 75), (120, 135, 70)))
    thick = size * s.uniform(0.14, 0.2)
    s.shadow(x, foot, size * 0.5)
    stem = np.maximum(trapezoid(x, foot - size * 1.7, foot, thick), ellipse(x, foot - size * 1.7, thick, thick))
    for side in (-1, 1):  # an arm on each side, with a probability of 85 %
        bend, reach, up = foot - size * s.uniform(0.5, 1.0), size * s.uniform(0.42, 0.65), size * s.uniform(0.3, 0.7)
        arm = trapezoid(x + side * reach * 0.5, bend - thick * 0.75, bend + thick * 0.75, reach * 0.5 + thick * 0.5)
        arm = np.maximum(arm, trapezoid(x + side * reach, bend - up, bend + thick * 0.6, thick * 0.75))
        stem = np.maximum(stem, arm * (s.uniform(0, 1) < 0.85))
    s.solid(stem, green, x, size * 0.5, lit=0.4)


def car(s: Scene) -> None:
    s.landscape("grass", "sand", "snow", "earth")
    x, foot, size = s.position(5.5, 9.5)
    foot = np.maximum(foot, s.horizon + 4)
    # road, cabin, windows, body, headlight, wheels
    road = np.clip(size * 0.34 + 0.5 - np.abs(Y - foot - 0.2), 0, 1)
    s.paint(road, (95, 95, 100), 0.25 + 0.75 * s.bright)
    s.shadow(x, foot + 0.5, size)
    paint, facing = s.jitter(s.choice(*COLOURS)), s.choice(-1, 1)
    cabin = x + facing * size * s.uniform(-0.05, 0.2)
    top = foot - size * s.uniform(0.85, 1.05)
    s.solid(trapezoid(cabin, top, foot - size * 0.4, size * 0.42, size * 0.66), paint * 0.9, x, size)
    for side in (-1, 1):
        pane = cabin + side * size * 0.25
        s.paint(
            trapezoid(pane, top + 0.8, foot - size * 0.5, size * 0.14, size * 0.2),
            (165, 195, 215),
            0.3 + 0.7 * s.bright,
        )
    body = trapezoid(x, foot - size * 0.52, foot - size * 0.1, size * 0.96, size)
    s.solid(body, paint, x, size)
    s.paint(ellipse(x + facing * size * 0.9, foot - size * 0.36, 0.9, 0.7), (255, 240, 170))
    for side in (-1, 1):
        s.paint(ellipse(x + side * size * 0.58, foot - size * 0.05, size * 0.23, size * 0.23), (25, 25, 28))
        s.paint(
            ellipse(x + side * size * 0.58, foot - size * 0.05, size * 0.1, size * 0.1),
            (150, 150, 155),
            0.3 + 0.7 * s.bright,
        )


def fish(s: Scene) -> None:
    s.horizon, s.bright = s.uniform(24, 29), s.uniform(0.6, 1)
    s.sun_x = s.uniform(0, 32)
    s.light = np.where(s.sun_x > 16, np.float32(1), np.float32(-1))
    top = s.jitter(s.choice((95, 190, 215), (80, 160, 200), (110, 200, 190)))
    deep = s.jitter(s.choice((10, 55, 105), (15, 75, 95), (20, 50, 80)))
    s.canvas += top + (deep - top) * (Y / SIDE)[None, None]
    for _ in range(3):  # rays of light from the surface
        lean, start = s.uniform(-0.35, 0.35), s.sun_x + s.uniform(-12, 12)
        ray = np.clip(1.5 + Y * 0.06 - np.abs(X - start - lean * Y), 0, 1) * np.clip(1 - Y / 26, 0, 1)
        s.paint(ray * s.uniform(0.05, 0.35), (225, 250, 245))
    s.ground("sand", "earth", "sand")
    # the ground takes on the colour of the deep water
    s.canvas += 0.35 * np.clip(Y - s.horizon + 0.5, 0, 1)[:, None] * (deep - s.canvas)
    for _ in range(3):  # water plants
        x, high, sway = s.uniform(0, 32), s.uniform(4, 12), s.uniform(-0.25, 0.25)
        up = np.clip((s.horizon + 1.5 - Y) / high, 0, 1)
        s.paint(
            np.clip(1.1 - np.abs(X - x - sway * up * up * high * 2), 0, 1) * (up < 1) * (Y < s.horizon + 2),
            s.jitter((40, 105, 70)),
        )
    x, y, size, facing = s.uniform(9, 23), s.uniform(8, 21), s.uniform(4.5, 8), s.choice(-1, 1)
    high = size * s.uniform(0.42, 0.66)
    colour, other = s.jitter(s.choice(*COLOURS)), s.jitter(s.choice(*COLOURS))
    back = (x - facing * size * 0.85 - X) * facing  # distance behind the start of the tail
    tail = (
        np.clip(np.clip(back, 0, size * 0.55) * 0.95 + 0.6 - np.abs(Y - y), 0, 1)
        * np.clip(size * 0.6 - back, 0, 1)
        * np.clip(back + 0.8, 0, 1)
    )
    s.solid(tail, other, x, size)
    # fin, body, a stripe, an eye, bubbles
    s.solid(ellipse(x - facing * size * 0.1, y - high * 0.85, size * 0.35, high * 0.5), other, x, size)
    body = ellipse(x, y, size, high)
    s.paint(body, colour, (1.12 - 0.34 * np.clip((Y - y) / high, -1, 1)) * s.bright)
    s.paint(body * np.clip(1.2 - np.abs((X - x) * facing - size * s.uniform(-0.3, 0.3)), 0, 1) * s.uniform(0, 1), other)
    s.paint(ellipse(x + facing * size * 0.6, y - high * 0.2, 1.2, 1.2), (245, 245, 240))
    s.paint(ellipse(x + facing * size * 0.65, y - high * 0.2, 0.6, 0.6), (15, 15, 20))
    for k in range(3):
        bubble = y - high * 0.3 - 2.5 - k * s.uniform(2, 4)
        s.paint(
            ellipse(x + facing * size * 1.15 + s.uniform(-0.8, 0.8), bubble, s.uniform(0.4, 0.9), 0.7) * 0.7,
            (215, 240, 245),
        )


def house(s: Scene) -> None:
    s.landscape("grass", "snow", "earth", "sand")
    x, foot, size = s.position(5, 8.5)
    wall, roof = (
        s.jitter(s.choice((230, 215, 185), (190, 120, 90), (205, 205, 205), (225, 195, 120), (150, 170, 185))),
        s.jitter(s.choice((150, 55, 45), (95, 65, 50), (70, 80, 100), (60, 60, 62))),
    )
    tall = size * s.uniform(0.75, 1.1)
    eaves = foot - tall
    s.shadow(x, foot, size)
    chimney = x + s.choice(-1, 1) * size * 0.5
    s.solid(trapezoid(chimney, eaves - size * 0.75, eaves, size * 0.12), roof * 0.8, x, size)
    s.solid(trapezoid(x, eaves, foot, size * 0.85), wall, x, size)
    s.solid(  # the roof
        trapezoid(x, eaves - size * s.uniform(0.65, 0.95), eaves, size * s.uniform(0.0, 0.35), size * 1.08),
        roof,
        x,
        size,
    )
    door = x + s.uniform(-0.2, 0.2) * size
    s.solid(trapezoid(door, foot - tall * 0.55, foot, size * 0.15), roof * 0.6, x, size)
    # windows, which are lit when it is dark
    glow = np.where(s.bright < 0.6, np.float32(1), np.float32(0))[:, None]
    pane = np.float32([120, 150, 175]).reshape(1, 3, 1, 1) * s.bright[:, None]
    pane = pane + glow * (np.float32([255, 215, 110]).reshape(1, 3, 1, 1) - pane)
    for side in (-1, 1):
        s.paint(trapezoid(x + side * size * 0.52, eaves + tall * 0.25, eaves + tall * 0.58, size * 0.14), pane)


def lighthouse(s: Scene) -> None:
    s.landscape("water", "water", "water", "grass")
    x, foot, size = s.position(5.5, 8.5)
    foot = np.minimum(foot, 26)
    # a rock, and on it the tower with its stripes
    s.solid(ellipse(x, foot + size * 0.1, size * s.uniform(0.8, 1.2), size * 0.3), s.jitter((105, 95, 85)), x, size)
    white, red = (
        s.jitter((240, 238, 230), 8),
        s.jitter(s.choice((195, 45, 40), (195, 45, 40), (45, 70, 130), (50, 50, 55))),
    )
    high = size * s.uniform(1.9, 2.3)
    top = np.maximum(foot - high, 3.5)
    tower = trapezoid(x, top, foot, size * 0.2, size * 0.36)
    s.solid(tower, white, x, size * 0.35, lit=0.35)
    phase = (Y - top) / (foot - top) * s.choice(1.5, 2, 2.5)
    s.solid(
        tower * np.clip((0.25 - np.abs(phase - np.floor(phase) - 0.5)) * 8 + 0.5, 0, 1), red, x, size * 0.35, lit=0.35
    )
    # the beam, which shows when it is dark, then the lamp, the roof and the balcony
    beam = np.clip(0.6 + np.abs(X - x) * 0.18 - np.abs(Y - top + size * 0.15), 0, 1) * np.clip(
        1 - np.abs(X - x) / 15, 0, 1
    )
    s.paint(beam * np.clip(1.1 - s.bright, 0, 1), (255, 245, 190))
    s.paint(trapezoid(x, top - size * 0.3, top, size * 0.17), (255, 235, 150))
    s.solid(trapezoid(x, top - size * 0.55, top - size * 0.28, 0.2, size * 0.26), red, x, size)
    s.solid(trapezoid(x, top - 0.2, top + 0.6, size * 0.3), (60, 60, 65), x, size)


def mountain(s: Scene) -> None:
    s.landscape("grass", "earth", "water", "snow", hills=False)
    rock = s.jitter(s.choice((120, 115, 120), (110, 95, 85), (90, 105, 125), (130, 110, 110)))
    for k in range(3):
        x, size = s.uniform(2, 30), s.uniform(6, 10) + k
        peak = np.maximum(s.horizon - size * s.uniform(0.85, 1.3), 2)
        wide = size * s.uniform(0.9, 1.4)
        rough = 0.7 * np.abs((X * 0.37 + Y * 0.61 + s.uniform(0, 1)) % 1 * 2 - 1)  # an uneven edge
        shape = trapezoid(x, peak + rough, s.horizon + 0.5, 0.2, wide)
        lit = np.where((X - x) * s.light > (Y - peak) * 0.15 * (1 + rough), np.float32(1.15), np.float32(0.7))
        light = lit * (0.2 + 0.8 * s.bright) * (0.82 + 0.09 * k)
        s.paint(shape, rock, light)
        snow = np.clip(peak + size * s.uniform(0.15, 0.5) + rough * 2.5 - Y, 0, 1)
        s.paint(shape * snow, (240, 243, 250), light)


def snowman(s: Scene) -> None:
    s.landscape("snow", "snow", "grass", times=("noon", "morning", "evening", "grey", "night"))
    x, foot, size = s.position(5, 8)
    white, scarf = s.jitter((236, 238, 244), 8), s.jitter(s.choice(*COLOURS))
    s.shadow(x, foot, size * 0.6)
    low, mid, head = size * 0.58, size * 0.43, size * 0.32
    y_low = foot - low * 0.9
    y_mid = y_low - low * 0.75 - mid * 0.5
    y_head = y_mid - mid * 0.75 - head * 0.6
    for y, r in ((y_low, low), (y_mid, mid), (y_head, head)):
        s.solid(ellipse(x, y, r, r), white * (0.97 - 0.05 * (y is y_mid)), x, r, lit=0.22)
    s.solid(trapezoid(x, y_head + head * 0.65, y_head + head * 1.15, head * 0.9), scarf, x, size)
    facing = s.choice(-1, 1)
    for side in (-1, 1):  # an eye and an arm on each side
        s.paint(ellipse(x + head * (0.4 * side + 0.15 * facing), y_head - head * 0.2, 0.5, 0.5), (25, 25, 30))
        s.solid(
            np.clip(0.85 - np.abs(Y - y_mid + (X - x) * side * 0.45), 0, 1)
            * trapezoid(x + side * size * 0.66, y_mid - size, y_mid + size, size * 0.28),
            (85, 60, 40),
            x,
            size,
        )
    s.paint(  # the nose
        trapezoid(x + facing * head * 0.55, y_head + head * 0.05, y_head + head * 0.3, head * 0.4),
        (235, 130, 45),
        0.2 + 0.8 * s.bright,
    )
    hat = s.choice((35, 35, 42), (90, 45, 35), (40, 55, 95))
    s.solid(trapezoid(x, y_head - head * 1.05, y_head - head * 0.75, head * 1.05), hat, x, size)
    s.solid(trapezoid(x, y_head - head * 1.9, y_head - head * 0.8, head * 0.65), hat, x, size)


def tree(s: Scene) -> None:
    s.landscape("grass", "earth", "snow", "grass")
    x, foot, size = s.position(5.5, 9)
    leaf = s.jitter(s.choice((55, 120, 50), (40, 95, 60), (95, 140, 55), (205, 125, 40), (165, 70, 45)))
    s.shadow(x, foot, size * 0.7)
    s.solid(trapezoid(x, foot - size * 0.9, foot, size * 0.11, size * 0.16), s.jitter((95, 68, 45), 10), x, size * 0.3)
    fir = s.uniform(0, 1) < 0.45
    for k in range(3):  # a fir has three cones, every other tree a crown of five ellipses
        top = foot - size * (1.1 + 0.42 * k)
        cone = trapezoid(x, top - size * 0.35, top + size * 0.6, 0.3, size * (0.68 - 0.15 * k))
        s.solid(cone * fir, leaf * (0.72 + 0.1 * k), x, size * 0.6, lit=0.35)
    for k in range(5):
        across, up = ((-0.42, 1.0), (0.42, 1.0), (0.0, 0.95), (-0.2, 1.4), (0.24, 1.36))[k]
        tuft = ellipse(
            x + size * (across + s.uniform(-0.1, 0.1)),
            foot - size * (up + s.uniform(-0.1, 0.1)),
            size * 0.45,
            size * 0.4,
        )
        s.solid(tuft * ~fir, leaf * (0.85 + 0.07 * k), x, size * 0.7, lit=0.3)


PAINTERS = (balloon, boat, cactus, car, fish, house, lighthouse, mountain, snowman, tree)
