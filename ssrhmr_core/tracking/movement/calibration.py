# SPDX-License-Identifier: GPL-3.0-or-later
"""Refine how trackers sit on their joints from a movement, or from a take itself.

A reference pose leaves mounts uncertain by some centimetres, since nobody stands exactly as asked.
When the performer moves, joints show where they are: a wrist stays while its hand circles, an ankle
while its toes lift. :mod:`ssrhmr_core.tracking.movement.fit` finds what is most probable; this
module chooses frames, checks the result, and keeps the reference pose's calibration where the
movement cannot be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...body.extra_trackers import EXTRA_TRACKERS
from ...body.skeleton import ADULT_SIZE, INDEX, TRACKERS, Skeleton
from ...geometry.rotations import (
    from_quat,
    from_rotvec,
    rotate,
    rotation_angle,
    to_quat,
    to_rotvec,
    transpose,
)
from ..body_shapes import free_body_prior, straighten_trunk
from ..calibration import Calibration
from ..extras.calibration import (
    ExtraCalibration,
    describe_misfits,
    find_misfits,
    measure_mounts,
)
from ..mount_kinds import MOUNT_ROLES, place_kind
from ..pose_model import DEGREE_INDEX, pose_body
from ..reference_pose import ReferencePose
from ..stance_average import BodyPrior
from ..take import Take
from .evidence import GUIDED, GUIDED_UNKNOWN, UNGUIDED, Evidence, TrackerMounts
from .fit import MovementFit, fit_movement
from .frames import sample_frames, to_tracker_mounts
from .holds import Holds, find_holds

_REFERENCE_FRAMES = 3
"""Number of frames of the reference pose: they are all alike."""
_REFERENCE_SHARES = (0.4, 0.6)
"""Part of the reference take from which they are: its middle, where people stand still."""
_MOST_FRAMES, _MOST_FRAMES_OF_TAKES = 180, 120
"""The largest numbers of frames of guided movements, which would last half a minute, and of takes,
which show less."""
_FEWEST_FRAMES = 24
"""Number of frames with all trackers, below which a movement is not used: 4 seconds at 6 Hz."""
LEAST_TURN = np.radians(6.0)
"""Spread of a tracker's rotation relative to the pelvis, below which it did not turn enough to show
its joint. The pelvis itself is known from the legs."""
_PELVIS = TRACKERS.index("pelvis")
UNLIKE_A_BODY = "the movement does not look like that of a body: calibrate again"
_PAIRS = {
    "hands": (TRACKERS.index("left_hand"), TRACKERS.index("right_hand")),
    "feet": (TRACKERS.index("left_foot"), TRACKERS.index("right_foot")),
}
_FLEXES = [DEGREE_INDEX[f"{side}_knee.flex"] for side in ("left", "right")]
_LARGEST_RESIDUAL = 0.006
"""Root mean square of what is left between model and trackers, metres on an adult. Fits of right
movements leave 1 to 3 mm."""
_LARGEST_MOVE, _LARGEST_ROTATION = 0.2, np.radians(50.0)
"""Metres on an adult and radians beyond which no movement corrects a reference pose."""
_LARGEST_SHAPE = 4.5
"""Spreads by which a body may differ from the most usual one."""
_KIND_UNCERTAINTY = 1.3
"""Factor of the spread of a kind of mount: the nearest kind may be another than the real one."""
_OTHER_KINDS = 2
"""How often other kinds are tried, as the reference pose takes one tracker in ten for another kind.
Not if bones are measured along, which mounts trade with, and not in takes, which are fitted less
exactly: they would run away."""
_BELT_UNCERTAINTY = 3.0
"""Another factor for the pelvis in a guided movement on a body that is known, which show its place:
belts hold trackers anywhere round the waist, between the kinds too. Bones that are measured along
would trade with it."""
_SITTING = np.radians(60.0)
"""Median bend of both knees beyond which the performer sits."""
_OFFSET_SCALE, _ROTATION_SCALE = 1.5, 2.0
"""Real errors over the standard deviations of the fit: soft tissue, slips and postures are
not independent from frame to frame, as the fit takes them for."""


_LESS_CERTAIN = 2.0
"""Factor of these if the body is measured too, or the movement is a take: bones trade with mounts,
and takes are not what the fit assumes."""
_TRUST_IN_TAKES = 0.5
"""Share of the way from the optional trackers of the reference pose to those of a take. Both are
about equally far off and err in different ways, so that the middle is nearer than either."""
_OFFSET_SHARES = np.array(
    [
        (0.85, 0.1, 0.55),
        (0.6, 0.05, 0.9),
        (0.55, 0.35, 0.25),
        (0.55, 0.35, 0.25),
        (0.2, 0.05, 0.25),
        (0.2, 0.05, 0.25),
    ]
)
"""The same for the offset of each of the six along its joint's axes (left, up, to the front) on a
body that is known. Heights follow from a standing body; takes show pelvis and head better than
feet, which roll and slide. These shares, and those below, are the best ones on three hundred takes
of the training list."""
_ROTATION_SHARES = np.array(
    [
        (0.4, 0.25, 0.65),
        (0.9, 0.4, 1.0),
        (0.7, 0.3, 0.15),
        (0.7, 0.3, 0.15),
        (0.0, 0.55, 0.0),
        (0.0, 0.55, 0.0),
    ]
)
"""The same for rotations about these axes, which nothing trades with. Feet that stand in the
reference pose are flat."""
_MEASURED_SHARE = 0.35
"""The same for offsets and bones of a body that is measured. They trade with each other, so that
all must go the same share of the way."""
_LARGEST_STEP, _LARGEST_TURN = 0.03, np.radians(5.0)
"""Metres on an adult, and radians about each axis, beyond which a take moves or turns a tracker no
farther: the larger, the less true."""
_DOUBTED_STEP, _DOUBTED_STEP_MEASURED = 0.008, 0.02
"""Metres on an adult: a take that would move the trackers by that much on average goes half of the
way; the second on a body that is measured, whose bones take part. Small steps are often wrong and
gain little: mounts keep three quarters of what these takes gain them, and 7 instead of 17 % of the
takes make them worse by a millimetre."""
_SHARE_OF_MOVEMENT = 0.5
"""Share of the way from the mounts of optional trackers in the fitted reference pose to those in
the movement, relative to the trust. Each shows what the other does not: in eight drawn sessions
elbows and knees are 16 mm off by the one, 14 mm by the other and 12 mm in the middle."""
_WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]
_HANDS_APART = 0.4
"""Distance of an adult's wrists, metres, up to which nothing is learned of elbows."""
_LARGEST_MISFIT, _LARGEST_MISFIT_ANGLE = 0.06, np.radians(22.0)
"""Root mean square distance on an adult, and angle, by which an optional tracker may seem to move
against its limb in a guided movement. In drawn sessions these are up to 3 cm and 9 degrees; swapped
elbows have at least 12 cm and 26 degrees, swapped knees and toes 8 cm."""


@dataclass(frozen=True)
class MovementOptions:
    """How to calibrate from a movement.

    Attributes:
        reference: The pose in which the performer stood.
        guided: Whether the performer made the guided movement; False for takes.
        rate: Frames per second that are looked at.
        most_frames: The largest number of frames that are looked at; the time needed is
            proportional to it. None for the usual number, that of a guided movement or of takes.
    """

    reference: ReferencePose = ReferencePose.T_POSE
    guided: bool = True
    rate: float = 6.0
    most_frames: int | None = None

    @property
    def frames(self) -> int:
        """The largest number of frames that are looked at."""
        usual = _MOST_FRAMES if self.guided else _MOST_FRAMES_OF_TAKES
        return self.most_frames or usual


@dataclass(frozen=True, eq=False)
class MovementCalibration:
    """What a movement tells.

    Attributes:
        calibration: The refined calibration; the reference pose's own if `refined` is False.
        refined: Whether the movement was used.
        offset_deviations: (6,) standard deviations of the mounts' offsets, metres; NaN if the
            movement was not used.
        rotation_deviations: (6,) standard deviations of the mounts' rotations, degrees, likewise.
        floor: Height of the floor on which the performer stands, metres, likewise.
        warnings: What was odd about the movement, in plain words.
    """

    calibration: Calibration
    refined: bool
    offset_deviations: np.ndarray
    rotation_deviations: np.ndarray
    floor: float
    warnings: tuple[str, ...]


def calibrate_from_movement(
    skeleton: Skeleton,
    reference: Take,
    movement: Take,
    calibration: Calibration,
    options: MovementOptions = MovementOptions(),
) -> MovementCalibration:
    """Refine a calibration from a movement: a guided one, or a take.

    Frames in which a tracker is not valid are left out. If the calibration has a performer
    (proportions "RETARGET"), the lengths of the performer's bones are refined too.

    Args:
        skeleton: The character's skeleton.
        reference: About a second of the reference pose, raw trackers.
        movement: The movement, raw trackers.
        calibration: How the reference pose calibrates the trackers.
        options: How to calibrate.

    Returns:
        The refined calibration, or the given one with a warning if the movement cannot be trusted.
    """
    body = calibration.performer or skeleton
    frames, consecutive = sample_frames(movement, options.rate, options.frames)
    if len(frames) < _FEWEST_FRAMES:
        return keep_calibration(
            calibration,
            "there are fewer than 4 seconds in which all trackers are seen: move again where none"
            " of them is covered",
        )
    joints = calibration.apply(frames)
    warning = calibration.warnings[0] if calibration.swapped else _find_swap(joints)
    if warning:
        return keep_calibration(calibration, warning)
    turns = measure_turns(from_quat(frames.rotations.astype(np.float64)))
    if (turns < LEAST_TURN).sum() > 2:
        return keep_calibration(
            calibration, "hardly any movement was made: move as shown, then calibrate"
        )
    posed = _sample_reference(reference)
    holds = Holds.none(len(frames))
    if options.guided:
        # Whoever performs freely may bring hands and feet together in any way.
        holds = find_holds(body, joints, consecutive)
    evidence = _gather(calibration, posed, frames, consecutive, holds, options)
    mounts = to_tracker_mounts(calibration)
    shows_mounts = options.guided and calibration.performer is None
    prior = free_body_prior(body.size / ADULT_SIZE) if calibration.performer else None
    fit = _fit_kinds(body, evidence, mounts, shows_mounts, prior)
    warning = _find_fault(body, evidence, mounts, fit)
    if warning:
        return keep_calibration(calibration, warning)
    fit = replace(fit, skeleton=straighten_trunk(body, fit.skeleton))
    trust = 1.0 if options.guided else _TRUST_IN_TAKES
    fit_of_take = fit if options.guided else _hold_back(body, calibration, fit)
    warnings = (*_describe_still_trackers(turns), *holds.warnings)
    result = _refine(calibration, fit_of_take, warnings, options.guided)
    if calibration.extras is None or posed.extras is None:
        return result
    extra = _refine_extras(calibration, (posed, frames), fit, trust)
    return replace(
        result,
        calibration=replace(result.calibration, extras=extra.mounts),
        warnings=(*result.warnings, *extra.warnings),
    )


def keep_calibration(calibration: Calibration, warning: str) -> MovementCalibration:
    """Return a calibration as it was, with the reason why the movement was not used."""
    unknown = np.full(6, np.nan)
    return MovementCalibration(calibration, False, unknown, unknown, float("nan"), (warning,))


def _sample_reference(reference: Take) -> Take:
    """Choose a few frames from the middle of the reference pose in which all trackers are seen."""
    seen = np.flatnonzero(reference.valid.all(-1))
    shares = np.linspace(*_REFERENCE_SHARES, _REFERENCE_FRAMES)
    return reference.part(np.unique(seen[(shares * (len(seen) - 1)).round().astype(int)]))


def _find_swap(joints: Take) -> str | None:
    """Return a warning if left and right are on the wrong sides in most frames."""
    pelvis = transpose(from_quat(joints.rotations[:, _PELVIS]))
    for pair, (left, right) in _PAIRS.items():
        across = rotate(pelvis, joints.positions[:, left] - joints.positions[:, right])[:, 0]
        if np.median(across) < 0.0:
            return (
                f"left and right look swapped on the {pair} since the reference pose: exchange the"
                " two trackers"
            )
    return None


def measure_turns(rotations: np.ndarray) -> np.ndarray:
    """Return how far trackers turn against the pelvis.

    Args:
        rotations: (F, 6, 3, 3) of the trackers.

    Returns:
        (6,) spreads in radians; infinite for the pelvis itself.
    """
    relative = transpose(rotations[:, _PELVIS, None]) @ rotations
    mean = relative.mean(0)
    # The mean of rotations is shorter than one by their spread; the nearest rotation is its middle.
    left, _, right = np.linalg.svd(mean)
    middle = left @ right
    turns = np.sqrt((rotation_angle(transpose(middle) @ relative) ** 2).mean(0))
    turns[_PELVIS] = np.inf
    return turns


def _describe_still_trackers(turns: np.ndarray) -> tuple[str, ...]:
    return tuple(
        f"{TRACKERS[tracker]} hardly turned, so that its place is known no better than from the"
        " reference pose: repeat the movement with that limb"
        for tracker in np.flatnonzero(turns < LEAST_TURN)
    )


def _gather(
    calibration: Calibration,
    reference: Take,
    frames: Take,
    consecutive: np.ndarray,
    holds: Holds,
    options: MovementOptions,
) -> Evidence:
    positions = np.concatenate([reference.positions, frames.positions]).astype(np.float64)
    rotations = np.concatenate([reference.rotations, frames.rotations]).astype(np.float64)
    standing = np.arange(len(positions)) < len(reference)
    together = np.concatenate([np.ones(len(reference) - 1, bool), [False], consecutive])
    habits = GUIDED_UNKNOWN if calibration.performer else GUIDED
    return Evidence(
        calibration.scale * positions,
        from_quat(rotations / np.linalg.norm(rotations, axis=-1, keepdims=True)),
        standing,
        together,
        np.radians(options.reference.arm_elevation),
        habits if options.guided else UNGUIDED,
        holds.after(len(reference)),
    )


def _fit_kinds(
    body: Skeleton,
    evidence: Evidence,
    mounts: TrackerMounts,
    shows_mounts: bool,
    prior: BodyPrior | None,
) -> MovementFit:
    """Fit, and fit again if other ways to wear the trackers turn out to be nearer."""
    usual, spreads = _usual_mounts(body, mounts, shows_mounts)
    fit = fit_movement(body, evidence, mounts, usual, spreads, prior)
    for _ in range(_OTHER_KINDS if shows_mounts else 0):
        nearer, spreads = _usual_mounts(body, fit.mounts, shows_mounts)
        if np.array_equal(nearer, usual):
            break
        usual = nearer
        fit = fit_movement(body, evidence, mounts, usual, spreads, prior, former=fit)
    return fit


def _usual_mounts(
    body: Skeleton, mounts: TrackerMounts, shows_mounts: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return means and spreads (6, 3) of the ways to wear trackers nearest to the mounts."""
    adult = body.size / ADULT_SIZE
    means, spreads = np.empty((6, 3)), np.empty((6, 3))
    for role in MOUNT_ROLES:
        own = list(role.trackers)
        offsets = mounts.offsets[own] / adult

        def cost(placed: tuple[np.ndarray, np.ndarray], offsets: np.ndarray = offsets) -> float:
            mean, spread = placed
            away = (offsets - mean) / spread
            return float((away * away).sum() + 2.0 * np.log(spread).sum())

        kinds = [place_kind(role, kind) for kind in role.kinds]
        means[own], spreads[own] = min(kinds, key=cost)
    if shows_mounts:
        spreads[_PELVIS] *= _BELT_UNCERTAINTY
    return adult * means, adult * _KIND_UNCERTAINTY * spreads


def _find_fault(
    body: Skeleton, evidence: Evidence, before: TrackerMounts, fit: MovementFit
) -> str | None:
    """Return why a result cannot be trusted, None if it can."""
    adult = body.size / ADULT_SIZE
    values = [fit.mounts.offsets, fit.mounts.rotations, fit.residuals, fit.skeleton.offsets]
    if not all(np.isfinite(value).all() for value in values):
        return UNLIKE_A_BODY
    moving = ~evidence.reference
    worst = int(np.argmax((fit.residuals[moving] ** 2).mean(0)))
    if np.sqrt((fit.residuals[moving] ** 2).mean(0))[worst] > _LARGEST_RESIDUAL * adult:
        return (
            f"{TRACKERS[worst]} does not move as a tracker on that limb of this body does: check"
            " which tracker is worn where and that its strap holds, then move again"
        )
    if (np.median(fit.poses.angles[moving][:, _FLEXES], axis=0) > _SITTING).all():
        return "the performer seems to sit: stand up for the movement"
    moved = np.linalg.norm(fit.mounts.offsets - before.offsets, axis=-1) / adult
    turned = rotation_angle(transpose(before.rotations) @ fit.mounts.rotations)
    far = np.maximum(moved / _LARGEST_MOVE, turned / _LARGEST_ROTATION)
    if far.max() > 1.0:
        return (
            f"{TRACKERS[int(far.argmax())]} sits elsewhere than in the reference pose: stand in the"
            " pose again, then move"
        )
    if np.abs(fit.shape).max(initial=0.0) > _LARGEST_SHAPE:
        return "the measured body is unlike any: stand in the reference pose again, then move"
    return None


def _hold_back(body: Skeleton, calibration: Calibration, fit: MovementFit) -> MovementFit:
    """Bring what was fitted to a take back towards the calibration, by what takes are worth."""
    before = to_tracker_mounts(calibration)
    joints = transpose(before.rotations)
    # Joints as seen from where they were, in their own axes.
    moved = rotate(before.rotations @ transpose(fit.mounts.rotations), fit.mounts.offsets)
    steps = before.offsets - moved
    adult = body.size / ADULT_SIZE
    if calibration.performer:
        doubted, steps = _DOUBTED_STEP_MEASURED, _MEASURED_SHARE * steps
    else:
        doubted = _DOUBTED_STEP
        lengths = np.linalg.norm(steps, axis=-1, keepdims=True)
        shortened = np.minimum(1.0, _LARGEST_STEP * adult / np.maximum(lengths, 1e-9))
        steps = _OFFSET_SHARES * steps * shortened
    mean = np.linalg.norm(steps, axis=-1).mean() / adult
    trust = 1.0 / (1.0 + (doubted / max(mean, 1e-9)) ** 2)
    turned = to_rotvec(before.rotations @ transpose(fit.mounts.rotations))
    turned = _ROTATION_SHARES * np.clip(turned, -_LARGEST_TURN, _LARGEST_TURN)
    steps, turns = trust * steps, from_rotvec(trust * turned)
    # The tracker as seen from the joint that has moved and turned.
    mounts = TrackerMounts(
        rotate(transpose(turns), before.offsets - steps), transpose(joints @ turns)
    )
    share = trust * _MEASURED_SHARE
    offsets = body.offsets + share * (fit.skeleton.offsets - body.offsets)
    return replace(fit, mounts=mounts, skeleton=Skeleton(offsets, body.present))


def _refine(
    calibration: Calibration, fit: MovementFit, warnings: tuple[str, ...], guided: bool
) -> MovementCalibration:
    """Replace mounts, and the body if it is measured, by those that were fitted."""
    joints = transpose(fit.mounts.rotations)
    refined = replace(
        calibration,
        mount_rotations=to_quat(joints).astype(np.float32),
        mount_offsets=-rotate(joints, fit.mounts.offsets).astype(np.float32),
        performer=fit.skeleton if calibration.performer else None,
    )
    scale = 1.0 if guided and calibration.performer is None else _LESS_CERTAIN
    offset_deviations = scale * _OFFSET_SCALE * np.linalg.norm(fit.offset_spreads, axis=-1)
    rotation_deviations = scale * _ROTATION_SCALE * np.linalg.norm(fit.rotation_spreads, axis=-1)
    return MovementCalibration(
        refined, True, offset_deviations, np.degrees(rotation_deviations), fit.floor, warnings
    )


def _refine_extras(
    calibration: Calibration, takes: tuple[Take, Take], fit: MovementFit, trust: float
) -> ExtraCalibration:
    """Measure the mounts of optional trackers again in the poses that were fitted to the six.

    Those that do not move like the limb they are said to be on are left out.

    Args:
        calibration: How the reference pose calibrates the trackers.
        takes: Frames of the reference pose and of the movement, which are those of the fit.
        fit: What was fitted to the six trackers.
        trust: The share of the way from the given mounts to the new ones.
    """
    mounts = calibration.extras
    body = pose_body(fit.poses, fit.skeleton.offsets.astype(np.float64))
    hands = np.linalg.norm(np.diff(body.positions[:, _WRISTS], axis=1)[:, 0], axis=-1)
    adult = fit.skeleton.size / ADULT_SIZE
    misfits = np.zeros(len(EXTRA_TRACKERS), bool)
    begin = 0
    for take, share in zip(takes, (1.0, _SHARE_OF_MOVEMENT), strict=True):
        # Where hands come together, elbows are at either side of them at will.
        rows = np.flatnonzero(hands[begin : begin + len(take)] > _HANDS_APART * adult)
        frames, begin = begin + rows, begin + len(take)
        if mounts is None or take.extras is None or not len(rows):
            continue
        # One without a rotation shows how it swings in the reference pose alone.
        usable = mounts.has_position & (mounts.has_rotation | (take is takes[0]))
        readings = replace(
            take.extras.part(rows).scaled(calibration.scale),
            has_position=take.extras.has_position[rows] & usable,
            has_rotation=take.extras.has_rotation[rows] & mounts.has_rotation,
            lower=take.extras.lower if mounts.lower is None else mounts.lower,
        )
        joints = body.positions[frames], to_quat(body.rotations[frames])
        measured = measure_mounts(*joints, readings, mounts.anchor)
        # Takes are fitted less exactly.
        largest = adult * _LARGEST_MISFIT / trust, _LARGEST_MISFIT_ANGLE / trust
        misfits |= find_misfits(measured, *joints, readings, largest)
        misfits |= mounts.differ(measured, _LARGEST_MOVE * adult, _LARGEST_ROTATION)
        mounts = mounts.blended(measured, trust * share)
    mounts = mounts.without(misfits) if mounts else None
    return ExtraCalibration(mounts if mounts and mounts.worn else None, describe_misfits(misfits))
