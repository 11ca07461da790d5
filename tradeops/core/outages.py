"""What is raised where the database is away, and not where a statement of ours is wrong."""

from django.db import InterfaceError, OperationalError, connection

# The driver's own too: that a named cursor could not be closed, Django does not translate
# (`cursor_iter` in django/db/models/sql/compiler.py).
OUTAGES = (
    OperationalError,
    InterfaceError,
    connection.Database.OperationalError,
    connection.Database.InterfaceError,
)
