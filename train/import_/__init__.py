"""`import`: foreign models to packages."""
