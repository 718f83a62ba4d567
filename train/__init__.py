"""Single-node training and everything round it: `python -m train VERB`. Nothing in eoltag imports this."""
