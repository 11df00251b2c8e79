# SPDX-License-Identifier: GPL-3.0-or-later
"""Help that finds faults: a report to paste into an issue, and the level of the log."""
