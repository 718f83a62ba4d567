"""`cartoonization`: how much the images of each class change as cartoons."""
