# SPDX-License-Identifier: GPL-3.0-or-later
"""The bake as a service: from tracker objects to keyframes on a character."""
