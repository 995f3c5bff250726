"""The colours of the page and of what is drawn to stand beside it: each by daylight and by lamplight."""

PAPER = ("#f5efe4", "#1a1714")
SHEET = ("#fdfaf3", "#24201b")
WELL = ("#f1e9da", "#1f1b17")
LINE = ("#e0d5c1", "#3b342c")
INK = ("#2c2620", "#efe6d8")
FADED = ("#6d6154", "#b3a694")
ACCENT = ("#b6401f", "#e8764f")
ACCENT_DEEP = ("#96331a", "#f08a65")
ON_ACCENT = ("#fffaf2", "#20130d")
CURVES = (
    ("#2f6f8f", "#6cb3d6"),
    ("#7a8b2c", "#b7c95c"),
    ("#8a5aa0", "#c498dc"),
    ("#b98a1e", "#e2b95a"),
    ("#4f7f69", "#86bfa3"),
)
"""Of the curves of a chart after the first, which has the accent's."""
