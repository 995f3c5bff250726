"""Losses: pure functions in ``functional``, losses on a teacher's features in ``perceptual``."""
