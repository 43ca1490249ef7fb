"""A rehearsal of a whole sale: customers and reviewers who know the running shop only over HTTP."""
