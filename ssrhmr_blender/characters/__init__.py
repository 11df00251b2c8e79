# SPDX-License-Identifier: GPL-3.0-or-later
"""Several characters in one scene, each with its own setup."""
