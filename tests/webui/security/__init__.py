"""The page under attack: the real server, asked what nobody should get."""
