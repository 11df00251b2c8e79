# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes: fitting few of them to motion that is sampled on every frame."""
