"""Rule sets: a parser for each notation into one model, and one evaluator over it. Pure."""
