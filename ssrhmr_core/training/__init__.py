# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the learned stages. Needs torch; nothing here is imported at run time."""
