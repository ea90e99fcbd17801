"""Q/GDW 1376: the master station and its concentrators (part 1), the concentrator and its local module (part 2)."""
