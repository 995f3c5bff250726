"""Celery tasks: painting and housekeeping. Importing this package imports no torch."""
