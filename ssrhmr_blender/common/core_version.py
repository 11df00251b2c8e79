# SPDX-License-Identifier: GPL-3.0-or-later
"""The core that an update of the extension leaves in memory."""

from __future__ import annotations

import sys

CORE = "ssrhmr_core"


def drop_outdated_core() -> None:
    """Forget an imported core whose version is not the installed one.

    Blender reloads an extension that it updates, but not what came with it as wheels: without this,
    the new add-on would run with the old core until Blender is started again.
    """
    core = sys.modules.get(CORE)
    if core is None:
        return
    from importlib import metadata  # only here: it takes longer than the rest of registering

    try:
        installed = metadata.version("ssrhmr-core")
    except metadata.PackageNotFoundError:
        return  # a checkout: there is nothing else to import
    if installed == getattr(core, "__version__", None):
        return
    for name in [name for name in sys.modules if name == CORE or name.startswith(f"{CORE}.")]:
        del sys.modules[name]
