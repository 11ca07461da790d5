"""The database engine of a desk with a PostgreSQL: Django's, for one that may hang, be restarted or be away long."""
