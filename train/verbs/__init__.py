"""One file per verb of `python -m train`: its help and arguments. The work is in the modules beside this folder."""
