"""Makes the reference from the code: `python -m docs.generator`, or `make reference`.

A page holds regions between two comments. The first names a part: `<!-- generated: outcomes -->`. What stands between
the comments is replaced by what `parts.PARTS` makes of the code; everything else on the page is written by hand.
"""
