"""`manage.py import_trades FILE`: a CSV file of trades and activities into an account, whole or not at all."""

import sys
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from rest_framework.exceptions import APIException, ValidationError

from tradeops.core.api import flat_errors
from tradeops.core.database import require_prepared
from tradeops.core.progress_bar import ProgressBar
from tradeops.core.users.models import User
from trades import services
from trades.importing import services as imports
from trades.importing.faults import Fault, FileRefused
from trades.importing.serializers import ImportParams, options_of
from trades.models import Account, ImportBatch

SAID = ("columns", "timezone", "date_format", "number_format", "fees_sign", "duplicates", "rows", "reason")


class Command(BaseCommand):
    help = "Imports a CSV file of trades and activities, as POST /trades/import does; see docs/import.md."

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)
        parser.add_argument("--user", required=True, help="who imports it")
        parser.add_argument("--account", type=int, help="the account's id; left out: the user's first")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and do nothing")
        for name in SAID:
            parser.add_argument(f"--{name.replace('_', '-')}", dest=name)

    def handle(self, *args, **options):
        require_prepared()
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}.")
        said = self.read_options(options)
        account = self.account_of(user, options["account"])
        bar = ProgressBar(sys.stderr, "Importing")
        try:
            with options["file"].open("rb") as file:
                if options["dry_run"]:
                    self.tell_ahead(imports.preview(account, file, options_of(said), bar))
                else:
                    self.tell(self.import_file(file, account, user, said, bar))
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        except FileRefused as refusal:
            raise CommandError(self.words_of(refusal)) from refusal
        except APIException as error:
            raise CommandError(str(error.detail)) from error
        finally:
            bar.close()

    def read_options(self, options: dict) -> dict:
        params = ImportParams(data={name: options[name] for name in SAID if options[name] is not None})
        try:
            params.is_valid(raise_exception=True)
        except ValidationError as error:
            raise CommandError(
                "; ".join(f"{one['field']}: {one['message']}" for one in flat_errors(error.detail))
            ) from error
        return params.validated_data

    def account_of(self, user: User, account_id: int | None) -> Account:
        if account_id is None:
            return services.default_account(user)
        account = Account.objects.visible_to(user).filter(pk=account_id).first()
        if account is None:
            raise CommandError(f"{user.username} sees no account {account_id}.")
        return account

    def import_file(self, file, account: Account, user: User, said: dict, bar: ProgressBar) -> imports.Outcome:
        name = Path(file.name).name[:200]
        batch = ImportBatch(account=account, actor=user, file_name=name, options=options_of(said))
        return imports.import_file(batch, file, actor=user, reason=said.get("reason", ""), progress=bar)

    def tell(self, outcome: imports.Outcome) -> None:
        batch = outcome.batch
        self.stdout.write(f"{batch.imported_count} imported, {batch.duplicate_count} duplicates; import {batch.pk}.")
        if batch.left_out_count:
            self.stdout.write(f"Left out, no trades: {batch.left_out_count}.")
        self.tell_ignored(outcome.ignored_columns)

    def tell_ahead(self, outlook) -> None:
        plan = outlook.plan
        self.stdout.write(f"{plan.imported_count} would be imported, {plan.duplicate_count} are duplicates.")
        for one in plan.left_out:
            self.stdout.write(f"Left out, no trades: {one['rows']} of {one['words']!r}.")
        for one in outlook.positions:
            self.stdout.write(f"  {one.ticker}: {one.quantity_before:f} -> {one.quantity:f}")
        self.tell_ignored(plan.checked.columns.ignored)

    def tell_ignored(self, columns: list[str]) -> None:
        if columns:
            self.stdout.write(f"Not used: {', '.join(columns)}.")

    def words_of(self, refusal: FileRefused) -> str:
        faults = refusal.faults
        left = faults.count - len(faults.listed)
        lines = [line_of(fault) for fault in faults.listed] + ([f"and {left} more"] if left else [])
        return "\n".join([f"Nothing was imported: {faults.count} faults in {faults.bad_rows} rows.", *lines])


def line_of(fault: Fault) -> str:
    """A fault as the terminal shows it."""
    where = ", ".join(part for part in (f"row {fault.row}" if fault.row else "", fault.column or "") if part)
    value = f" ({fault.value!r})" if fault.value else ""
    return f"{where}: {fault.message}{value}" if where else fault.message
