"""Work in a process of its own: what takes long, or compiles, and what a killed worker must not leave half done."""

import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable

from django.conf import settings

from tradeops.core.jobs.runner import TryAgain

logger = logging.getLogger(__name__)


def worked_out[Found](module: str, talk: Callable[[subprocess.Popen], Found | None]) -> Found | None:
    """What `talk` found by writing to and reading from `python -m module`; None where it stopped it in between.

    Raises TryAgain where the process died.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": settings.BASE_DIR}
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen([sys.executable, "-m", module], stderr=said, **pipes) as process,
    ):
        try:
            found = talk(process)
            if found is not None and process.wait():
                said.seek(0)
                logger.error("%s died: %s", module, said.read().decode(errors="replace")[-2000:])
                raise TryAgain(f"The process of {module} died.")
        finally:
            process.kill()  # nothing to a process that has ended
    return found
