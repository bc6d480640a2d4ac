"""`/v1/places`: countries, regions and provinces."""
