"""How the sale goes, who approves whom, and whether the score still knows its customers: docs/dashboard.md."""
