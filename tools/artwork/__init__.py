"""What made, once, the pictures that ship: painters of the gallery, renderers of the sample photographs."""
