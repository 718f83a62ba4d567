"""Model packages, the engines that run them, and their outputs as labels."""
