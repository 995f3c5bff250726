"""The page's room for trainings: what its script asks for, and the routes that answer operators."""
