"""What skin, hair, cloth, eyes, glass and walls are made of, as Cycles materials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.faces.blender import Nodes, load_image, make_image
from training.faces.person import Rgb, Skin
from training.faces.skin import Albedo, to_srgb


def skin_material(albedo: Albedo, skin: Skin) -> Any:
    """Painted skin with pores; scattering is on a few people only, since it costs time."""
    nodes = Nodes("skin")
    shader = nodes.new(
        "BsdfPrincipled", Roughness=skin.roughness, Specular_IOR_Level=0.42, Subsurface_Weight=skin.scatter,
        Subsurface_Radius=(1, 0.35, 0.2), Subsurface_Scale=0.06,
    )  # fmt: skip
    nodes.link(nodes.texture(make_image(to_srgb(albedo))).outputs[0], shader.inputs["Base Color"])
    nodes.bump(nodes.new("TexNoise", Scale=55.0, Detail=4.0).outputs[0], 0.12, 0.02, shader)
    return nodes.done(shader)


def card_material(
    texture: Path, tint: Rgb, *, rough: float = 0.5, grey: bool = True, density: float = 1.0, bump: float = 0.0
) -> Any:
    """Hair, brows, lashes, cloth: a texture with holes, tinted."""
    nodes = Nodes("card")
    shader = nodes.new("BsdfPrincipled", Roughness=rough)
    image = nodes.texture(load_image(texture))
    image.extension = "REPEAT"
    colour = image.outputs[0]
    if grey:
        to_grey = nodes.new("RGBToBW")
        nodes.link(colour, to_grey.inputs[0])
        colour = to_grey.outputs[0]
    nodes.link(nodes.mix(colour, tint), shader.inputs["Base Color"])
    if bump:
        nodes.bump(colour, bump, 0.05, shader)
    opacity = nodes.new("Math")
    opacity.operation, opacity.use_clamp = "MULTIPLY", True
    opacity.inputs[1].default_value = density
    nodes.link(image.outputs[1], opacity.inputs[0])
    nodes.link(opacity.outputs[0], shader.inputs["Alpha"])
    return nodes.done(shader)


def plain_material(rgb: Rgb, rough: float = 0.5, metal: float = 0.0) -> Any:
    """One colour."""
    nodes = Nodes("plain")
    return nodes.done(nodes.new("BsdfPrincipled", Base_Color=(*rgb, 1), Roughness=rough, Metallic=metal))


def lens_material(tint: float, ior: float) -> Any:
    """A spectacle lens: `tint` 1 is clear, 0 black."""
    nodes = Nodes("lens")
    return nodes.done(_clear_coat(nodes, ior, (tint, tint, tint)))


def eye_material(texture: Path, white: float) -> Any:
    """Iris and white under a cornea."""
    nodes = Nodes("eye")
    image = nodes.texture(load_image(texture))
    shader = nodes.new("BsdfPrincipled", Roughness=0.08, Specular_IOR_Level=0.5)
    nodes.link(nodes.mix(image.outputs[0], (white, white * 0.98, white * 0.96)), shader.inputs["Base Color"])
    mixed = nodes.new("MixShader")
    nodes.link(image.outputs[1], mixed.inputs[0])
    nodes.link(_clear_coat(nodes, 1.376, (1.0, 1.0, 1.0)).outputs[0], mixed.inputs[1])
    nodes.link(shader.outputs[0], mixed.inputs[2])
    return nodes.done(mixed)


def backdrop_material(picture: NDArray[np.uint8], strength: float) -> Any:
    """A wall that shines by itself, since no lamp reaches it."""
    nodes = Nodes("backdrop")
    shader = nodes.new("Emission", Strength=strength)
    nodes.link(nodes.texture(make_image(picture.astype(np.float32) / 255)).outputs[0], shader.inputs[0])
    return nodes.done(shader)


def _clear_coat(nodes: Nodes, ior: float, tint: Rgb) -> Any:
    """A thin clear sheet: transparent, with Fresnel reflections."""
    fresnel, mixed = nodes.new("Fresnel", IOR=ior), nodes.new("MixShader")
    nodes.link(fresnel.outputs[0], mixed.inputs[0])
    nodes.link(nodes.new("BsdfTransparent", Color=(*tint, 1)).outputs[0], mixed.inputs[1])
    nodes.link(nodes.new("BsdfGlossy", Roughness=0.03).outputs[0], mixed.inputs[2])
    return mixed
