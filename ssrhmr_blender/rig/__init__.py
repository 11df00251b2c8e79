# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters as Blender has them: reading their rest pose, turning poses into keys."""
