# SPDX-License-Identifier: GPL-3.0-or-later
"""Accuracy and speed of reconstructions: metrics, evaluation over clips, benchmarks."""
