"""Attacks: programs that run inside an environment, and what the host looks like from outside."""
