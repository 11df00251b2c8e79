# SPDX-License-Identifier: GPL-3.0-or-later
"""Live capture: trackers stream in, the character moves, takes are recorded."""
