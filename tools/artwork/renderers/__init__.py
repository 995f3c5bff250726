"""The scenes behind the sample photographs, one module each, and the small toolkit they share.

Arrays are float32. A bundle of N vectors is an array (3, N); colours are linear light, not sRGB.
"""
