"""Learning one style: a style's code, optimised for a few minutes on a handful of photographs, becomes a painter of its own
for one picture; the network itself stays as it is."""
