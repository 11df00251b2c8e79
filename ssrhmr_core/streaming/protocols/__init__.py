# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire formats: each module decodes and encodes one protocol."""
