"""Methods: one paper, one file. Each is a ``core.methods.contract.Method``, offered through ``core.registry``."""
