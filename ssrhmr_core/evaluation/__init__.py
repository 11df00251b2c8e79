# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a reconstruction is: metrics, and running them over clips."""
