# SPDX-License-Identifier: GPL-3.0-or-later
"""Many takes baked onto one character, each into an action of its own."""
