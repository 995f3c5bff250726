"""The survey on the page: what raters' browsers call, and what researchers see."""
