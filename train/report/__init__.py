"""Pages of training: HTML, plots and JSON beside each other."""
