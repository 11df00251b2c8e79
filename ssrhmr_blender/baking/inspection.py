# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at the meshes of a character after a bake: what stays behind, tears, sinks or floats?

Bones may be right to a tenth of a millimetre while the skin is not: it may hang on bones that
nobody mapped. A few frames are compared with the rest pose, vertex by vertex.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from ..common.axes import flatten_matrix
from ..common.typed import armature_of
from ..rig.obstacles import active_constraints, is_shown_moving, list_some
from ..rig.skin import find_foot_bones, is_carried, meshes_of
from ..trackers.stage import Stage, is_simulated, open_stage

if TYPE_CHECKING:
    import numpy as np

    from ..animation.actions import ActionWriter
    from .plan import BakePlan
    from .settling import Performance

_SPREAD_FRAMES, _STANDING_FRAMES = 4, 3

_LARGEST_SAMPLE = 3000
"""Vertices of a mesh that are compared with the body."""
_SOLE_SAMPLE = 400
"""Lowest vertices near a foot that may belong to its sole."""

# Lengths in metres on an adult.
_CLOSE = 0.25
"""What is farther away from the body at rest may be anything."""
_LEFT_BEHIND = 0.2
_STRETCH, _LONGER = 2.0, 0.1
"""An edge is torn if it has more than twice its length, and this much more."""
_NAMED_EDGES = 50
_OFF_FLOOR = 0.02
_NO_FLOOR = 0.5
"""Feet that are farther away from height zero stand on something else."""


@dataclass(frozen=True)
class _Skin:
    """One mesh at rest.

    Attributes:
        name: Name of the object.
        vertices: (V, 3) in Blender's world, at rest.
        edges: (E, 2) vertices at their ends.
        sample: (n,) vertices that are compared with the body.
        owners: Name of the bone that moves each of them most, empty where none does.
        anchors: (n,) joint that each of them hangs on through that bone, or -1.
        lengths: (E,) lengths of the edges.
        segments: (n,) joint at whose bone's end each of them is: it is nearest to that bone.
        distances: (n,) distance from it.
        soles: Vertices (s,) of the left and the right sole.
        heads: (22, 3) joints at rest, NaN where there is none.
    """

    name: str
    vertices: np.ndarray
    edges: np.ndarray
    sample: np.ndarray
    owners: list[str]
    anchors: np.ndarray
    lengths: np.ndarray
    segments: np.ndarray
    distances: np.ndarray
    soles: tuple[np.ndarray, ...]
    heads: np.ndarray

    def owner_near(self, vertex: int) -> str:
        """Return the owner of the nearest vertex that has one; the mesh itself if none moves it."""
        import numpy as np

        away = np.linalg.norm(self.vertices[self.sample] - self.vertices[vertex], axis=-1)
        return self.owners[int(away.argmin())] or self.name


class _Findings:
    """The worst of what was seen: amounts in scene units by name."""

    def __init__(self) -> None:
        self.behind: dict[str, float] = {}
        self.torn: dict[str, float] = {}
        self.soles: list[float] = []

    def notes(self, plan: BakePlan) -> Iterator[str]:
        """Yield a sentence for each kind of finding."""
        import numpy as np

        unit = 100.0 / plan.adult
        if self.behind:
            names = sorted(self.behind, key=lambda name: -self.behind[name])
            yield (
                f"the skin of {list_some(names)} stays up to {unit * self.behind[names[0]]:.0f} cm"
                " behind the body: choose that bone in the table of bones, or give its vertices to"
                " a bone that follows the body"
            )
        if self.torn:
            names = sorted(self.torn, key=lambda name: -self.torn[name])
            yield (
                f"the skin at {list_some(names)} is stretched to more than twice its length (by up"
                f" to {unit * self.torn[names[0]]:.0f} cm): check the bones in the table, and what"
                " these bones hang on"
            )
        height = float(np.median(self.soles)) if self.soles else 0.0
        if abs(height) > _OFF_FLOOR * plan.metre:
            feet = [plan.character.bones[joint] for joint in _ankles()]
            yield (
                f"the soles of {list_some(feet)} are {abs(100.0 * height / plan.metre):.0f} cm"
                f" {'above' if height > 0.0 else 'below'} the floor: choose the proportions"
                " Retarget or calibrate again, or move the feet under Manual Adjustment"
            )


def inspect_skin(
    plan: BakePlan, writer: ActionWriter, performance: Performance
) -> Generator[float, None, None]:
    """Look at the meshes of the character on a few frames; the report gets notes about them.

    Yields:
        The share done, 0..1.
    """
    import numpy as np

    armature = plan.find_armature()
    # Simulations show what they should only if frames follow each other.
    meshes = [obj for obj in meshes_of(armature) if not (obj.hide_viewport or is_simulated(obj))]
    if not meshes or not is_shown_moving(armature):
        return
    yield 0.0
    findings, standing = _Findings(), _standing_rows(plan, performance)
    rows = np.array(
        list(dict.fromkeys([*standing, *performance.rows(_SPREAD_FRAMES).tolist()])), int
    )
    joints = performance.joints(rows)
    with (
        writer.thinned(plan.find_armature, performance.times[[0, *rows]]),
        open_stage(bpy.data.scenes[plan.scene], [armature, *meshes]) as stage,
    ):
        skins = _read_rest(plan, performance, stage, meshes)
        for row, positions in zip(rows.tolist(), joints, strict=True):
            depsgraph = stage.set_frame(float(performance.frames[row]))
            lowest: list[float] = []
            for skin in skins:
                vertices = _world_vertices(bpy.data.objects[skin.name], depsgraph)
                if len(vertices) == len(skin.vertices):
                    _compare(plan, skin, vertices, positions, findings)
                    lowest += vertices[skin.soles[standing.get(row, 0)], 2].tolist()
            if row in standing and lowest:
                findings.soles.append(min(lowest))
    plan.report.notes += findings.notes(plan)


def _ankles() -> tuple[int, int]:
    from ssrhmr_core.body.skeleton import INDEX

    return INDEX["left_ankle"], INDEX["right_ankle"]


def _standing_rows(plan: BakePlan, performance: Performance) -> dict[int, int]:
    """Return rows in which a foot stands flat on a floor at height zero, and which foot it is."""
    import numpy as np

    from ssrhmr_core.body.interpolation import slices
    from ssrhmr_core.body.skeleton import INDEX

    sides = [(INDEX[f"{side}_ankle"], INDEX[f"{side}_toe"]) for side in ("left", "right")]
    joints = [side[part] for part in (0, 1) for side in sides]
    heights = np.concatenate(
        [performance.joints(part)[:, joints, 2] for part in slices(len(performance.frames))]
    )
    ankles, toes = heights[:, :2], heights[:, 2:]
    skeleton = plan.character.rest.skeleton
    drops = -skeleton.offsets[[side[1] for side in sides], 1]
    soles = np.minimum(ankles - drops, toes) - skeleton.sole_height
    lower, lowest = soles.argmin(-1), soles.min(-1)
    if abs(np.quantile(lowest, 0.1)) > _NO_FLOOR * plan.adult:
        return {}
    tilts = abs(ankles - toes - drops)[np.arange(len(lower)), lower]
    low = np.flatnonzero(lowest <= np.quantile(lowest, 0.25))
    flat = low[np.argsort(tilts[low], kind="stable")][:_STANDING_FRAMES]
    return {int(row): int(lower[row]) for row in flat}


def _read_rest(
    plan: BakePlan, performance: Performance, stage: Stage, meshes: list[bpy.types.Object]
) -> list[_Skin]:
    """Read the meshes in the armature's rest position."""
    import numpy as np

    armature = plan.find_armature()
    bones = armature_of(armature).bones
    with _rest_position(armature_of(armature)):
        depsgraph = stage.set_frame(float(performance.frames[0]))
        world = np.array(flatten_matrix(armature.evaluated_get(depsgraph).matrix_world))
        world = world.reshape(4, 4)
        heads = np.full((len(plan.character.bones), 3), np.nan)
        for joint, name in enumerate(plan.character.bones):
            if name:
                heads[joint] = world[:3, :3] @ bones[name].head_local + world[:3, 3]
        skins = [_read_skin(plan, obj, depsgraph, heads) for obj in meshes]
    return [skin for skin in skins if skin is not None]


@contextmanager
def _rest_position(data: bpy.types.Armature) -> Iterator[None]:
    before = data.pose_position
    data.pose_position = "REST"
    try:
        yield
    finally:
        data.pose_position = before


def _read_skin(
    plan: BakePlan, obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph, heads: np.ndarray
) -> _Skin | None:
    """Read one mesh at rest, in the scene's units; None if it is empty."""
    import numpy as np

    from ssrhmr_core.body.skeleton import PARENTS

    vertices = _world_vertices(obj, depsgraph)
    mesh = obj.evaluated_get(depsgraph).data
    if not len(vertices) or not isinstance(mesh, bpy.types.Mesh):
        return None
    edges = np.empty((len(mesh.edges), 2), np.int32)
    mesh.edges.foreach_get("vertices", edges.ravel())
    sample = np.arange(0, len(vertices), 1 + len(vertices) // _LARGEST_SAMPLE)
    owners = _Owners(plan, obj, mesh)
    parts = heads[list(PARENTS[1:])], heads[1:]
    distances = _distances(vertices[sample, None], *parts)
    soles: list[np.ndarray] = []
    for joint, ankle in zip(_ankles(), heads[list(_ankles())], strict=True):
        shin = float(np.linalg.norm(ankle - heads[joint - 1]))
        near = np.flatnonzero(np.linalg.norm(vertices - ankle, axis=-1) < 1.2 * shin)
        near = near[np.argsort(vertices[near, 2], kind="stable")][:_SOLE_SAMPLE]
        knee, foot_bone, toe = plan.character.bones[joint - 1 : joint + 2]
        foot = find_foot_bones(plan.find_armature(), knee, foot_bone, toe)
        soles.append(np.array([v for v in near if owners.of(int(v)) in foot], int))
    names = [owners.of(int(vertex)) for vertex in sample]
    anchors = {name: _anchor(plan, name) for name in set(names)}
    return _Skin(
        name=obj.name,
        vertices=vertices,
        edges=edges,
        sample=sample,
        owners=names,
        anchors=np.array([anchors[name] for name in names]),
        lengths=_edge_lengths(vertices, edges),
        segments=distances.argmin(-1) + 1,
        distances=distances.min(-1),
        soles=tuple(soles),
        heads=heads,
    )


def _anchor(plan: BakePlan, name: str) -> int:
    """Return the joint of a bone or of the nearest mapped one above it, -1 if there is none."""
    armature = plan.find_armature()
    bone = armature_of(armature).bones.get(name)
    while bone is not None:
        if bone.name in plan.character.bones:
            return plan.character.bones.index(bone.name)
        if active_constraints(armature, [bone.name]):
            return -1  # it follows something else than what it hangs on
        bone = bone.parent
    return -1


class _Owners:
    """The bones that move the vertices of one evaluated mesh most; of no use once it is gone."""

    def __init__(self, plan: BakePlan, obj: bpy.types.Object, mesh: bpy.types.Mesh) -> None:
        armature = plan.find_armature()
        bones = armature_of(armature).bones
        names = {group.index: group.name for group in obj.vertex_groups if group.name in bones}
        self._carrier = obj.parent_bone if is_carried(obj, armature) else ""
        self._mesh, self._groups = mesh, names

    def of(self, vertex: int) -> str:
        """Return the name of a vertex' bone, empty if none moves it."""
        if self._carrier:
            return self._carrier
        weights = [
            (element.weight, self._groups[element.group])
            for element in self._mesh.vertices[vertex].groups
            if element.group in self._groups
        ]
        return max(weights)[1] if weights else ""


def _world_vertices(obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> np.ndarray:
    """Return the evaluated vertices (V, 3) of an object in Blender's world."""
    import numpy as np

    evaluated = obj.evaluated_get(depsgraph)
    mesh = evaluated.data
    if not isinstance(mesh, bpy.types.Mesh):
        return np.zeros((0, 3))
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", vertices.ravel())
    world = np.array(flatten_matrix(evaluated.matrix_world)).reshape(4, 4)
    transformed: np.ndarray = vertices @ world[:3, :3].T.astype(np.float32) + world[:3, 3]
    return transformed


def _distances(vertices: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the distances (...) of vertices (..., 3) from parts of a body: from joint to joint.

    Parts that begin or end at a joint that is NaN are infinitely far away.
    """
    import numpy as np

    along = end - start
    offsets = vertices - start
    squared = np.maximum((along * along).sum(-1), 1e-12)
    shares = np.clip((offsets * along).sum(-1) / squared, 0.0, 1.0)
    offsets = offsets - shares[..., None] * along
    distances = np.sqrt((offsets * offsets).sum(-1))
    return np.where(np.isfinite(distances), distances, np.inf)


def _edge_lengths(vertices: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the lengths (E,) of edges (E, 2) between vertices (V, 3)."""
    import numpy as np

    along = vertices[edges[:, 1]] - vertices[edges[:, 0]]
    lengths: np.ndarray = np.sqrt(np.einsum("ek,ek->e", along, along))
    return lengths


def _compare(
    plan: BakePlan, skin: _Skin, vertices: np.ndarray, joints: np.ndarray, findings: _Findings
) -> None:
    """Compare vertices (V, 3) of one frame with those at rest."""
    import numpy as np

    from ssrhmr_core.body.skeleton import PARENTS

    joints = np.where(np.isfinite(skin.heads), joints, np.nan)
    inside = vertices[skin.sample]
    parents = np.array(PARENTS)[skin.segments]
    behind = _distances(inside, joints[parents], joints[skin.segments]) - skin.distances
    behind[skin.distances > _CLOSE * plan.adult] = 0.0
    # What hangs on a mapped bone keeps its distance from it, wherever it is.
    hangs = skin.anchors >= 0
    anchors = skin.anchors[hangs]
    at_rest = np.linalg.norm(skin.vertices[skin.sample][hangs] - skin.heads[anchors], axis=-1)
    behind[hangs] = abs(np.linalg.norm(inside[hangs] - joints[anchors], axis=-1) - at_rest)
    for number in np.flatnonzero(behind > _LEFT_BEHIND * plan.adult):
        _keep_worst(findings.behind, skin.owners[number] or skin.name, float(behind[number]))
    after = _edge_lengths(vertices, skin.edges)
    longer = after - skin.lengths
    torn = np.flatnonzero((after > _STRETCH * skin.lengths) & (longer > _LONGER * plan.adult))
    torn = torn[np.argsort(-longer[torn])][:_NAMED_EDGES]
    for edge in torn:
        # The end that moved less from where it was at rest holds the other one back.
        ends = skin.edges[edge]
        moved = np.linalg.norm(vertices[ends] - skin.vertices[ends], axis=-1)
        name = skin.owner_near(int(ends[moved.argmin()]))
        _keep_worst(findings.torn, name, float(longer[edge]))


def _keep_worst(amounts: dict[str, float], name: str, amount: float) -> None:
    amounts[name] = max(amounts.get(name, 0.0), amount)
