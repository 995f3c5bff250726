"""Methods: one paper, one file. Each is a ``core.methods.base.Method``, offered through ``core.registry``."""
