"""Seed -> where a picture is taken: camera, light, backdrop, things before the face; what twins share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.faces.person import Rgb
from training.faces.truth import Light, Mode

LIGHTS = ((Light.ROOM, 0.52), (Light.SIDE, 0.17), (Light.BACK, 0.10), (Light.SCREEN, 0.12), (Light.DARK, 0.09))
BACKDROPS = (("room", 0.62), ("shelf", 0.09), ("plain", 0.14), ("window", 0.12))
OCCLUDERS = ("phone", "hand", "cup")


@dataclass(frozen=True)
class Lamp:
    """An area light. `azimuth`: radians from the camera's side; `height`, `size`: dm; `energy`: W."""

    azimuth: float
    height: float
    size: float
    energy: float
    rgb: Rgb


@dataclass(frozen=True)
class Setting:
    """`view`: degrees of azimuth and elevation; `distance`: dm to the face; `half`: half of the picture at the face,
    in heads; `shift`: of the face in the picture, in heads; `env_*`: the room's light from all around."""

    view: tuple[float, float]
    distance: float
    half: float
    shift: tuple[float, float]
    tilt: float
    light: Light
    lamps: tuple[Lamp, ...]
    env: int
    env_turn: float
    env_strength: float
    backdrop: str
    backdrop_distance: float
    backdrop_zoom: float
    backdrop_strength: float
    room: NDArray[np.uint8]
    """(240, 320, 3) sRGB."""
    occluder: str | None
    occluder_place: tuple[float, float, float]
    occluder_turn: tuple[float, float, float]


def make_setting(random: Generator, mode: Mode) -> Setting:
    """Drawn in one order, so that a seed says all."""
    light = Light(_drawn(random, LIGHTS))
    backdrop = "window" if light is Light.BACK else _drawn(random, BACKDROPS)
    return Setting(
        view=(random.normal(0, 9), random.normal(2, 9)),
        distance=random.uniform(4.5, 9),
        half=random.uniform(0.50, 0.63),
        shift=(random.normal(0, 0.03), random.normal(0, 0.03)),
        tilt=random.normal(0, 1.5),
        light=light,
        lamps=tuple(_lamps(random, light)),
        env=int(random.integers(1 << 16)),
        env_turn=random.uniform(0, 2 * math.pi),
        env_strength=random.uniform(0.35, 1.0)
        * {Light.ROOM: 0.5, Light.SIDE: 0.16, Light.BACK: 0.4, Light.SCREEN: 0.07, Light.DARK: 0.12}[light],
        backdrop=backdrop,
        backdrop_distance=random.uniform(8, 22),
        backdrop_zoom=random.uniform(1.3, 3.2),
        backdrop_strength=random.uniform(0.25, 1.1)
        * {Light.BACK: 2.2, Light.SCREEN: 0.25, Light.DARK: 0.2}.get(light, 1.0),
        room=_room(random, backdrop),
        occluder=_occluder(random, mode),
        occluder_place=tuple(random.normal(0, 1, 3)),
        occluder_turn=tuple(random.normal(0, 1, 3)),
    )


def _drawn(random: Generator, table: tuple[tuple[str, float], ...]) -> str:
    shares = np.array([share for _, share in table])
    return table[int(random.choice(len(table), p=shares / shares.sum()))][0]


def _occluder(random: Generator, mode: Mode) -> str | None:
    """A phone below who looks down; else seldom anything."""
    chance = random.random()
    if mode is Mode.DOWN and chance < 0.4:
        return "phone"
    if chance < 0.09:
        return str(random.choice(OCCLUDERS, p=[0.2, 0.55, 0.25]))
    return None


def _lamps(random: Generator, light: Light) -> list[Lamp]:
    """What lights the face: a key light, the screen's glow, a window behind."""

    def key(low: float, high: float, azimuth: float, size: float) -> Lamp:
        return Lamp(azimuth, random.uniform(0, 8), size, random.uniform(low, high), _warmth(random))

    glow = Lamp(
        random.normal(0, 0.2), random.uniform(-2, 1), random.uniform(2, 5), random.uniform(20, 160), (0.75, 0.87, 1.0)
    )
    behind = Lamp(random.uniform(1.8, 4.4), random.uniform(1, 6), 2.0, random.uniform(200, 900), _warmth(random))
    side = random.choice([-1, 1])
    if light is Light.SIDE:
        return [key(250, 800, float(side * random.uniform(1.0, 1.75)), random.uniform(0.3, 2))]
    if light is Light.BACK:
        return [behind] if random.random() < 0.5 else [behind, glow]
    if light is Light.SCREEN:
        return [glow]
    if light is Light.DARK:
        return [key(5, 40, random.uniform(-1.4, 1.4), random.uniform(0.8, 5))]
    lamps = [key(80, 700, random.uniform(-1.2, 1.2), random.uniform(0.8, 5))] if random.random() < 0.85 else []
    if random.random() < 0.55:
        lamps.append(glow)
    if random.random() < 0.25:
        lamps.append(behind)
    return lamps


def _warmth(random: Generator) -> Rgb:
    """Between a bulb and the sky."""
    warm = random.uniform(-1, 1)
    return (1.0, 1 - 0.23 * warm, 1 - 0.4 * warm) if warm > 0 else (1 + 0.35 * warm, 1 + 0.12 * warm, 1.0)


def _room(random: Generator, kind: str, width: int = 320, height: int = 240) -> NDArray[np.uint8]:
    """A blurred wall with boxes, discs, shelves or a window; no photograph."""

    def colour(spread: float, low: float = 10, high: float = 245) -> tuple[float, ...]:
        return tuple(float(value) for value in np.clip(random.uniform(low, high) + random.normal(0, spread, 3), 0, 255))

    picture = np.empty((height, width, 3), np.float32)
    picture[:] = colour(14, 60, 235)
    muted = random.uniform(6, 40)
    for _ in range(0 if kind == "plain" else int(random.integers(1, 22))):
        x, y = int(random.integers(-30, width)), int(random.integers(-30, height))
        across, down = int(random.integers(5, width // 2)), int(random.integers(5, height // 2))
        if random.random() < 0.2:
            cv2.ellipse(picture, (x, y), (across // 4 + 1, down // 4 + 1), 0, 0, 360, colour(muted), -1)
        else:
            cv2.rectangle(picture, (x, y), (x + across, y + down), colour(muted), -1)
    if kind == "shelf":
        for top in range(int(random.integers(0, 20)), height, int(random.integers(34, 60))):
            x = 0
            while x < width:
                wide = int(random.integers(4, 16))
                cv2.rectangle(
                    picture, (x, top + int(random.integers(0, 12))), (x + wide, top + 30), colour(20, 20, 220), -1
                )
                x += wide
    if kind == "window":
        x, y = int(random.integers(0, width // 2)), int(random.integers(0, height // 3))
        pane = (255.0, 255.0, 255.0) if random.random() < 0.5 else (205.0, 225.0, 255.0)
        cv2.rectangle(picture, (x, y), (x + width // 2, y + height // 2), pane, -1)
        cv2.line(picture, (x + width // 4, y), (x + width // 4, y + height // 2), colour(20), 4)
    picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 5))  # type: ignore[assignment]
    across_light, down_light = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    shade = np.clip(1 + random.normal(0, 0.25) * across_light + random.normal(0, 0.25) * down_light, 0.3, 1.8)
    return np.clip(picture * shade[..., None], 0, 255).astype(np.uint8)
