"""Painting by optimisation: the picture itself is what descends on the loss (Gatys et al. 2016), coarse to fine, for as
long as one likes to wait."""
