"""Rating surveys without any service behind them: study files, the order in which raters meet pairs, statistics.

Nothing here imports torch; scipy and its like are imported by the functions that need them."""
