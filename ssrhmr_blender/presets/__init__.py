# SPDX-License-Identifier: GPL-3.0-or-later
"""Mappings, tracker setups and calibrations as named JSON files."""
