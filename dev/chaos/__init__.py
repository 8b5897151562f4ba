"""Fault injection: `make chaos` breaks every component of an export and checks each outcome.

The product's processes run with `dev.chaos.settings`, which installs `hooks`. `harness` starts the
processes under a restarting `supervisor`. `accounts` generates load by requesting exports. `faults`
are injected at random moments of a seeded generator. `watcher` measures how long each export makes
no progress. At the end the `oracle` compares the accepted requests, the database, and the mails
that the mail server (`smtp`) accepted.
"""
