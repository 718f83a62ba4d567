"""`fit`: a folder of classes to a model package."""
