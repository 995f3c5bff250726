"""Training: recipes, data, one loop for all methods, checkpoints."""
