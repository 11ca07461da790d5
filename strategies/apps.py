from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from strategies.library import add_folder, strategies


class StrategiesConfig(AppConfig):
    name = "strategies"

    def ready(self) -> None:
        add_folder(settings.STRATEGIES_DIR)
        checks.register(check_own_strategies)


def check_own_strategies(app_configs, **kwargs) -> list[checks.Error]:
    """A strategy file that cannot be used stops the start and is named, instead of failing every page later."""
    try:
        strategies()
    except Exception as error:  # whatever may be wrong in a file that somebody else wrote
        named = f"{type(error).__name__}: {error}"
        return [checks.Error(f"A strategy cannot be loaded. {named}", id="strategies.E001")]
    return []
