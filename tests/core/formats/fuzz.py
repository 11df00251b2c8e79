# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile files: ``python -m tests.core.formats.fuzz --count 20000``.

Random bytes, and good files with bits turned, lines cut out, doubled and exchanged, numbers that
are none, other encodings, huge sizes announced and deep nesting, for every reader of files. Packed
formats are damaged inside and outside of their packing. Seeded. A reader must return something
sound or raise its own error; anything else ends the run and leaves the file. Prints what was
refused, the slowest file and how memory grew.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import lzma
import struct
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ssrhmr_core.body.motion import Motion
from ssrhmr_core.body.skeleton import TRACKERS, Skeleton
from ssrhmr_core.formats import MotionFileError, find_motions
from ssrhmr_core.formats.bvh import BVHError, load_bvh, save_bvh
from ssrhmr_core.formats.smpl import SmplError, load_smpl
from ssrhmr_core.formats.trackers_csv import (
    Recorder,
    TrackerFileError,
    load_trackers,
    save_trackers,
)
from ssrhmr_core.model.weights import WeightsError, load_weights, save_weights
from ssrhmr_core.tracking.calibration import Calibration
from ssrhmr_core.tracking.take import Take, TrackerError
from tests.core.conftest import make_motion, make_skeleton
from tests.core.formats.bvh_files import Convention, write
from tests.core.formats.tracker_files import (
    NAMES,
    Style,
    long_table,
    matrix_table,
    motive_table,
    trc_table,
    wide_table,
)
from tests.core.streaming.soak import resident

TOO_LONG = 10.0
"""Seconds that no small file may take."""
SMALL_WEIGHTS = {"a.w": (3, 4), "a.b": (4,)}
NUMBERS = (
    *("nan", "inf", "-inf", "1e308", "-1e-320", "1e39", "1e400", "9" * 400, "9" * 5000, "0x10"),
    *("1_0", "１２", "--1", "1,5", "0", "-0", "", "2147483648", "1e10", "-1"),
    *("0.1", "0.25", "-0.5", "1", "3", "12.5"),
)
WORDS = (
    *("{", "}", "JOINT", "ROOT x", "End Site", "OFFSET 0 0 0", "CHANNELS", "CHANNELS 3", "MOTION"),
    *("CHANNELS 0", "CHANNELS 1 Xrotation", "ROOT y\n{\nOFFSET 0 0 0\nCHANNELS 0\n}", "# x", "; x"),
    *("Frame Time: 0", "Frame Time: 33.333", "Frame Time: 0,04", "Frames: 0", "Frames:"),
    *("Frames: 99999999999", "Frame Time: 1e-320", "Frame Time: 1e300", "HIERARCHY", "[", '"', ","),
    *('{"a":', "null", "true", "\x00", "\ufeff", "\u2028", "\x1c", "\ud7ff", "\U0001f600", "\t"),
)
ENCODINGS = ("utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252", "utf-7")

Make = Callable[[np.random.Generator], bytes]


def cut(random: np.random.Generator, data: bytes) -> bytes:
    begin, end = sorted(random.integers(len(data) + 1, size=2))
    return data[:begin] if random.random() < 0.5 else data[:begin] + data[end:]


def turned(random: np.random.Generator, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 6)) if data else 0):
        changed[random.integers(len(changed))] = random.integers(256)
    return bytes(changed)


def put_in(random: np.random.Generator, data: bytes) -> bytes:
    at = random.integers(len(data) + 1)
    return data[:at] + random.bytes(int(random.integers(1, 9))) + data[at:]


def huge(random: np.random.Generator, data: bytes) -> bytes:
    """Write a large number somewhere: a length, a size, an offset."""
    number = (0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0, 0xFFFF)[random.integers(5)]
    at = random.integers(len(data) + 1)
    return data[:at] + struct.pack("<I", number) + data[at + 4 :]


def nothing(random: np.random.Generator, data: bytes) -> bytes:
    return random.bytes(int(random.integers(3000)))


def in_bytes(random: np.random.Generator, data: bytes) -> bytes:
    """Damage a file whatever it means."""
    for _ in range(int(random.integers(1, 4))):
        change = (cut, turned, turned, put_in, huge, nothing)[random.integers(6)]
        data = change(random, data)
    return data


def edit_lines(random: np.random.Generator, lines: list[str], at: int, other: int) -> None:
    """Delete, double, exchange or insert lines, in place."""
    match int(random.integers(5)):
        case 0:
            del lines[at : at + int(random.integers(1, 4))]
        case 1:
            lines.insert(at, lines[other])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            lines.insert(at, WORDS[random.integers(len(WORDS))])
        case 4:
            del lines[at:]


def edit_words(random: np.random.Generator, lines: list[str], at: int) -> None:
    """Replace or delete a word of a line, or a number wherever it stands, in place."""
    words = lines[at].replace(",", " , ").split(" ")
    word = random.integers(len(words))
    number = NUMBERS[random.integers(len(NUMBERS))]
    match int(random.integers(4)):
        case 0:
            words[word] = number
        case 1:
            words[word] = WORDS[random.integers(len(WORDS))]
        case 2:
            del words[word]
        case 3 if words[word]:
            lines[:] = [line.replace(words[word], number) for line in lines]
            return
    lines[at] = " ".join(words).replace(" , ", ",")


def in_text(random: np.random.Generator, data: bytes) -> bytes:
    """Damage a text as people, editors and programs do."""
    lines = data.decode().split("\n")
    for _ in range(int(random.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))):
        if not lines:
            break
        # Most of a file are its frames, most mistakes are made before them.
        far = len(lines) if random.random() < 0.5 else min(len(lines), 120)
        at, other = random.integers(far, size=2)
        if random.random() < 5 / 9:
            edit_lines(random, lines, at, other)
        else:
            edit_words(random, lines, at)
    end = "\r\n" if random.random() < 0.1 else "\n"
    text = end.join(lines)
    if random.random() < 0.1:
        return text.encode(ENCODINGS[random.integers(len(ENCODINGS))], "replace")
    return text.encode("utf-8", "surrogatepass")


def damaged_text(good: bytes) -> Make:
    def make(random: np.random.Generator) -> bytes:
        return in_bytes(random, good) if random.random() < 0.25 else in_text(random, good)

    return make


def packed_text(good: bytes) -> Make:
    """The same within .xz, which may itself be damaged."""
    inside, packed = damaged_text(good), lzma.compress(good, preset=0)

    def make(random: np.random.Generator) -> bytes:
        if random.random() < 0.2:
            return in_bytes(random, packed)
        check = (lzma.CHECK_NONE, lzma.CHECK_CRC64)[random.integers(2)]
        return lzma.compress(inside(random), check=check, preset=0)

    return make


def odd_array(random: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """Another array in its place: other numbers, types and shapes."""
    match int(random.integers(10)):
        case 0 if array.dtype.kind == "f":
            changed = array.astype(
                ("f2", "f4", "i8", "u1", "c16", "?", "S8", "U8")[random.integers(8)]
            )
        case 1:
            changed = array[..., : random.integers(1, 80)] if array.ndim else array[None]
        case 2:
            changed = array[: random.integers(4)] if array.ndim else array
        case 3:
            changed = array[None] if random.random() < 0.5 else array.T
        case 4:
            factor = random.choice([np.nan, np.inf, 1e308, 1e39, 0.0, -1.0, 1e-320])
            changed = array * factor if array.dtype.kind == "f" else array[None]
        case 5:
            changed = np.array([{"a": 1}, "b"], dtype=object)
        case 6:
            changed = np.zeros((0,) * int(random.integers(4)))
        case 7:
            changed = np.array(random.choice(["text", "", "[" * 5000, "{}", '{"format": 2}']))
        case 8:
            changed = np.zeros(3, [("x", "f8"), ("y", "O" if random.random() < 0.5 else "i4")])
        case _:
            changed = array.astype(float) if array.dtype.kind in "fiu" else np.zeros((2, 2))
            changed.flat[random.integers(changed.size)] = random.choice([np.nan, np.inf, 1e300])
    return changed


def member(random: np.random.Generator, array: np.ndarray) -> bytes:
    """An array as it lies in an archive, its header possibly a lie."""
    file = io.BytesIO()
    np.save(file, array)
    data = file.getvalue()
    if random.random() < 0.5:
        return data
    header = data[10 : 10 + struct.unpack("<H", data[8:10])[0]].decode()
    shape = str(array.shape)
    lies = (
        "(999999999999, 156)",
        "(-1, 3)",
        "(1e9,)",
        "(2**62,)",
        "()",
        "(" * 3000,
        f"({'9' * 4000},)",
    )
    match int(random.integers(5)):
        case 0 | 1:
            header = header.replace(shape, random.choice(lies))
        case 2:
            header = header.replace(
                "<f8", random.choice(["O", "<f9999999", "<U2000000000", "|V0", "x"])
            )
        case 3:
            header = header.replace("False", random.choice(["True", "None", "[]"]))
        case 4:
            header = str(random.choice(["", "{", "[" * 4000, "1", "{}", "{'descr': 1}", "\x00"]))
    raw = header.encode("latin-1")[:65535]
    return data[:8] + struct.pack("<H", len(raw)) + raw + data[10 + len(data[10:]) - array.nbytes :]


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return file.getvalue()


def arrays(good: dict[str, np.ndarray]) -> Make:
    """An archive of arrays, damaged within and without."""

    def make(random: np.random.Generator) -> bytes:
        members = {}
        wrong = random.choice(list(good))
        for name, array in good.items():
            if name == wrong:
                if random.random() < 0.1:
                    continue
                with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                    array = odd_array(random, array) if random.random() < 0.7 else array
            members[f"{name}.npy"] = member(random, array) if name == wrong else saved(array)
        if random.random() < 0.1:
            members[str(random.choice(["../x.npy", "x", ".npy", "poses"]))] = random.bytes(40)
        methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        data = archive(members, methods[random.choice(4, p=[0.4, 0.4, 0.1, 0.1])])
        return in_bytes(random, data) if random.random() < 0.3 else data

    return make


def saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@dataclass(frozen=True)
class Target:
    """A reader of files.

    Attributes:
        file: name of the files.
        make: makes one.
        read: reads one; raises AssertionError if what it returns is not sound.
        errors: what it may raise.
    """

    file: str
    make: Make
    read: Callable[[Path], object]
    errors: tuple[type[Exception], ...]


def read_motion(load: Callable[[Path], Motion]) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        motion = load(path)
        assert len(motion) > 0 and np.isfinite(motion.times).all(), "times"
        assert len(motion) == 1 or (np.diff(motion.times) > 0.0).all(), "times that do not rise"
        assert np.isfinite(motion.rotations).all() and np.isfinite(motion.root).all(), "numbers"
        assert np.abs(np.linalg.norm(motion.rotations, axis=-1) - 1.0).max() < 1e-3, "rotations"
        assert np.isfinite(motion.positions()).all(), "positions"

    return read


def read_take(path: Path) -> None:
    take = load_trackers(path)
    assert np.isfinite(take.positions[take.valid]).all(), "positions"
    turns = np.linalg.norm(take.rotations[take.valid], axis=-1)
    assert (np.abs(turns - 1.0) < 1e-3).all(), "rotations"


def read_weights(path: Path) -> None:
    for name, array in load_weights(path, SMALL_WEIGHTS).items():
        assert array.shape == SMALL_WEIGHTS[name] and np.isfinite(array).all(), name


def read_calibration(path: Path) -> None:
    found = Calibration.from_json(path.read_bytes().decode("utf-8", "replace"))
    assert np.isfinite(found.mount_rotations).all() and np.isfinite(found.mount_offsets).all(), (
        "mounts"
    )
    assert (np.abs(np.linalg.norm(found.mount_rotations, axis=-1)) > 1e-6).all(), (
        "mounts that turn nothing"
    )
    assert 0.0 < found.scale < np.inf, "scale"


def keyword_names() -> dict[str, np.ndarray]:
    """Return matrices in a group of arrays, and a shape."""
    unit = np.tile(np.eye(3), (6, 1, 1))
    return {
        "smpl_params_global/global_orient": unit,
        "smpl_params_global/body_pose": np.tile(unit[:, None], (1, 23, 1, 1)),
        "smpl_params_global/transl": np.tile(np.array([0.0, 1.2, 0.0]), (6, 1)),
        "smpl_params_global/betas": np.zeros((6, 10)),
        "smpl_params_incam/transl": np.zeros((6, 3)),
    }


def tracker_tables(take: Take) -> dict[str, tuple[str, bytes]]:
    """Return tables of other programs, each with the name of its files."""
    style = Style(names=NAMES["title"], up="z", unit="cm")
    spreadsheet = replace(style, delimiter=";", comma=",")
    header = "Time (ms),Name,X,Y,Z,QX,QY,QZ,QW,Tracked"
    tables = {
        "long": ("x.csv", long_table(take, spreadsheet, header, "xyzw")),
        "wide": ("x.tsv", wide_table(take, replace(style, delimiter="\t"))),
        "matrices": ("x.csv", matrix_table(take, style)),
        "motive": ("x.csv", motive_table(take, style)),
        "trc": ("x.trc", trc_table(take, style)),
    }
    return {name: (file, text.encode()) for name, (file, text) in tables.items()}


def targets(folder: Path) -> dict[str, Target]:
    """All readers, with good files made in ``folder``."""
    motion = make_motion(make_skeleton(), 8)
    take = Take.from_motion(motion)
    save_bvh(folder / "good.bvh", motion)
    unusual = Convention(everywhere=True, has_wrapper=True, rotations_first=True, socket=20.0)
    write(folder / "unusual.bvh", motion, unusual)
    save_trackers(folder / "good.csv", take)
    recorder = Recorder(folder / "recorded.csv")
    for frame, time_ in enumerate(take.times):
        for tracker, role in enumerate(TRACKERS):
            turn = take.rotations[frame, tracker]
            place = take.positions[frame, tracker]
            recorder.add(time_ + 1e-4 * tracker, role, place, turn, True, "LHR-1")
    recorder.close()
    random = np.random.default_rng(0)
    numbers = {
        name: random.normal(size=shape).astype("f4") for name, shape in SMALL_WEIGHTS.items()
    }
    save_weights(folder / "good.npz", numbers)
    with np.load(folder / "good.npz") as stored:
        weights = dict(stored)
    poses = np.zeros((6, 156))
    poses[:, 0] = 0.5 * np.pi
    amass = {
        "poses": poses,
        "trans": np.zeros((6, 3)),
        "mocap_framerate": np.array(120.0),
        "gender": np.array("neutral"),
    }
    calibration = Calibration.none().to_json()
    worn = json.loads(calibration) | {
        "performer": Skeleton(make_skeleton().offsets).offsets.tolist()
    }
    listing = {"validation": ["good.bvh", "good.bvh"], "all": ["list.json#validation"]}
    bvh, unusual_bvh, frames, readings = (
        (folder / name).read_bytes()
        for name in ("good.bvh", "unusual.bvh", "good.csv", "recorded.csv")
    )

    def read_listing(path: Path) -> None:
        for key in ("validation", "all"):
            assert all(file.is_file() for file in find_motions([f"{path}#{key}"])), "no file"

    readable = (OSError,)
    return {
        "bvh": Target("x.bvh", damaged_text(bvh), read_motion(load_bvh), (BVHError, *readable)),
        "unusual bvh": Target(
            "x.bvh", damaged_text(unusual_bvh), read_motion(load_bvh), (BVHError, *readable)
        ),
        "bvh.xz": Target(
            "x.bvh.xz", packed_text(bvh), read_motion(load_bvh), (BVHError, *readable)
        ),
        "smpl": Target("x.npz", arrays(amass), read_motion(load_smpl), (SmplError, *readable)),
        "smpl groups": Target(
            "x.npz", arrays(keyword_names()), read_motion(load_smpl), (SmplError, *readable)
        ),
        **{
            name: Target(file, damaged_text(text), read_take, (TrackerFileError, *readable))
            for name, (file, text) in tracker_tables(take).items()
        },
        "frames": Target("x.csv", damaged_text(frames), read_take, (TrackerFileError, *readable)),
        "readings": Target(
            "x.csv", damaged_text(readings), read_take, (TrackerFileError, *readable)
        ),
        "weights": Target("x.npz", arrays(weights), read_weights, (WeightsError,)),
        "calibration": Target(
            "x.json",
            damaged_text(json.dumps(worn, indent=1).encode()),
            read_calibration,
            (TrackerError,),
        ),
        "listing": Target(
            "list.json",
            damaged_text(json.dumps(listing, indent=1).encode()),
            read_listing,
            (MotionFileError, *readable),
        ),
    }


def hostile(make: Make, seed: int) -> Iterator[bytes]:
    """Endless files, the same for the same seed."""
    random = np.random.default_rng(seed)
    while True:
        yield make(random)


@dataclass
class Outcome:
    """What became of some files."""

    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0
    grown: float = 0.0


def run(target: Target, folder: Path, count: int, seed: int) -> Outcome:
    """Read so many files.

    Raises:
        SystemExit: if a reader does anything but return what is sound or refuse; the file stays.
    """
    outcome, before = Outcome(), resident()
    path = folder / target.file
    for number, data in enumerate(itertools.islice(hostile(target.make, seed), count)):
        path.write_bytes(data)
        known = set(folder.iterdir())
        began = time.perf_counter()
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                target.read(path)
            outcome.accepted += 1
        except target.errors as error:
            outcome.refused += 1
            if not str(error):
                raise SystemExit(f"{path}, file {number}: no message") from error
        except BaseException as error:
            raise SystemExit(f"{path}, file {number}: {type(error).__name__}: {error}") from error
        spent = time.perf_counter() - began
        outcome.slowest = max(outcome.slowest, spent)
        if spent > TOO_LONG:
            raise SystemExit(f"{path}, file {number}: {spent:.0f} s")
        if set(folder.iterdir()) != known:
            raise SystemExit(f"{path}, file {number}: left something behind")
    outcome.grown = resident() - before
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20000, help="files for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one reader")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ssrhmr-fuzz-"))
    readers: dict[str, Any] = targets(folder)
    for name in [chosen.only] if chosen.only else readers:
        run(readers[name], folder, min(300, chosen.count), chosen.seed + 1)
        began = time.perf_counter()
        found = run(readers[name], folder, chosen.count, chosen.seed)
        print(
            f"{name}: {chosen.count} files, {found.accepted} accepted, {found.refused} refused,"
            f" slowest {found.slowest:.2f} s, memory + {found.grown:.1f} MiB,"
            f" {time.perf_counter() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
