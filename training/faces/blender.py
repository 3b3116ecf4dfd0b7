"""Blender as a module (`bpy`, the extra `faces`): the scene, meshes and a short way to write materials.

Everything else of the generator is NumPy; this module and `scene`, `props` are all that know Blender.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from training.faces.person import Rgb

SAMPLES = 4
"""Per pixel; the denoiser does the rest. Eight cost a third more and cannot be told apart at this size."""


@dataclass(frozen=True)
class World:
    """What stays between pictures. `environments`: Blender's own studio lights, CC0."""

    background: Any
    environment: Any
    mapping: Any
    environments: tuple[Path, ...]

    def light(self, number: int, turn_rad: float, strength: float) -> Path:
        """Surround the scene by one of the environments."""
        path = self.environments[number % len(self.environments)]
        self.environment.image = load_image(path, alpha=False, space="Linear Rec.709")
        self.mapping.inputs["Rotation"].default_value[2] = turn_rad
        self.background.inputs[1].default_value = strength
        return path


def make_world(width: int, height: int, threads: int = 1) -> World:
    """Start Blender with an empty scene that Cycles renders on the CPU."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y = width, height
    render.threads_mode, render.threads = "FIXED", threads
    render.image_settings.file_format = "PNG"
    render.image_settings.compression = 0
    cycles.device, cycles.samples = "CPU", SAMPLES
    cycles.use_denoising, cycles.denoiser, cycles.denoising_prefilter = True, "OPENIMAGEDENOISE", "FAST"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 5, 2, 2
    cycles.transmission_bounces, cycles.transparent_max_bounces = 3, 12
    cycles.use_adaptive_sampling = False
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4
    cycles.use_light_tree = False  # a sixth faster with this few lights
    scene.view_settings.view_transform = "Filmic"
    world = scene.world = bpy.data.worlds.new("world")
    world.use_nodes = True
    # AUTO spends seconds per picture on where the environment is bright.
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 128
    tree = world.node_tree
    environment, mapping = tree.nodes.new("ShaderNodeTexEnvironment"), tree.nodes.new("ShaderNodeMapping")
    background = tree.nodes["Background"]
    tree.links.new(tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"], mapping.inputs[0])
    tree.links.new(mapping.outputs[0], environment.inputs[0])
    tree.links.new(environment.outputs[0], background.inputs[0])
    lights = sorted((Path(bpy.utils.resource_path("LOCAL")) / "datafiles/studiolights/world").glob("*.exr"))
    return World(background, environment, mapping, tuple(lights))


def render_to(path: Path) -> None:
    """Render the scene into a PNG file."""
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def clear() -> None:
    """Take away all that belongs to one picture; textures from files stay loaded."""
    kinds = (bpy.data.objects, bpy.data.meshes, bpy.data.materials, bpy.data.lights, bpy.data.cameras)
    for kind in kinds:
        for block in list(kind):
            kind.remove(block)
    for image in list(bpy.data.images):
        if image.name.startswith("made"):
            bpy.data.images.remove(image)


def to_blender(point: NDArray[np.floating]) -> Vector:
    """Ours is y up, z to the front; Blender's is z up, y to the back."""
    return Vector((float(point[0]), -float(point[2]), float(point[1])))


def link(thing: Any) -> Any:
    """Put an object into the scene and return it."""
    bpy.context.scene.collection.objects.link(thing)
    return thing


def add_mesh(
    name: str,
    points: NDArray[np.floating],
    corners: list[list[int]],
    material: Any,
    *,
    uv: NDArray[np.float32] | None = None,
    uv_corners: list[list[int]] | None = None,
    subdivide: int = 0,
) -> Any:
    """A smooth mesh of (N, 3) points in our coordinates."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(np.stack([points[:, 0], -points[:, 2], points[:, 1]], 1).astype(np.float32), [], corners)
    if uv is not None and uv_corners is not None and len(uv):
        index = np.fromiter((corner for face in uv_corners for corner in face), int)
        mesh.uv_layers.new(name="UV").data.foreach_set("uv", uv[index].astype(np.float32).ravel())
    mesh.polygons.foreach_set("use_smooth", [True] * len(corners))
    mesh.materials.append(material)
    thing = link(bpy.data.objects.new(name, mesh))
    if subdivide:
        modifier = thing.modifiers.new("subdivide", "SUBSURF")
        modifier.levels = modifier.render_levels = subdivide
    return thing


def load_image(path: Path, *, alpha: bool = True, space: str = "sRGB") -> Any:
    """A texture from a file, loaded once."""
    image = bpy.data.images.load(str(path), check_existing=True)
    if image.colorspace_settings.name != space:
        image.colorspace_settings.name = space
    mode = "STRAIGHT" if alpha else "NONE"
    if image.alpha_mode != mode:
        image.alpha_mode = mode
    return image


def make_image(srgb: NDArray[np.floating]) -> Any:
    """A texture from (H, W, 3), sRGB 0..1, row 0 on top; taken away by `clear`."""
    height, width = srgb.shape[:2]
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = srgb[::-1]
    image = bpy.data.images.new("made", width, height)
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    return image


def area_light(at: Vector, target: Vector, size: float, energy: float, rgb: Rgb) -> None:
    """A square lamp that looks at `target`."""
    lamp = bpy.data.lights.new("lamp", "AREA")
    lamp.size, lamp.energy, lamp.color = size, energy, rgb
    thing = link(bpy.data.objects.new("lamp", lamp))
    thing.location = at
    thing.rotation_euler = (target - at).to_track_quat("-Z", "Y").to_euler()


class Nodes:
    """A material's node tree in few lines."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self._tree = self.material.node_tree
        self._tree.nodes.clear()
        self._output = self.new("OutputMaterial")

    def new(self, kind: str, **inputs: Any) -> Any:
        """A shader node; `Base_Color=...` sets the input "Base Color"."""
        node = self._tree.nodes.new("ShaderNode" + kind)
        for name, value in inputs.items():
            node.inputs[name.replace("_", " ")].default_value = value
        return node

    def link(self, output: Any, given: Any) -> None:
        """Connect."""
        self._tree.links.new(output, given)

    def texture(self, image: Any) -> Any:
        """A node that shows an image; outside it, the border goes on."""
        node = self.new("TexImage")
        node.image = image
        node.extension = "EXTEND"
        return node

    def mix(self, first: Any, second: Any, share: float = 1.0, mode: str = "MULTIPLY") -> Any:
        """The output of a colour mix; a tuple is a constant colour."""
        node = self.new("Mix")
        node.data_type, node.blend_type = "RGBA", mode
        node.inputs[0].default_value = share
        for place, value in ((6, first), (7, second)):
            if isinstance(value, tuple):
                node.inputs[place].default_value = (*value, 1)
            else:
                self.link(value, node.inputs[place])
        return node.outputs[2]

    def bump(self, height: Any, strength: float, distance: float, shader: Any) -> None:
        """Roughen a shader's surface."""
        node = self.new("Bump", Strength=strength, Distance=distance)
        self.link(height, node.inputs["Height"])
        self.link(node.outputs[0], shader.inputs["Normal"])

    def done(self, shader: Any) -> Any:
        """The material with this surface."""
        self.link(shader.outputs[0], self._output.inputs[0])
        return self.material
