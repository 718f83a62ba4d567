"""How a network learns: optimisers, seeding, batch normalisation, and heads that are solved at once."""
