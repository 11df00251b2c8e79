# SPDX-License-Identifier: GPL-3.0-or-later
"""Live capture without Blender: tracker readings in, poses and recorded takes out."""
