"""Losses: pure functions in ``functional``, ``halos`` and ``structure``; by name ``penalties`` (of a training) and ``terms``
(of painting by optimisation)."""
