"""Measuring models: metrics, tables and sheets."""
