"""The twelve tickers that the simulated feed makes prices for."""

from django.db import migrations

INSTRUMENTS = [
    ("AAPL", "Apple Inc.", "NASDAQ"),
    ("AMZN", "Amazon.com, Inc.", "NASDAQ"),
    ("GOOGL", "Alphabet Inc. Class A", "NASDAQ"),
    ("JNJ", "Johnson & Johnson", "NYSE"),
    ("JPM", "JPMorgan Chase & Co.", "NYSE"),
    ("KO", "The Coca-Cola Company", "NYSE"),
    ("META", "Meta Platforms, Inc.", "NASDAQ"),
    ("MSFT", "Microsoft Corporation", "NASDAQ"),
    ("NFLX", "Netflix, Inc.", "NASDAQ"),
    ("NVDA", "NVIDIA Corporation", "NASDAQ"),
    ("TSLA", "Tesla, Inc.", "NASDAQ"),
    ("XOM", "Exxon Mobil Corporation", "NYSE"),
]


def add_instruments(apps, schema_editor):
    Instrument = apps.get_model("market", "Instrument")
    for ticker, name, exchange in INSTRUMENTS:
        Instrument.objects.get_or_create(ticker=ticker, defaults={"name": name, "exchange": exchange})


class Migration(migrations.Migration):
    dependencies = [("market", "0001_instruments_quotes_alerts")]
    # Backward they stay: trades may already refer to them.
    operations = [migrations.RunPython(add_instruments, migrations.RunPython.noop)]
