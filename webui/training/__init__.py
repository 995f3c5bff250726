"""The page's part for trainings: what its script asks for, and the routes that answer operators."""
