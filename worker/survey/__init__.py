"""Rating surveys: studies, raters and their ratings, for page, bot and command line alike."""
