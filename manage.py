#!/usr/bin/env python
"""Django's command line for TradeOps."""

import os
import sys
from importlib import import_module

# These read files and print: loading every app would take longer than the work.
WITHOUT_APPS = ("backtest", "sweep", "walk_forward")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")
    if sys.argv[1:2] and sys.argv[1] in WITHOUT_APPS:
        command = import_module(f"strategies.management.commands.{sys.argv[1]}").Command()
        command.run_from_argv(sys.argv)
        return
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
