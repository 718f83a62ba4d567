"""Bundles: lists of image URLs in any of their file formats, as rows."""
