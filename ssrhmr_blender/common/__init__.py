# SPDX-License-Identifier: GPL-3.0-or-later
"""What every feature uses: modal jobs, panels, validation, errors and axes."""
