"""Tests of the page, against a real queue and a real worker process."""
