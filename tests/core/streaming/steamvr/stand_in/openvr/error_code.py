# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class OpenVRError(Exception):
    pass


class InitError_Init_NoServerForBackgroundApp(OpenVRError):
    pass


class TrackedProp_UnknownProperty(OpenVRError):
    pass
