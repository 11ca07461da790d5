"""`python -m tests.proof.part PROMISE NUMBER WORLD FOLDER`: one part of one promise, in a world of its own.

What came of it is written to FOLDER/outcome.json. Django knows one database a process, which is why each part
has a process: its world stands in the environment before Django is set up.
"""

import contextlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path

import django
from django.core.management import call_command

from tests.proof.register import SERVICES, NotYet
from tests.proof.table import FAIL, PASS
from tests.worlds import Services


def main(promise: str, number: str, world: str, folder: str) -> None:
    # Told to stop, it stops what it started on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("It was stopped, for its time was over."))
    with contextlib.ExitStack() as stack:
        try:
            result, seen = PASS, run(promise, int(number), world, Path(folder), stack)
        except NotYet as missing:
            result, seen = missing.result, str(missing)
        except Exception as error:  # whatever it is, the promise was not seen to be kept
            traceback.print_exc()
            said = isinstance(error, AssertionError) and str(error)
            result, seen = FAIL, said or f"{type(error).__name__}: {error}"[:300]
        (Path(folder) / "outcome.json").write_text(json.dumps({"result": result, "seen": seen}))


def run(promise: str, number: int, world: str, folder: Path, stack: contextlib.ExitStack) -> str:
    services = Services() if world == SERVICES else None
    if services:
        os.environ |= stack.enter_context(services)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tradeops.settings"
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    from tests.proof.ground import Ground  # these need Django set up
    from tests.proof.subjects import REGISTER

    return REGISTER.parts[promise][number].run(Ground(folder, stack, services))


if __name__ == "__main__":
    main(*sys.argv[1:])
