"""`/v1/places`: places from the world down to localities."""
