# SPDX-License-Identifier: GPL-3.0-or-later
"""Model how long somebody needs from nothing to a baked character of their own.

``python scripts/first_use_time.py`` prints the table of ``docs/developers.md``. Nobody was watched:
actions are counted from the README and timed by the keystroke-level model (Card, Moran and Newell,
1980), reading by the mean speed of adults (Brysbaert, 2019). The machine's own time is measured.
"""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
SECONDS = {"K": 0.28, "P": 1.1, "B": 0.1, "H": 0.4, "M": 1.35}
"""A key by somebody who does not type for a living, pointing with the mouse, pressing or letting go
of its button, moving a hand between mouse and keys, thinking of what comes next."""
WORDS_A_MINUTE = 238.0
CHOOSE_FILE = "M P4B P4B P4B"
"""Two folders and a file, by two clicks each."""
ACTIONS = {
    "Install": [
        ("type python build_addon.py, Enter", "M H 22K"),
        ("Edit > Preferences > Get Extensions, the arrow, Install from Disk", "H M 5P 10B"),
        ("the zip", CHOOSE_FILE),
        ("close the window", "P2B"),
        ("N over the 3D view, and the tab", "M P K P2B"),
    ],
    "Character": [
        ("File > Import > FBX", "M 3P 6B"),
        ("the file", CHOOSE_FILE),
        ("Detect Bones", "M P2B"),
        ("look for question and exclamation marks", "M"),
    ],
    "Trackers": [
        ("File > Import > SSR-HMR Trackers", "M 3P 6B"),
        ("a table of six trackers", CHOOSE_FILE),
    ],
    "Calibration": [
        ("the magnifying glass", "M P2B"),
        ("Retarget under Proportions", "M 2P 4B"),
        ("Calibrate", "M P2B"),
        ("look at the list of trackers", "M"),
    ],
    "Bake": [
        ("scroll to the panel", "M P 5K"),
        ("Bake", "M P2B"),
        ("the space bar, to see it", "M K"),
    ],
}
READ = ("## Install", "## Live in four steps")
"""Where reading begins and ends in the README."""


def seconds_of(actions: str) -> float:
    """Return the time of actions such as ``"M P4B 22K"``; a number says how often."""
    parts = re.findall(r"(\d*)([A-Z])", actions)
    return sum(int(count or 1) * SECONDS[operator] for count, operator in parts)


def words_read() -> int:
    """Return how many words of the README somebody reads until the character is baked."""
    text = README.read_text(encoding="utf-8")
    text = text[text.index(READ[0]) : text.index(READ[1])]
    text = re.sub(r"!\[.*?\]\(.*?\)|\]\(.*?\)", " ", text)
    return len(re.findall(r"\w[\w'.-]*", text))


def rows() -> list[tuple[str, int, float]]:
    """Return each step with its clicks, and keys, and its seconds."""
    found = []
    for step, actions in ACTIONS.items():
        counted = "".join(keys for _, keys in actions)
        presses = re.findall(r"(\d*)([BK])", counted)
        number = sum(int(count or 1) / (2 if key == "B" else 1) for count, key in presses)
        found.append((step, round(number), sum(seconds_of(keys) for _, keys in actions)))
    return found


def main() -> None:
    """Print the table."""
    print("| step | clicks and keys | seconds |\n|---|---|---|")
    for step, number, seconds in rows():
        print(f"| {step} | {number} | {seconds:.0f} |")
    acting = sum(seconds for _, _, seconds in rows())
    reading = 60.0 * words_read() / WORDS_A_MINUTE
    print(f"| all | {sum(number for _, number, _ in rows())} | {acting:.0f} |")
    print(f"reading {words_read()} words: {reading:.0f} s; together {acting + reading:.0f} s")


if __name__ == "__main__":
    main()
