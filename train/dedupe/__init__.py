"""`dedupe`: the same picture more than once in folders of images."""
