"""Pictures and networks: everything that turns a photograph and a style into a painting.

Importing this package is cheap: torch is imported only by the modules that compute.
"""
