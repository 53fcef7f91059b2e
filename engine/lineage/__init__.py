"""Where datasets come from and what became of them: the ledger of decisions, parents, runs that used them."""
