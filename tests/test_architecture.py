"""The house rules that can be read from the source: who imports whom, and what stays pure."""

import ast
import functools
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.migrations import AddField
from django.db.migrations.loader import MigrationLoader

ROOT = Path(__file__).resolve().parent.parent
APPS = {"tradeops.core", "market", "trades", "strategies", "analytics", "tradeops"}
MAY_IMPORT = {
    "tradeops.core": set(),
    "market": {"tradeops.core"},
    "trades": {"tradeops.core", "market"},
    "strategies": {"tradeops.core", "market"},
    "analytics": {"tradeops.core", "trades", "market"},
    "tradeops": APPS,
}
PURE = [
    "tradeops/core/csvfile.py",
    "tradeops/core/annualization.py",
    "tradeops/core/statistics.py",
    "market/bar_files.py",
    "market/bars.py",
    "market/calibration.py",
    "market/splits.py",
    "market/session_calendar.py",
    "market/simulation.py",
    "market/summaries.py",
    "market/windows.py",
    "market/rules.py",
    "market/ticks.py",
    "market/board.py",
    "market/client.py",
    "market/frames.py",
    "market/latest.py",
    "market/mailbox.py",
    "market/samples.py",
    "market/tickers.py",
    "market/tape_files.py",
    "market/sources/*.py",
    "trades/ledger.py",
    "trades/control/breaks.py",
    "trades/folding/account_book.py",
    "trades/folding/bulk_fold.py",
    "trades/chain/links.py",
    "trades/folding/events.py",
    "trades/folding/splits.py",
    "trades/round_trips/excursions.py",
    "trades/insight/explain.py",
    "trades/positions/fill_plot.py",
    "trades/insight/what_if.py",
    "trades/folding/tallies.py",
    "tradeops/core/decimals.py",
    "tradeops/core/drawing.py",
    "trades/importing/faults.py",
    "trades/importing/blocks.py",
    "trades/importing/heads.py",
    "trades/importing/words.py",
    "trades/importing/manner.py",
    "trades/importing/moments.py",
    "trades/importing/numerals.py",
    "trades/importing/plain.py",
    "trades/importing/reading.py",
    "trades/importing/spelling.py",
    "trades/performance/attribution.py",
    "trades/performance/equity.py",
    "trades/performance/returns.py",
    "trades/performance/standings.py",
    "trades/performance/plots.py",
    "strategies/backtest.py",
    "strategies/logs.py",
    "strategies/parameters.py",
    "strategies/portfolio.py",
    "strategies/pricepack.py",
    "strategies/provenance.py",
    "strategies/results.py",
    "strategies/prices.py",
    "strategies/indicators.py",
    "strategies/engine.py",
    "strategies/broker.py",
    "strategies/excursions.py",
    "strategies/grid.py",
    "strategies/surface.py",
    "strategies/sweep.py",
    "strategies/sweep_figures.py",
    "strategies/look_ahead.py",
    "strategies/metrics.py",
    "strategies/quality.py",
    "strategies/panel.py",
    "strategies/single.py",
    "strategies/sizing.py",
    "strategies/stops.py",
    "strategies/terms.py",
    "strategies/walk_forward.py",
    "strategies/guide.py",
    "strategies/charts.py",
    "strategies/checking.py",
    "strategies/comparison.py",
    "strategies/crossovers.py",
    "strategies/dealing.py",
    "strategies/curves.py",
    "strategies/library/*.py",
    "analytics/layout.py",
    "analytics/query_process.py",
    "analytics/reports.py",
    "analytics/report_columns.py",
    "analytics/differences.py",
    "analytics/account_day.py",
    "analytics/statement_words.py",
    "analytics/statement_pdf.py",
    "analytics/lambda_function.py",
]
DJANGO = {"django", "rest_framework", "channels", "celery", "storages"}
# The layers of an app, lowest first; models and services import none above them.
LAYERS = ["models", "services", "api", "views", "admin", "tasks", "urls"]
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}


def sources() -> list[Path]:
    folders = ["tradeops", "market", "trades", "strategies", "analytics"]
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def app_of(module: str) -> str | None:
    if module == "tradeops.core" or module.startswith("tradeops.core."):
        return "tradeops.core"
    first = module.partition(".")[0]
    return first if first in APPS else None


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@functools.cache
def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


@functools.cache
def imports_of(path: Path) -> set[str]:
    """The full names of every module that a file imports, wherever in it."""
    package = module_of(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            target = ".".join(part for part in (start, node.module) if part)
            found |= {target} | {f"{target}.{name.name}" for name in node.names}
    return found


def pure_files() -> list[Path]:
    return [path for pattern in PURE for path in sorted(ROOT.glob(pattern))]


@pytest.mark.pure
def test_each_app_imports_only_what_stands_below_it():
    wrong = []
    for path in sources():
        app = app_of(module_of(path))
        for name in imports_of(path):
            other = app_of(name)
            if other and other != app and other not in MAY_IMPORT[app]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


@pytest.mark.pure
def test_pure_modules_import_no_framework():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in pure_files()
        for name in imports_of(path)
        if name.partition(".")[0] in DJANGO
    ]
    assert wrong == []


@pytest.mark.pure
def test_every_pure_module_of_the_list_is_there():
    assert [pattern for pattern in PURE if not list(ROOT.glob(pattern))] == []


@pytest.mark.pure
def test_pure_modules_can_be_imported_without_django():
    names = [module_of(path) for path in pure_files() if path.name != "__init__.py"]
    program = f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\nprint('django' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stdout.strip(), done.stderr) == ("False", "")


@pytest.mark.pure
def test_nothing_draws_with_pyplot():
    assert [path for path in sources() if any("pyplot" in name for name in imports_of(path))] == []


@pytest.mark.pure
def test_what_compiles_is_imported_by_nothing_that_serves_pages():
    compiled = {module_of(path) for path in sources() if any(name.startswith("numba") for name in imports_of(path))}
    assert compiled == {"strategies.dealing", "strategies.crossovers"}
    importers = {module_of(path) for path in sources() if imports_of(path) & compiled}
    assert importers == {"strategies.sweep"}


@pytest.mark.pure
def test_only_the_settings_and_the_lambda_read_the_environment():
    allowed = {"tradeops/settings.py", "analytics/lambda_function.py"}
    readers = {
        str(path.relative_to(ROOT))
        for path in sources()
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        # Naming the settings module for Django is not reading a setting.
        and "DJANGO_SETTINGS_MODULE" not in path.read_text()
    }
    assert readers <= allowed


@pytest.mark.pure
def test_lower_layers_of_an_app_do_not_import_upper_ones():
    wrong = []
    for path in sources():
        # A layer of several files is a folder of its name.
        folder = path.parent if path.parent.name in LAYERS else path
        layer = folder.stem
        if layer not in LAYERS or path.parent.name in ("migrations", "commands"):
            continue
        package = ".".join(folder.relative_to(ROOT).parent.parts)
        upper = LAYERS[LAYERS.index(layer) + 1 :] if layer in ("models", "services") else []
        wrong += [f"{module_of(path)} imports {layer}" for layer in upper if f"{package}.{layer}" in imports_of(path)]
    assert wrong == []


@pytest.mark.pure
def test_no_file_is_named_for_nothing_in_particular():
    named_by_django = ROOT / "tradeops/core/postgresql/base.py"  # as every engine's module is
    assert [path for path in sources() if path.stem in FORBIDDEN_NAMES and path != named_by_django] == []


@pytest.mark.pure
def test_a_web_process_does_not_load_what_only_workers_and_commands_need():
    heavy = ("numba", "matplotlib", "pandas", "duckdb")
    program = f"import sys, tradeops.asgi, tradeops.urls; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_no_model_has_changed_without_its_migration(db):
    said = StringIO()
    call_command("makemigrations", dry_run=True, stdout=said)
    assert said.getvalue() == "No changes detected\n"


# The newest migration of each app before desks were upgraded while they run.
BEFORE_UPGRADES = {
    "users": "0001", "jobs": "0005", "events": "0001", "market": "0013", "trades": "0007", "strategies": "0007",
    "analytics": "0005",
}  # fmt: skip


@pytest.mark.pure
def test_a_column_that_is_added_may_be_left_out_by_a_process_of_the_version_before():
    """It writes rows until it is restarted (docs/running.md, Upgrade); Django's own default is not the database's."""
    wanting = [
        f"{app}.{name}: {one.model_name}.{one.name}"
        for (app, name), migration in MigrationLoader(None, ignore_no_migrations=True).disk_migrations.items()
        for one in migration.operations
        if name[:4] > BEFORE_UPGRADES.get(app, "9999") and isinstance(one, AddField) and not may_be_left_out(one.field)
    ]
    assert wanting == []


def may_be_left_out(field) -> bool:
    return field.null or field.has_db_default() or field.many_to_many
