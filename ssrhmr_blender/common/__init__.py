# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that every feature uses: modal jobs, panels, validation, errors, axes, versions."""
