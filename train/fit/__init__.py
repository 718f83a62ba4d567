"""`fit`: trains on a folder of classes and writes a model package."""
