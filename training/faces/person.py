"""Seed -> person: the shape of the face, the skin, hair, eyes, glasses and clothes; what all images of one share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from training.faces.kit import BROWS, IRISES, LASHES, LONG_HAIR, SHORT_HAIR, SUITS, Kit
from training.faces.makehuman import Points
from training.faces.truth import Glasses

Rgb = tuple[float, float, float]
"""Linear light, 0..1."""

RACES = ("african", "asian", "caucasian")
"""MakeHuman's names for its three families of shape targets; only shapes and their expressions hang on them."""

TONES = {
    "african": ((4, 5, 6, 7, 8, 9, 10), (0.03, 0.07, 0.15, 0.22, 0.22, 0.18, 0.13)),
    "asian": ((2, 3, 4, 5, 6, 7, 8), (0.12, 0.2, 0.23, 0.2, 0.13, 0.08, 0.04)),
    "caucasian": ((1, 2, 3, 4, 5, 6, 7), (0.16, 0.22, 0.23, 0.18, 0.11, 0.07, 0.03)),
}
"""Monk tones by family of shapes, with their shares: every tone gets 6 to 15 % of the people, and all overlap."""

HAIR_COLOURS: tuple[Rgb, ...] = (
    (0.012, 0.010, 0.009), (0.03, 0.02, 0.014), (0.07, 0.04, 0.022), (0.16, 0.09, 0.045), (0.30, 0.13, 0.05),
    (0.45, 0.30, 0.15), (0.35, 0.33, 0.31),
)  # fmt: skip
DYED: tuple[Rgb, ...] = ((0.4, 0.02, 0.05), (0.03, 0.08, 0.4), (0.35, 0.05, 0.3), (0.05, 0.3, 0.15))
BEARDS = ("none", "stubble", "moustache", "goatee", "full")


@dataclass(frozen=True)
class Skin:
    """How `paint` colours a face; strengths are 0..1."""

    tone: int
    undertone: Rgb
    """Factors on the tone: warm, neutral, cool, olive."""
    lightness: float
    lip: Rgb
    lip_strength: float
    blush: float
    freckles: float
    blotches: float
    wrinkles: float
    dark_circles: float
    beard: str
    beard_colour: Rgb
    beard_density: float
    scalp: float
    """Darkening of the scalp by hair roots."""
    brow_shadow: float
    eyeshadow: Rgb | None
    eyeliner: float
    roughness: float
    scatter: float

    @property
    def darkness(self) -> float:
        """0 for the lighter half of the scale, up to 1."""
        return max(0.0, (self.tone - 5) / 5)


@dataclass(frozen=True)
class Spectacles:
    """`radius`, `wire`: of a rim, in eye distances and dm; `squash`: height over width; `lens`: what is in it."""

    kind: Glasses
    rgb: Rgb
    radius: float
    squash: float
    wire: float
    tint: float
    ior: float
    half_rim: bool


@dataclass(frozen=True)
class Person:
    """Everything that is constant over the images of a person. `points`: (V, 3), the base mesh at rest."""

    seed: int
    race: str
    sex: str
    age: float
    points: Points
    skin: Skin
    hair: str | None
    hair_rgb: Rgb
    hair_gloss: tuple[float, float]
    cover: str | None
    """Over the hair: a scarf or a cap."""
    cover_rgb: Rgb
    headphones: bool
    brow: str
    brow_rgb: Rgb
    brow_density: float
    lashes: str
    lash_density: float
    iris: str
    eye_white: float
    lid_open: float
    """Height of the open eye over the eye distance; 0.17 in adults."""
    teeth: bool
    suit: str
    suit_rgb: Rgb
    spectacles: Spectacles | None


def make_person(kit: Kit, seed: int) -> Person:
    """The person of a seed; the same for ever, until the renderer's version changes."""
    random = np.random.default_rng([seed, 0])
    race, sex = str(random.choice(RACES)), str(random.choice(["male", "female"]))
    age = float(np.clip(random.beta(1.5, 2.3), 0, 1))
    points = _shape(kit, random, race, sex, age)
    hair_rgb = _hair_colour(random, race, age)
    hair = _hair(random, sex)
    cover = str(random.choice(["scarf", "cap"])) if random.random() < (0.07 if sex == "female" else 0.05) else None
    return Person(
        seed=seed,
        race=race,
        sex=sex,
        age=age,
        points=points,
        skin=_skin(random, race, sex, age, hair_rgb, hair),
        hair=hair,
        hair_rgb=hair_rgb,
        hair_gloss=(random.uniform(0.45, 0.75), random.uniform(2.0, 3.4)),
        cover=cover,
        cover_rgb=_colour(random),
        headphones=bool(random.random() < 0.12),
        brow=str(random.choice(BROWS)),
        brow_rgb=_scaled(tuple(min(value, 0.1) for value in hair_rgb), random.uniform(0.5, 1)),  # type: ignore[arg-type]
        brow_density=random.uniform(0.45, 1.2),
        lashes=str(random.choice(LASHES)),
        lash_density=random.uniform(0.2, 0.9) if sex == "male" else random.uniform(0.4, 1.2),
        iris=_iris(random, race),
        eye_white=random.uniform(0.7, 1.05),
        lid_open=float(np.clip(random.normal(0.155 if race == "asian" else 0.172, 0.018), 0.12, 0.22)),
        teeth=bool(random.random() < 0.7),
        suit=str(random.choice(SUITS)),
        suit_rgb=_colour(random),
        spectacles=_spectacles(random),
    )


def _shape(kit: Kit, random: Generator, race: str, sex: str, age: float) -> Points:
    """(V, 3): mixes MakeHuman's whole-body targets, then moves details of the face, a few on one side only."""
    points = kit.base.points.copy()
    mix = random.dirichlet([0.35] * 3)
    mix[RACES.index(race)] += 1.2
    mix /= mix.sum()
    male = float(np.clip((0.85 if sex == "male" else 0.15) + random.normal(0, 0.12), 0, 1))
    weight = float(np.clip(random.normal(0, 0.55), -1, 1))
    for gender, of_gender in (("male", male), ("female", 1 - male)):
        for years, of_age in (("young", 1 - age), ("old", age)):
            share = of_gender * of_age
            for name, of_race in zip(RACES, mix, strict=True):
                kit.add(points, f"macrodetails/{name}-{gender}-{years}", of_race * share)
            stem = f"macrodetails/universal-{gender}-{years}-averagemuscle-"
            kit.add(points, stem + "averageweight", share * (1 - abs(weight)))
            kit.add(points, stem + ("maxweight" if weight > 0 else "minweight"), share * abs(weight))
    used: set[str] = set()
    for name in kit.shape_targets:
        folder, tail = name.split("/")
        strength = abs(random.normal(0, 0.22 if folder == "head" else 0.28)) if random.random() < 0.45 else 0.0
        stem = tail.rsplit("-", 1)[0]
        if stem in used or not strength:
            continue
        used.add(stem)
        strength = min(strength * {"eyes": 0.7, "eyebrows": 0.5}.get(folder, 1.0), 0.9)
        if tail == "eyebrows-angle-down":  # reads as anger
            strength *= 0.3
        kit.add(points, name, strength)
        if tail.startswith("l-"):
            kit.add(points, f"{folder}/r-{tail[2:]}", strength)
    for name in kit.asymmetry_targets:
        if random.random() < 0.15:
            kit.add(points, name, abs(random.normal(0, 0.25)))
    return points


def _skin(random: Generator, race: str, sex: str, age: float, hair_rgb: Rgb, hair: str | None) -> Skin:
    tones, shares = TONES[race]
    undertones: tuple[Rgb, ...] = ((1, 0.95, 0.88), (1, 0.98, 0.97), (1.02, 0.93, 0.93), (0.97, 0.96, 0.88))
    tone = int(random.choice(tones, p=shares))
    male = sex == "male"
    beard = str(random.choice(BEARDS, p=[0.42, 0.24, 0.07, 0.09, 0.18])) if male else "none"
    made_up = not male and random.random() < 0.5
    lips: tuple[Rgb, ...] = ((0.45, 0.16, 0.14), (0.5, 0.2, 0.18), (0.36, 0.14, 0.13))
    if made_up and random.random() < 0.6:
        lips = ((0.45, 0.02, 0.04), (0.5, 0.12, 0.16), (0.25, 0.03, 0.06), (0.45, 0.15, 0.1))
    return Skin(
        tone=tone,
        undertone=undertones[int(random.integers(len(undertones)))],
        lightness=float(np.clip(random.normal(1.0, 0.09), 0.8, 1.2)),
        lip=lips[int(random.integers(len(lips)))],
        lip_strength=random.uniform(0.75, 1.0) if len(lips) == 4 else random.uniform(0.35, 0.8),
        blush=random.uniform(0.1, 0.7),
        freckles=random.uniform(0.2, 0.9) if tone <= 4 and random.random() < 0.22 else 0.0,
        blotches=random.uniform(0.15, 0.9),
        wrinkles=float(np.clip(age * 1.15 - 0.2 + random.normal(0, 0.15), 0, 1)),
        dark_circles=float(np.clip(random.normal(0.3, 0.25) + 0.25 * age, 0, 1)),
        beard=beard,
        beard_colour=_scaled(tuple(min(value, 0.25) for value in hair_rgb), random.uniform(0.6, 1.1)),  # type: ignore[arg-type]
        beard_density=random.uniform(0.45, 0.95),
        scalp=random.uniform(0.0, 0.7) if hair is None else 0.75,
        brow_shadow=random.uniform(0.1, 0.6),
        eyeshadow=_scaled(_colour(random), 0.5) if made_up and random.random() < 0.5 else None,
        eyeliner=random.uniform(0.3, 1.0) if made_up else 0.0,
        roughness=random.uniform(0.38, 0.65),
        scatter=0.25 if random.random() < 0.3 else 0.0,  # costs a fifth of the render time
    )


def _hair(random: Generator, sex: str) -> str | None:
    """bob02, braid01 and short03 have a long fringe: rarer, because it hides an eye."""
    short = random.random() < (0.92 if sex == "male" else 0.18)
    if random.random() < (0.14 if sex == "male" else 0.015):
        return None
    if short:
        return str(random.choice(SHORT_HAIR, p=[0.40, 0.32, 0.06, 0.22]))
    return str(random.choice(LONG_HAIR, p=[0.41, 0.41, 0.09, 0.09]))


def _hair_colour(random: Generator, race: str, age: float) -> Rgb:
    shares = np.array(
        [0.16, 0.22, 0.22, 0.15, 0.06, 0.12, 0.07] if race == "caucasian" else [0.7, 0.17, 0.06, 0.02, 0.0, 0.0, 0.05]
    )
    if age > 0.6:
        shares[-1] += 0.5
    if random.random() < 0.03:
        return DYED[int(random.integers(len(DYED)))]
    return _scaled(HAIR_COLOURS[int(random.choice(len(shares), p=shares / shares.sum()))], random.uniform(0.7, 1.5))


def _iris(random: Generator, race: str) -> str:
    if race == "caucasian":
        return str(random.choice(("brown", *IRISES)))
    return str(random.choice(IRISES[:2], p=[0.72, 0.28]))


def _spectacles(random: Generator) -> Spectacles | None:
    """On 30 % of people; a tenth of these are sunglasses, a third have lenses that reflect."""
    if random.random() > 0.30:
        return None
    kind = Glasses(str(random.choice([Glasses.CLEAR, Glasses.GLARE, Glasses.SUN], p=[0.58, 0.3, 0.12])))
    frames: tuple[Rgb, ...] = (
        (0.02, 0.02, 0.02),
        (0.1, 0.05, 0.03),
        (0.5, 0.45, 0.4),
        (0.03, 0.05, 0.1),
        (0.3, 0.03, 0.03),
    )
    return Spectacles(
        kind=kind,
        rgb=frames[int(random.integers(len(frames)))],
        radius=random.uniform(0.36, 0.47) if kind is Glasses.SUN else random.uniform(0.34, 0.44),
        squash=random.uniform(0.62, 0.98),
        wire=random.uniform(0.006, 0.034),
        tint=random.uniform(0.0, 0.12) if kind is Glasses.SUN else random.uniform(0.8, 1.0),
        ior=random.uniform(1.35, 1.9) if kind is Glasses.GLARE else random.uniform(1.2, 1.4),
        half_rim=bool(random.random() < 0.2),
    )


def _colour(random: Generator) -> Rgb:
    """A cloth's: muted, of any lightness."""
    red, green, blue = np.clip(random.uniform(0.08, 1.0) + random.normal(0, 0.2, 3), 0.03, 1.1)
    return float(red), float(green), float(blue)


def _scaled(rgb: Rgb, factor: float) -> Rgb:
    red, green, blue = (float(value * factor) for value in rgb)
    return red, green, blue
