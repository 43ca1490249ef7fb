"""Making the model: invented sales to learn from, the protocol that judges it, and the table it becomes.

Nothing of this is imported by a web process or a worker; it needs requirements-train.txt.
"""
