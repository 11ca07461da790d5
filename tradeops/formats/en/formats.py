"""As on the desk, in place of Django's "Nov. 28, 2026, 11:22 a.m."; the settings of these names are not asked."""

DATE_FORMAT = SHORT_DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y-m-d H:i:s"
