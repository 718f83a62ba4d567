"""File formats of bundles: how each is recognised by its content, and read as rows. `registry` lists them."""
